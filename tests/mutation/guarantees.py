"""Writes docs/guarantees.md from docs/guarantees.toml: python -m tests.mutation.guarantees.

A test checks it for drift.
"""

import re
import textwrap

from tests.mutation.promises import REGISTRY, Promise, Proof, promises

PAGE = REGISTRY.with_suffix(".md")
CHAOS = re.compile(r"<!-- chaos -->.*<!-- /chaos -->", re.DOTALL)
_NOTHING_YET = "<!-- chaos -->\n<!-- /chaos -->"

_HEAD = """\
<!-- made by `make generate` from guarantees.toml, but for the table between the chaos marks -->
# What Fanout guarantees

Each promise below says what goes wrong without it, what prevents that, where, and which tests attack it. Each
countermeasure is listed with the change that takes it away. `make prove-guarantees` makes each of these changes, one at
a time in a copy of this checkout, runs the tests that carry the proof's id (`@pytest.mark.guarantee`) and expects them
to fail; the tests of every commit check that each change still applies.

    make prove-guarantees                                        # all {proofs}, in about five minutes on two processors
    make prove-guarantees ONLY=order-per-group                   # one promise
    make prove-guarantees ONLY=order-per-group/late-version      # one proof

[What the local engine does not prove](not-proven-locally.md) lists the guarantees that cannot be attacked on one
machine. [Security](security.md) lists the attackers and what they could reach, [hostile input](hostile-input.md) how
malformed and malicious input is handled.

| promise | without it |
| --- | --- |
{rows}

## The chaos run

Every use case under every fault, with thousands of events. After each fault the count per subscriber must match:
due = processed + rejected + discarded, and every effect once.

{chaos}
"""


def page(before: str) -> str:
    """Return the whole page. before: the current page, of which the table of the chaos run is kept."""
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
        f"{_wrapped('**Without it:** ' + promise.without)}\n\n"
        f"{_wrapped('**What prevents that:** ' + promise.countermeasure)}\n\n"
        + "\n".join(_proof(number, each) for number, each in enumerate(promise.proof, 1))
    )


def _proof(number: int, proof: Proof) -> str:
    attackers = ",\n   ".join(f"[`{_name(test)}`](../{test.partition('::')[0]})" for test in proof.tests)
    where = (
        f"`{proof.where()}` in [{proof.file}](../{proof.file})"
        if proof.definition
        else f"[{proof.file}](../{proof.file})"
    )
    change = "\n".join(f"   {line}".rstrip() for line in proof.change())
    return (
        f"{number}. {proof.what} (`{proof.id}`): {where}.\n"
        f"   Tests that fail after this change:\n   {attackers}\n\n   ```diff\n{change}\n   ```\n"
    )


def _name(test: str) -> str:
    return test.partition("::")[2]


def _line(text: str) -> str:
    return " ".join(text.split())


def _wrapped(text: str) -> str:
    return textwrap.fill(_line(text), 118, break_long_words=False, break_on_hyphens=False)


def main() -> None:
    """Write the page, or bring it up to date."""
    PAGE.write_text(page(PAGE.read_text("utf-8") if PAGE.exists() else ""), "utf-8")


if __name__ == "__main__":
    main()
