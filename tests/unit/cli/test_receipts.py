"""Receipts: reading log lines, folding them to one outcome, and paging through CloudWatch Logs."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from fanout.testing import REGION
from fanout_cli.times import parse_time
from fanout_cli.tracing.receipts import Entry, Reader, fold, parse

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OUTCOMES = ("processed", "duplicate", "discarded", "rejected", "retrying", "dead-lettered")


def entry(outcome: str | None, second: float = 0, *, attempt: int = 1, message_id: str = "m") -> Entry:
    return Entry(
        subscriber="team_events/team_a",
        event_id="e",
        message_id=message_id,
        attempt=attempt,
        at=START + timedelta(seconds=second),
        outcome=outcome,
        reason=f"because of {outcome}",
    )


def receipt_line(**changes: Any) -> str:
    line = {
        "level": "INFO",
        "message": "receipt",
        "timestamp": "2026-11-22T12:00:01.5Z",
        "subscriber": "team_events/team_a",
        "event_id": "e",
        "source": "s",
        "type": "t",
        "message_id": "m",
        "attempt": 2,
        "outcome": "processed",
        "reason": None,
        "published_at": "2026-11-22T12:00:00Z",
        "age_ms": 1500,
        "duration_ms": 3.5,
        "fields": {"audience": []},
        "request_id": "r",
    }
    return json.dumps({**line, **changes})


def test_a_receipt_is_read_in_full() -> None:
    [read] = parse(receipt_line())
    assert (read.event_id, read.message_id, read.attempt, read.outcome) == ("e", "m", 2, "processed")
    assert read.published_at == START
    assert read.at == START + timedelta(seconds=1.5)


def test_a_received_line_gives_one_entry_per_record_without_an_outcome() -> None:
    records = [{"event_id": "a", "message_id": "1", "attempt": 1}, {"event_id": None, "message_id": "2", "attempt": 3}]
    line = {"message": "received", "timestamp": "2026-11-22T12:00:00Z", "subscriber": "x/y", "records": records}
    assert [(each.event_id, each.attempt, each.outcome) for each in parse(json.dumps(line))] == [
        ("a", 1, None),
        (None, 3, None),
    ]


@given(st.text())
def test_no_other_line_is_taken_for_a_receipt_nor_stops_the_reading(line: str) -> None:
    assert parse(line) == []


@given(
    st.dictionaries(
        st.sampled_from(
            ["timestamp", "subscriber", "event_id", "attempt", "outcome", "fields", "age_ms", "published_at"]
        ),
        st.none() | st.integers() | st.text() | st.lists(st.integers()),
    )
)
def test_a_receipt_of_another_shape_is_left_out_or_read_as_far_as_it_goes(changes: dict[str, Any]) -> None:
    assert len(parse(receipt_line(**changes))) <= 1


@pytest.mark.parametrize("text", [None, 5, "", "yesterday", "2026-13-01T00:00:00Z"])
def test_an_invalid_time_is_none(text: Any) -> None:
    assert parse_time(text) is None


@given(st.lists(st.tuples(st.sampled_from([*OUTCOMES, None]), st.integers(0, 100)), max_size=8), st.randoms())
def test_folding_does_not_depend_on_the_order_lines_are_read_in(
    lines: list[tuple[str | None, int]], random: Any
) -> None:
    # One line per second: of two in the same moment either may count as the later.
    entries = [entry(outcome, second) for outcome, second in {second: (o, second) for o, second in lines}.values()]
    shuffled = list(entries)
    random.shuffle(shuffled)
    assert fold(entries) == fold(shuffled)


@given(st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=6))
def test_an_effect_stands_whatever_came_before_or_after(outcomes: list[str]) -> None:
    folded = fold([entry(outcome, second) for second, outcome in enumerate(outcomes)])
    if "processed" in outcomes:
        assert folded.outcome == "processed"
    elif "duplicate" in outcomes:
        assert folded.outcome == "duplicate"
    else:
        assert folded.outcome == outcomes[-1]
        assert folded.reason == f"because of {outcomes[-1]}"


def test_a_redriven_dead_letter_that_went_well_is_processed() -> None:
    entries = [entry("rejected", 0), entry("processed", 60, attempt=2)]
    assert fold(entries).outcome == "processed"


def test_a_beginning_without_an_end_has_an_attempt_and_no_outcome() -> None:
    folded = fold([entry(None, 0, attempt=1), entry(None, 5, attempt=2)])
    assert (folded.outcome, folded.attempts) == (None, 2)


def test_copies_that_come_after_the_effect_do_not_count_as_attempts() -> None:
    entries = [entry(None, 0), entry("processed", 1), entry(None, 9, attempt=2), entry("duplicate", 9, attempt=2)]
    assert fold(entries).attempts == 1


def test_a_killed_direct_invocation_is_counted_although_lambda_repeats_its_number() -> None:
    entries = [entry(None, 0), entry(None, 60), entry(None, 180), entry("processed", 181)]
    assert fold(entries, direct=True).attempts == 3
    assert fold(entries, direct=False).attempts == 1


def test_no_entry_at_all_folds_to_nothing() -> None:
    folded = fold([])
    assert (folded.outcome, folded.attempts, folded.at) == (None, 0, None)


def line_event(number: int, **changes: Any) -> dict[str, Any]:
    message = receipt_line(event_id=f"e{number}")
    return {"timestamp": 1_000 + number, "message": message, "logStreamName": "s", "eventId": str(number), **changes}


@pytest.fixture
def logs(cloud: None) -> Any:
    return boto3.client("logs", region_name=REGION)


def test_every_page_is_read_empty_ones_included(logs: Any) -> None:
    with Stubber(logs) as stub:
        request = {"logGroupName": "g", "startTime": 0}
        stub.add_response("filter_log_events", {"events": [line_event(1)], "nextToken": "a"}, request)
        stub.add_response("filter_log_events", {"events": [], "nextToken": "b"}, {**request, "nextToken": "a"})
        stub.add_response("filter_log_events", {"events": [line_event(2)]}, {**request, "nextToken": "b"})
        found = Reader(lambda _: logs, ["g"]).all(None)
        stub.assert_no_pending_responses()
    assert [each.event_id for each in found] == ["e1", "e2"]


def test_a_full_page_without_a_token_is_followed_by_the_rest_and_no_line_comes_twice(logs: Any) -> None:
    full = [line_event(number) for number in range(10_000)]
    with Stubber(logs) as stub:
        stub.add_response("filter_log_events", {"events": full}, {"logGroupName": "g", "startTime": 0})
        rest = [full[-1], line_event(10_000)]
        stub.add_response("filter_log_events", {"events": rest}, {"logGroupName": "g", "startTime": 10_999})
        found = Reader(lambda _: logs, ["g"]).all(None)
        stub.assert_no_pending_responses()
    assert len(found) == 10_001


def test_a_group_in_which_nothing_was_written_yet_is_empty(logs: Any) -> None:
    with Stubber(logs) as stub:
        stub.add_client_error("filter_log_events", "ResourceNotFoundException")
        assert Reader(lambda _: logs, ["g"]).all(None) == []


@pytest.mark.parametrize(
    ("key", "pattern"),
    [
        ("0199c3a0-6f2e-7b1c-8d44-5a1f0c9e2b70", '"0199c3a0-6f2e-7b1c-8d44-5a1f0c9e2b70"'),
        ('order "42" of Zoë', '"order"'),
    ],
)
def test_logs_are_searched_for_the_key_and_only_exact_matches_kept(logs: Any, key: str, pattern: str) -> None:
    hits = [line_event(1, message=receipt_line(event_id=key)), line_event(2, message=receipt_line(event_id=f"{key}x"))]
    with Stubber(logs) as stub:
        request = {"logGroupName": "g", "startTime": int(START.timestamp() * 1000), "filterPattern": pattern}
        stub.add_response("filter_log_events", {"events": hits}, request)
        found = Reader(lambda _: logs, ["g", "g"]).about(key, START)
    assert [each.event_id for each in found] == [key]
