"""The README's table of use cases says what the templates say."""

import re
from pathlib import Path

import pytest

from fanout_wiring import Wire, Wiring

ROOT = Path(__file__).parents[2]
USE_CASES = sorted(file.parent.name for file in ROOT.glob("usecases/*/template.yaml"))
ROW = re.compile(
    r"\| \[(?P<name>\w+)\]\(usecases/(?P=name)/README\.md\) \| (?P<topic>.+?) \| (?P<subscribers>.+?) \| .+ \|"
)
# web, mobile (queues, filtered by type)
GROUP = re.compile(r"((?:\w+, )*\w+) \((direct|queue|queues|fifo)\b[^)]*\)")
ROWS = {row["name"]: row for row in ROW.finditer((ROOT / "README.md").read_text("utf-8"))}


def test_every_use_case_has_a_row_and_every_row_a_use_case() -> None:
    assert sorted(ROWS) == USE_CASES


@pytest.mark.parametrize("use_case", USE_CASES)
def test_a_row_names_the_topic_and_every_subscriber_with_its_delivery(use_case: str) -> None:
    row, found = ROWS[use_case], Wiring(ROOT, use_case).wires
    said = {
        name: kind.replace("queues", "queue")
        for names, kind in GROUP.findall(row["subscribers"])
        for name in names.split(", ")
    }
    assert said == {wire.subscriber.partition("/")[2]: delivery(wire) for wire in found}
    assert row["topic"].split("`")[1] in {wire.topic for wire in found}


def delivery(wire: Wire) -> str:
    if wire.delivery == "direct":
        return "direct"
    return "fifo" if wire.queue.endswith(".fifo") else "queue"
