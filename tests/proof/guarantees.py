"""Writes docs/guarantees.md from docs/guarantees.toml: python -m tests.proof.guarantees. A test checks it for drift."""

import re

from tests.proof.promises import REGISTRY, Promise, Proof, promises

PAGE = REGISTRY.with_suffix(".md")
CHAOS = re.compile(r"<!-- chaos -->.*<!-- /chaos -->", re.DOTALL)
_NOTHING_YET = "<!-- chaos -->\n<!-- /chaos -->"

_HEAD = """\
<!-- made by `make generate` from guarantees.toml, but for the table between the chaos marks -->
# What Fanout guarantees

Each promise below says what happens to somebody without it, what prevents that, where, and which test attacks it. And
so that nobody has to believe it: the lines to take away to see that test fail. `make prove-guarantees` takes away each
of them, one at a time in a copy of this checkout, runs the tests it names and expects them to fail; the tests of every
commit hold the quotations against the code.

    make prove-guarantees                       # all {proofs}, in about five minutes on two processors
    make prove-guarantees ONLY=order-per-group  # one promise

What cannot be attacked on one machine is listed in [what the local engine does not prove](not-proven-locally.md). Who
might want to get in, and what they would find: [security](security.md). What is done to whatever comes in:
[hostile input](hostile-input.md).

| promise | without it |
| --- | --- |
{rows}

## The chaos run

Everything above, at once: every use case under every fault, thousands of events, and after each fault the count per
subscriber: due = processed + rejected + discarded, and every effect once.

{chaos}
"""


def page(before: str) -> str:
    """Return the whole page. before: the page as it stands, of which the table of the chaos run is kept."""
    found = CHAOS.search(before)
    said = promises()
    rows = "\n".join(f"| [{each.title}](#{each.id}) | {_line(each.without)} |" for each in said)
    head = _HEAD.format(
        rows=rows,
        chaos=found.group() if found else _NOTHING_YET,
        proofs=sum(len(each.proof) for each in said),
    )
    return head + "".join(_section(each) for each in said)


def _section(promise: Promise) -> str:
    return (
        f'\n<a id="{promise.id}"></a>\n\n## {promise.title}\n\n'
        f"**Without it:** {promise.without.strip()}\n\n**What prevents that:** {promise.countermeasure.strip()}\n\n"
        + "\n".join(_proof(number, each) for number, each in enumerate(promise.proof, 1))
    )


def _proof(number: int, proof: Proof) -> str:
    attackers = ", ".join(f"[`{_name(test)}`](../{test.partition('::')[0]})" for test in proof.tests)
    taken = "\n".join(f"   -{line}" for line in proof.remove.strip("\n").splitlines())
    put = "\n".join(f"   +{line}" for line in proof.put.strip("\n").splitlines())
    return (
        f"{number}. {proof.what}: [`{proof.where()}`](../{proof.file}) in `{proof.file}`.\n"
        f"   Without these lines fails {attackers}:\n\n"
        f"   ```diff\n{taken}\n{put + chr(10) if put else ''}   ```\n"
    )


def _name(test: str) -> str:
    return test.partition("::")[2]


def _line(text: str) -> str:
    return " ".join(text.split())


def main() -> None:
    """Write the page, or bring it up to date."""
    before = PAGE.read_text("utf-8") if PAGE.exists() else ""
    PAGE.write_text(page(before), "utf-8")


if __name__ == "__main__":
    main()
