"""Write docs/not-proven-locally.md: python -m tests.mutation.unproven. A test compares page and sources.

Sources: docs/not-proven-locally.toml has one row per thing that only an AWS account can show, with its risk. A test in
tests/cloud names the rows it proves: `@pytest.mark.cloud("row's id")`, once per row. A row has a test or `no_test`, the
reason why it has none. The id of a row about a template's condition is the condition's name, and each condition that is
false in `sam deploy --config-env local` has such a row.
"""

import ast
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from fanout_wiring import Composition
from tests.template.application import ROOT, overrides

CLOUD = ROOT / "tests" / "cloud"
ROWS = ROOT / "docs" / "not-proven-locally.toml"
PAGE = ROWS.with_suffix(".md")

# What is at stake if AWS behaves differently, the worst first.
IMPACTS = {
    "deployment": "the application, or one use case, does not deploy or update",
    "events": "events or data are lost, handled twice, or open to others",
    "feature": "something does not work; its events wait or become dead letters",
    "operation": "alarms, traces or commands are missing or wrong",
    "speed": "it is slower or costs more",
}
_LIKELIHOODS = {"probable": 3, "possible": 2, "unlikely": 1}


class CloudTest(msgspec.Struct, frozen=True):
    """A test in tests/cloud."""

    file: str
    name: str


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A behaviour that the local engine lacks or that has not been observed on AWS yet."""

    id: str
    what: str
    here: str
    impact: Literal["deployment", "events", "feature", "operation", "speed"]
    likelihood: Literal["probable", "possible", "unlikely"]
    wrong: str
    """What fails if AWS behaves differently than assumed, and why that is as likely as said."""
    aws: str = ""
    """How AWS does it, where that is known."""
    instead: str = ""
    """What proves it without AWS."""
    no_test: str = ""
    """Why there is no test on AWS."""

    @property
    def risk(self) -> int:
        """Impact (5 to 1) times likelihood (3 to 1)."""
        return (len(IMPACTS) - list(IMPACTS).index(self.impact)) * _LIKELIHOODS[self.likelihood]


def rows() -> list[Row]:
    """Return the rows, most risky first; rows of equal risk in the file's order.

    Raises ValueError where rows, marks and conditions contradict each other.
    """
    found = msgspec.convert(tomllib.loads(ROWS.read_text("utf-8"))["row"], list[Row])
    ids = [row.id for row in found]
    if len(ids) != len(set(ids)):
        raise ValueError(f"an id is there twice: {sorted({each for each in ids if ids.count(each) > 1})}")
    if unknown := marks().keys() - set(ids):
        raise ValueError(f"tests name rows that do not exist: {sorted(unknown)}")
    for row in found:
        if bool(row.no_test) == (row.id in marks()):
            raise ValueError(f"{row.id}: either a test in tests/cloud, or `no_test` says why there is none")
    if switched_off().keys() ^ {each for each in ids if each[0].isupper()}:
        raise ValueError(
            f"conditions {sorted(switched_off())}, rows {sorted(each for each in ids if each[0].isupper())}"
        )
    return sorted(found, key=lambda row: -row.risk)


@cache
def marks() -> Mapping[str, list[CloudTest]]:
    """Return the tests of each row, as the source of tests/cloud has them: no test is imported for it."""
    found: dict[str, list[CloudTest]] = defaultdict(list)
    for file in sorted(CLOUD.glob("test_*.py")):
        for node in ast.parse(file.read_text("utf-8")).body:
            if not isinstance(node, ast.FunctionDef):
                continue
            for call in node.decorator_list:
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.cloud":
                    [row] = call.args
                    found[ast.literal_eval(row)].append(CloudTest(file.name, node.name))
    return dict(found)


@cache
def switched_off() -> Mapping[str, list[str]]:
    """Return the conditions that are false everywhere in the local stage, each with its templates."""
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
<!-- made by `make generate` from not-proven-locally.toml, the marks in tests/cloud and the templates' conditions -->
# What the local engine does not prove

`fanout up` deploys the same templates that go to AWS. This page lists what only an AWS account can show, **most risky
first**, with the test on AWS that proves it, or the reason why there is none. **The application has not run on AWS
yet.**

The risk is impact times likelihood. Impact: {impacts}. Likelihood: probable (3), possible (2), unlikely (1). What is
documented by AWS and tried here is unlikely to be wrong; what no source confirms is possible; what reviews or reports
say will happen is probable.
"""

_TESTS = """\
## The tests on AWS

    make first-deployment ACCOUNT=123456789012                 # see first-deployment.md
    FANOUT_CLOUD_STACK=fanout-dev make test-cloud

They are exactly the {tests} tests named above, and use the credentials that boto3 finds (`AWS_PROFILE`,
`AWS_REGION`). Without a stack's name they refuse to run: no test is skipped for lack of an account.

They have not been run on AWS. They have been rehearsed on the local engine (`fanout up`, `eval "$(fanout env)"`,
`FANOUT_CLOUD_STACK=fanout FANOUT_CLOUD_PATIENCE=0.06 pytest -m cloud tests/cloud`). There some pass (the demo, the
runtime, the lakes' views, pausing, duplicates in FIFO topics, the small
stacks), the one about SES's sandbox is skipped because the
engine has none, and each of the others stops at the first thing that only AWS does; what comes after that is
type-checked only.

- The caller may read the stack, publish, invoke, receive and delete dead letters, create a role, and create and
  delete two small stacks; the stack's `Stage` must be `dev`, with all use cases deployed.
- Name what a fresh account lacks, separated by commas: `FANOUT_CLOUD_WITHOUT=database_changes/replicate_to_sql`
  without a PostgreSQL, and the subscribers that send mail while no sender is verified in SES:
  `user_registration/notify_service,order_workflow/notification,order_processing/customer_notification`.
- A run takes about 40 minutes, nearly all of it waiting for metrics and for Firehose. It costs requests only: some
  500 events and their invocations, one job of a state machine, a dozen queries over a few kilobytes. What is paid by
  the hour or month belongs to the stack itself: alarms, the key, the secrets.
- It removes the role and the small stacks it creates, the dead letters it causes and the row it writes, and resumes
  what it pauses. Rows and objects under new keys stay, as after `fanout demo`; preserved documents stay locked for
  `AuditRetentionDays`.
"""
_COLUMNS = ("risk", "what", "on AWS, and here", "if it is wrong", "what proves it here instead", "test on AWS")


def page() -> str:
    """Return the whole page. Raises ValueError as `rows` does."""
    impacts = "; ".join(
        f"{name} ({len(IMPACTS) - place}): {text}" for place, (name, text) in enumerate(IMPACTS.items())
    )
    listed = rows()
    tests = {test for each in marks().values() for test in each}
    return "\n".join(
        [
            _HEAD.format(impacts=impacts),
            "## High risk\n",
            _table([row for row in listed if row.risk >= 8]),
            "## Medium risk\n",
            _table([row for row in listed if 4 <= row.risk < 8]),
            "## Low risk\n",
            _table([row for row in listed if row.risk < 4]),
            _TESTS.format(tests=len(tests)),
        ]
    )


def _table(listed: Sequence[Row]) -> str:
    lines = [_COLUMNS, tuple("---" for _ in _COLUMNS), *map(_cells, listed)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    tests = ", ".join(f"[`{test.name}`](../tests/cloud/{test.file})" for test in marks().get(row.id, []))
    return (
        f"{row.risk}: {row.impact}, {row.likelihood}",
        row.what + _condition(row.id),
        f"AWS: {row.aws}. Here: {row.here}" if row.aws else f"Here: {row.here}",
        row.wrong,
        row.instead or "nothing here",
        tests or f"no test: {row.no_test}",
    )


def _condition(name: str) -> str:
    files = [f"`{Path(file).parent.name if 'usecases' in file else file}`" for file in switched_off().get(name, [])]
    return f" (condition `{name}` in {', '.join(files)})" if files else ""


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
