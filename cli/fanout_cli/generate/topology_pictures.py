"""The picture of each use case's topology that its README shows, drawn from its template.

`make generate` writes it between the two marks in `usecases/<use_case>/README.md`; a test checks that what is there is
what the template says. GitHub shows the Mermaid text as a picture: https://mermaid.js.org/syntax/flowchart.html
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fanout_wiring import Exit, Publication, Wire, Wiring

BEGIN = "<!-- topology, drawn from template.yaml by make generate -->"
END = "<!-- end of topology -->"
_BETWEEN = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)


def picture(root: Path, use_case: str) -> str:
    """Return the Markdown between the marks, both included.

    Raises UnreadableTemplateError if the use case has no template.
    """
    wiring = Wiring(root, use_case)
    ways_in, ways_out, back = wiring.wires, wiring.exits, wiring.publications
    topics = sorted(
        {each.topic for each in ways_in} | {each.topic for each in ways_out} | {each.topic for each in back}
    )
    lines = ["flowchart LR", *(f"    {topic}{{{{{topic}}}}}" for topic in topics)]
    for wire in ways_in:
        lines += _wire(wire)
    for each in ways_out:
        lines += _exit(each)
    for publication in back:
        lines += _publication(publication)
    once = dict.fromkeys(lines)  # a function with two subscriptions has one queue
    return "\n".join([BEGIN, "```mermaid", *once, "```", END])


def drawn(readme: str, picture: str) -> str:
    """Return a README with the picture in place of the one between its marks; unchanged if it has no marks."""
    return _BETWEEN.sub(lambda _: picture, readme)


def _wire(wire: Wire) -> list[str]:
    function = wire.subscriber.partition("/")[2]
    name = wire.queue.removesuffix(".fifo")  # a name in a picture may have no dot, what is written in a box may
    box, queue = f'f_{function}["{function}"]', f'{name}[("{wire.queue}")]'
    arrow = f"    {wire.topic} {_arrow(wire.filter_policy)}"
    dead_letters = f'    {name} -. "dead letters" .-> {name}_dead[("its dead-letter queue")]'
    if wire.delivery == "direct":
        return [f"{arrow} {box}", f'    f_{function} <-. "retries" .-> {queue}', dead_letters]
    return [f"{arrow} {queue}", f"    {name} --> {box}", dead_letters]


def _exit(each: Exit) -> list[str]:
    shape = f'[("{each.name}")]' if each.protocol == "sqs" else f'["{each.name} ({each.protocol})"]'
    return [f"    {each.topic} {_arrow(each.filter_policy)} {each.name}{shape}"]


def _publication(each: Publication) -> list[str]:
    return [f'    f_{each.function}["{each.function}"] == "publishes" ==> {each.topic}']


def _arrow(policy: Mapping[str, Any] | None) -> str:
    return f'-- "{_words(policy)}" -->' if policy else "-->"


def _words(policy: Mapping[str, Any], path: str = "") -> str:
    """Return a filter in words: the values of `type` as they stand, other fields by their path."""
    said = []
    for name, rule in policy.items():
        here = f"{path}{name}"
        if isinstance(rule, Mapping):
            said.append(_words(rule, f"{here}."))
        elif any(isinstance(value, Mapping) and "anything-but" in value for value in rule):
            said.append(f"any other {here}")
        else:
            values = ", ".join(value if isinstance(value, str) else _condition(value) for value in rule)
            said.append(values if here == "type" else f"{here}: {values}")
    return "<br/>".join(said)


def _condition(value: Any) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    return ", ".join(f"{operator} {operand}" for operator, operand in value.items())


def main() -> None:
    """Draw the pictures of all use cases that have a README, in the checkout named on the command line."""
    root = Path(sys.argv[1])
    for readme in sorted(root.glob("usecases/*/README.md")):
        text = readme.read_text(encoding="utf-8")
        readme.write_text(drawn(text, picture(root, readme.parent.name)), encoding="utf-8")


if __name__ == "__main__":
    main()
