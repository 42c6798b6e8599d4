"""Writes docs/not-proven-locally.md: python -m tests.proof.unproven. A test checks it for drift.

Made of three things: the templates' conditions, those that are false in `sam deploy --config-env local`; the marks on
the tests in tests/cloud; and docs/not-proven-locally.toml, with the reasons of the conditions and the rows that have no
such test. A mark is one of

    @pytest.mark.cloud(condition="RequiresTls")        this test proves on AWS what the condition switches off here
    @pytest.mark.cloud("what", here=..., instead=...)  what the engine accepts and does not carry out
    @pytest.mark.cloud("what", here=..., aws=...)      what it carries out otherwise
    @pytest.mark.cloud("what")                         another test of a row that another mark describes

and in the file `needless` says why a row or condition has no test on AWS; each has either that or a test.
"""

import ast
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from fanout_wiring import Composition
from tests.template.application import ROOT, overrides

CLOUD = ROOT / "tests" / "cloud"
REASONS = ROOT / "docs" / "not-proven-locally.toml"
PAGE = REASONS.with_suffix(".md")


class CloudTest(msgspec.Struct, frozen=True):
    """A test in tests/cloud."""

    file: str
    name: str


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a condition is false locally."""

    name: str
    off: str
    instead: str
    needless: str = ""


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that the engine does not do as AWS does."""

    what: str
    here: str
    instead: str = ""
    aws: str = ""
    """How AWS carries it out; "" for what the engine does not carry out at all."""
    needless: str = ""


class Reasons(msgspec.Struct, forbid_unknown_fields=True):
    """docs/not-proven-locally.toml."""

    condition: list[Condition]
    row: list[Row]


class Registry(msgspec.Struct):
    """Everything that is not proven here; `tests` on AWS by a condition's name or a row's `what`."""

    conditions: list[Condition]
    rows: list[Row]
    tests: Mapping[str, list[CloudTest]]


def registry() -> Registry:
    """Return what marks and reasons say together. Raises ValueError where they contradict each other."""
    reasons = msgspec.convert(tomllib.loads(REASONS.read_text("utf-8")), Reasons)
    tests: dict[str, list[CloudTest]] = defaultdict(list)
    described: dict[str, Row] = {}
    for test, said in marks():
        name = said.get("condition") or said["what"]
        tests[name].append(test)
        if len(said) > 1:
            if name in described:
                raise ValueError(f"{test.name}: {name!r} is described twice")
            described[name] = msgspec.convert(said, Row)
    rows = [*described.values(), *reasons.row]
    known = {each.what for each in rows} | {each.name for each in reasons.condition}
    if stray := tests.keys() - known:
        raise ValueError(f"marks of rows that nobody describes: {sorted(stray)}")
    for name, needless in [(each.what, each.needless) for each in rows] + [
        (each.name, each.needless) for each in reasons.condition
    ]:
        if bool(needless) == bool(tests.get(name)):
            raise ValueError(f"{name}: either a test in tests/cloud, or `needless` says why there is none")
    return Registry(reasons.condition, rows, tests)


def marks() -> list[tuple[CloudTest, dict[str, Any]]]:
    """Return every mark of every test in tests/cloud, as the source has it: no test is imported for it."""
    found = []
    for file in sorted(CLOUD.glob("test_*.py")):
        for node in ast.parse(file.read_text("utf-8")).body:
            if not isinstance(node, ast.FunctionDef):
                continue
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.cloud":
                    said = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
                    said |= dict(zip(["what"], map(ast.literal_eval, call.args), strict=False))
                    found.append((CloudTest(file.name, node.name), said))
    return found


@cache
def switched_off() -> Mapping[str, list[str]]:
    """Return the conditions that are false everywhere in the local stage, each with the templates it stands in."""
    composition = Composition(ROOT / "template.yaml", overrides("local"))
    held: dict[tuple[str, str], bool] = {}
    for stack in composition.root.stacks():
        for name in stack.template.get("Conditions", {}):
            key = (name, str(stack.file.relative_to(ROOT)))
            held[key] = held.get(key, False) or stack.condition(name)
    found: dict[str, list[str]] = defaultdict(list)
    for (name, file), holds in sorted(held.items()):
        if not holds:
            found[name].append(file)
    return found


_HEAD = """\
<!-- made by `make generate` from the templates' conditions, the marks in tests/cloud and not-proven-locally.toml -->
# What the local engine does not prove

`fanout up` deploys the same templates that go to AWS. Here is what it leaves unproven nevertheless, and the test on AWS
that proves it, or why there is none.

## The tests on AWS

    sam build && sam deploy                                    # a development stack; see the README
    FANOUT_CLOUD_STACK=fanout-dev make test-cloud

They run exactly the list below, {tests} tests, with credentials as boto3 finds them (`AWS_PROFILE`, `AWS_REGION`).
Without a stack's name they refuse to run: nothing is skipped for want of an account.

**They have not been run on AWS yet.** They have been rehearsed on the local engine (`fanout up`,
`eval "$(fanout env)"`, `FANOUT_CLOUD_STACK=fanout FANOUT_CLOUD_PATIENCE=0.06 pytest -m cloud tests/cloud`), where some
pass (the demo, the runtime, the lakes' views, pausing, what FIFO does with duplicates), the one about SES's sandbox is
skipped because the engine has none, and each of the others ends at the first thing that only AWS does; what comes after
that is typed and no more.

- Whoever runs them may read the stack, publish, invoke, receive and delete dead letters, and make a role; the stack's
  `Stage` must be `dev`, and all use cases deployed.
- What a fresh account lacks is named, with commas between: `FANOUT_CLOUD_WITHOUT=database_changes/replicate_to_sql`
  without a PostgreSQL, and the subscribers that send mail while no sender is verified in SES:
  `user_registration/notify_service,order_workflow/notification,order_processing/customer_notification`.
- A run takes about half an hour, nearly all of it waiting for metrics and for Firehose. It costs requests and nothing
  that goes on: some 500 events and their invocations, one job of a state machine, a dozen queries over a few kilobytes.
  What is paid by the hour or month belongs to the stack itself: alarms, the key, the secrets.
- It cleans up the role it makes, the dead letters it provokes and the row it writes, and resumes what it pauses. Rows
  and objects under new keys stay, as after `fanout demo`; preserved documents stay locked for `AuditRetentionDays`.
"""


def page() -> str:
    """Return the whole page. Raises ValueError where a condition has no reason, or a reason no condition."""
    said, off = registry(), switched_off()
    if off.keys() ^ {each.name for each in said.conditions}:
        raise ValueError(f"conditions {sorted(off)}, reasons {sorted(each.name for each in said.conditions)}")
    parts = [
        _HEAD.format(tests=len({test for tests in said.tests.values() for test in tests})),
        "## Switched off by a condition\n\nA condition that is false in `sam deploy --config-env local` switches "
        "something off. A new one needs a reason, or a test fails.\n",
        _table(
            ("condition", "what is off locally, and why", "what proves it instead", "on AWS", "where"),
            [
                (
                    f"`{each.name}`",
                    each.off,
                    each.instead,
                    _on_aws(said, each.name, each.needless),
                    _where(off[each.name]),
                )
                for each in said.conditions
            ],
        ),
        "## Accepted and not carried out\n",
        _table(
            ("what", "here", "what proves it instead", "on AWS"),
            [
                (each.what, each.here, each.instead or "nothing here", _on_aws(said, each.what, each.needless))
                for each in said.rows
                if not each.aws
            ],
        ),
        "## Carried out otherwise\n",
        _table(
            ("what", "on AWS", "here", "test on AWS"),
            [
                (each.what, each.aws, each.here, _on_aws(said, each.what, each.needless))
                for each in said.rows
                if each.aws
            ],
        ),
    ]
    return "\n".join(parts)


def _on_aws(said: Registry, name: str, needless: str) -> str:
    tests = said.tests.get(name, [])
    return ", ".join(f"[`{test.name}`](../tests/cloud/{test.file})" for test in tests) or f"no test: {needless}"


def _where(files: list[str]) -> str:
    return ", ".join(f"`{Path(file).parent.name if 'usecases' in file else file}`" for file in files)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
