"""What the command reads that others have written: log lines, dead letters, the archive, audit documents."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanout_cli.dead_letters.dead_letter import read
from fanout_cli.dead_letters.redrive import as_first_seen
from fanout_cli.log_archive import archive
from fanout_cli.tracing import receipts
from tests.adversarial import corpus

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(list(corpus.VALUES.values())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
TIMES = st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-22T12:00:00Z", "x", ""])
RECEIPT: dict[str, st.SearchStrategy[Any]] = {
    "message": st.sampled_from(["receipt", "received"]),
    "subscriber": st.just("a/b") | VALUES,
    "timestamp": TIMES | VALUES,
    "published_at": TIMES | VALUES,
    **dict.fromkeys(("event_id", "message_id", "attempt", "outcome", "reason", "age_ms", "fields", "records"), VALUES),
}


@given(line=st.fixed_dictionaries({}, optional=RECEIPT))
def test_a_log_line_of_any_kind_is_read_or_skipped(line: dict[str, Any]) -> None:
    receipts.fold(receipts.parse(json.dumps(line)))


@pytest.mark.parametrize("line", ["[" * corpus.DEEP, '{"message":"receipt","x":' + "[" * corpus.DEEP, "1" * 5_000])
def test_a_log_line_that_is_a_bomb_is_skipped(line: str) -> None:
    assert receipts.parse(line) == []


ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "outcome": st.sampled_from(["rejected", "dead-lettered", "x", ""]),
        "reason": st.text(),
        "attempts": st.sampled_from(["3", "1" * 5_000, "-1", "²", "٣", "x", ""]),
        "rejected_at": TIMES,
        "event_id": st.text(),
        "event_type": st.text(),
        "fanout": st.sampled_from(
            ['{"attempts":1}', "[" * corpus.DEEP, '{"message_id":[]}', '{"timestamp":"0001-01-01T00:00:00+14:00"}', "x"]
        ),
        "ErrorMessage": st.text(),
        "ErrorCode": st.text(),
    },
)
BODIES = st.text(max_size=50) | st.sampled_from(
    [
        "[" * corpus.DEEP,
        "1" * 5_000,
        '{"requestContext": {}, "requestPayload": null}',
        '{"requestContext": {"condition": [], "approximateInvokeCount": {}}, "requestPayload": {"Records": [1]}}',
        '{"requestContext": {}, "requestPayload": {"Records": [{"Sns": {"Message": 1}}]}, "timestamp": 5}',
        '{"requestContext": {"approximateInvokeCount": ' + "9" * 4_000 + '}, "requestPayload": {}}',
        '{"Type": "Notification", "Message": "' + "x" * 9 + '", "MessageId": "m"}',
        '{"id": [], "type": {}, "data": NaN}',
    ]
)


@given(body=BODIES, attributes=ATTRIBUTES, source=st.booleans())
def test_a_dead_letter_of_any_kind_is_read_and_can_be_redriven_or_not(
    body: str, attributes: dict[str, str], source: bool
) -> None:
    message = {
        "MessageId": "m-1",
        "Body": body,
        "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
        "Attributes": {"SentTimestamp": "1791450000123", **({"DeadLetterQueueSourceArn": "arn"} if source else {})},
    }
    dead_letter = read(message)
    assert dead_letter.cause
    as_first_seen(message, dead_letter, fifo=False)


@pytest.mark.parametrize("line", ["[" * corpus.DEEP, "1" * 5_000, '{"time":"0001-01-01T00:00:00+14:00"}', "\ud800"])
def test_a_line_of_the_archive_that_is_not_an_event_is_reported_and_skipped(line: str) -> None:
    warnings: list[str] = []
    good = {"time": "2026-11-22T12:00:00Z", "source": "s", "id": "1"}
    lines = gzip.decompress(gzip.compress(f"{line}\n{json.dumps(good)}".encode("utf-8", "surrogatepass"))).splitlines()
    found = list(archive._parse("key", lines, warnings.append))
    assert [event["id"] for _, _, event in found] == ["1"]
    assert warnings == ["key, line 1: no archived event"]
