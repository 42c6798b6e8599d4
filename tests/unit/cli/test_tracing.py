"""Tracing: the outcome of every delivery, from receipts, filters, dead letters and the journal."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from fanout import identity
from fanout.testing import notification
from fanout_cli.dead_letters.dead_letter import Peek
from fanout_cli.errors import UserError
from fanout_cli.publishing.journal import Journal, Published
from fanout_cli.tracing.tracer import Trace, Tracer
from tests.unit.cli.conftest import TOPIC, Application

LEVELS = {"data": {"level": ["WARNING", "ERROR"]}}


def trace(application: Application, key: str, journal: Journal | None = None, **options: Any) -> Trace:
    return Tracer(application.client, application.topology, journal).trace(key, **options)


def outcomes(found: Trace) -> dict[str, str]:
    return {each.subscriber.split("/")[1]: each.outcome for each in found.deliveries}


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


def published(event_id: str = "e", **changes: Any) -> Published:
    values = {
        "source": "urn:example:shop",
        "type": "log.entry.v1",
        "topic": TOPIC,
        "published_at": "2026-11-22T12:00:00Z",
    }
    return Published(event_id, **{**values, **changes})


def test_each_subscriber_has_one_line_with_its_outcome_reason_and_latency(application: Application) -> None:
    application.add("application_logs/archive")
    application.add("application_logs/monitor")
    application.receipt("application_logs/archive", "e", "processed")
    application.receipt("application_logs/monitor", "e", "discarded", reason="not-mine", attempt=2)
    deliveries = [
        {"outcome": "processed", "attempts": 1, "latency_ms": 1000, "reason": None},
        {"outcome": "discarded", "attempts": 2, "latency_ms": 1000, "reason": "not-mine"},
    ]
    assert trace(application, "e").to_json() == {
        "event_id": "e",
        "type": "log.entry.v1",
        "topic": TOPIC,
        "published_at": "2026-11-22T12:00:00.000Z",
        "deliveries": [
            {"subscriber": "application_logs/archive", **deliveries[0]},
            {"subscriber": "application_logs/monitor", **deliveries[1]},
        ],
    }


def test_a_sibling_whose_filter_refuses_the_recorded_fields_is_filtered(application: Application) -> None:
    application.add("application_logs/archive")
    application.add("application_logs/monitor", policy=LEVELS)
    application.receipt("application_logs/archive", "e", "processed", fields={"level": "INFO"})
    found = trace(application, "e")
    assert outcomes(found) == {"archive": "processed", "monitor": "filtered"}
    assert found.good
    assert found.final


def test_a_sibling_whose_filter_takes_the_recorded_fields_is_pending(application: Application) -> None:
    application.add("application_logs/archive")
    application.add("application_logs/monitor", policy=LEVELS)
    application.receipt("application_logs/archive", "e", "processed", fields={"level": "ERROR"})
    found = trace(application, "e")
    assert outcomes(found) == {"archive": "processed", "monitor": "pending"}
    assert not found.good
    assert not found.final


def test_a_subscriber_whose_filter_needs_unrecorded_fields_is_unknown(application: Application) -> None:
    application.add("application_logs/archive")
    application.add("application_logs/monitor", policy={"data": {"service": ["shop"]}})
    application.receipt("application_logs/archive", "e", "processed")
    assert outcomes(trace(application, "e"))["monitor"] == "unknown"


def test_without_any_receipt_the_journal_says_pending_and_what_filters_do(
    application: Application, journal: Journal
) -> None:
    application.add("application_logs/archive")
    application.add("application_logs/monitor", policy=LEVELS)
    journal.append([published(fields={"level": "INFO"})])
    found = trace(application, "e", journal)
    assert outcomes(found) == {"archive": "pending", "monitor": "filtered"}
    assert found.type == "log.entry.v1"
    assert found.to_json()["published_at"] == "2026-11-22T12:00:00.000Z"


def test_a_function_that_was_killed_is_pending_with_its_attempts(application: Application) -> None:
    application.add("application_logs/archive")
    application.received("application_logs/archive", "e", attempt=1)
    application.received("application_logs/archive", "e", attempt=2)
    [delivery] = trace(application, "e").deliveries
    assert (delivery.outcome, delivery.attempts, delivery.latency_ms) == ("pending", 2, None)


def test_a_dead_letter_without_a_rejection_is_dead_lettered(application: Application) -> None:
    application.add("application_logs/archive")
    application.received("application_logs/archive", "e", attempt=10)
    application.dead_letter("application_logs/archive", '{"id":"e"}')
    [delivery] = trace(application, "e").deliveries
    assert (delivery.outcome, delivery.attempts) == ("dead-lettered", 10)


def test_a_retrying_receipt_counts_until_the_event_is_a_dead_letter(application: Application) -> None:
    application.add("application_logs/archive")
    application.receipt("application_logs/archive", "e", "retrying", reason="throttled")
    [delivery] = trace(application, "e").deliveries
    assert (delivery.outcome, delivery.reason) == ("retrying", "throttled")
    application.dead_letter("application_logs/archive", '{"id":"e"}')
    [delivery] = trace(application, "e").deliveries
    assert (delivery.outcome, delivery.reason) == ("dead-lettered", "throttled")


def test_a_body_with_an_id_that_is_not_an_event_is_found_among_the_dead_letters(application: Application) -> None:
    application.add("application_logs/archive")
    application.add("application_logs/monitor", policy=LEVELS)
    application.dead_letter("application_logs/archive", '{"id":"poison"}', outcome="rejected", reason="invalid-event")
    found = trace(application, "poison")
    assert outcomes(found) == {"archive": "rejected", "monitor": "filtered"}
    assert found.deliveries[0].reason == "invalid-event"
    assert found.final


def test_a_message_id_joins_the_raw_siblings_through_the_event_id(application: Application) -> None:
    application.add("application_logs/direct", raw=False, protocol="lambda")
    application.add("application_logs/raw")
    application.receipt("application_logs/direct", "e", "processed", message_id="sns-message")
    application.receipt("application_logs/raw", "e", "processed", message_id="sqs-message")
    found = trace(application, "sns-message")
    assert found.event_id == "e"
    assert outcomes(found) == {"direct": "processed", "raw": "processed"}


def test_a_message_id_of_a_body_without_an_id_finds_only_subscribers_that_receive_it(application: Application) -> None:
    application.add("application_logs/direct", raw=False, protocol="lambda")
    application.add("application_logs/raw")
    application.receipt("application_logs/direct", None, "rejected", message_id="sns-message", reason="no-id")
    found = trace(application, "sns-message")
    assert found.event_id is None
    assert outcomes(found) == {"direct": "rejected", "raw": "unknown"}


def test_the_journal_knows_the_message_ids_of_what_was_published_here(
    application: Application, journal: Journal
) -> None:
    application.add("application_logs/raw")
    application.receipt("application_logs/raw", "e", "processed")
    journal.append([published(message_id="sns-message")])
    found = trace(application, "sns-message", journal)
    assert (found.event_id, outcomes(found)) == ("e", {"raw": "processed"})


def test_a_plain_text_is_its_own_message_id(application: Application) -> None:
    application.add("application_logs/direct", raw=False, protocol="lambda")
    application.add("application_logs/envelope", raw=False)
    envelope = notification("hello")
    application.receipt("application_logs/direct", envelope["MessageId"], "processed", message_id=envelope["MessageId"])
    application.dead_letter("application_logs/envelope", json.dumps(envelope))
    assert outcomes(trace(application, envelope["MessageId"])) == {"direct": "processed", "envelope": "dead-lettered"}


def test_an_unknown_event_has_no_deliveries_and_is_not_good(application: Application) -> None:
    application.add("application_logs/archive")
    found = trace(application, "nothing")
    assert found.to_json() == {
        "event_id": "nothing",
        "type": None,
        "topic": None,
        "published_at": None,
        "deliveries": [],
    }
    assert not found.good
    assert not found.final


def test_the_tracer_names_the_use_cases_with_raw_inboxes_only(application: Application) -> None:
    application.add("application_logs/archive")
    assert Tracer(application.client, application.topology).raw_only() == ["application_logs"]
    application.add("application_logs/direct", raw=False, protocol="lambda")
    assert Tracer(application.client, application.topology).raw_only() == []


def test_two_events_of_one_id_are_told_apart_by_their_source(application: Application) -> None:
    application.add("application_logs/archive")
    application.receipt("application_logs/archive", "e", "processed")
    application.receipt("application_logs/archive", "e", "rejected", source="urn:example:office")
    with pytest.raises(UserError, match="urn:example:office, urn:example:shop") as failure:
        trace(application, "e")
    assert "--source" in failure.value.next_step
    assert outcomes(trace(application, "e", source="urn:example:office")) == {"archive": "rejected"}
    assert outcomes(trace(application, "e", source="urn:example:shop")) == {"archive": "processed"}


def test_a_queue_that_could_not_be_seen_in_full_leaves_it_unknown(
    application: Application, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    application.add("application_logs/archive")
    journal.append([published()])
    monkeypatch.setattr("fanout_cli.tracing.tracer.peek", lambda *_, **__: Peek((), complete=False))
    assert outcomes(trace(application, "e", journal)) == {"archive": "unknown"}


def test_many_events_are_traced_as_one_by_one(application: Application, journal: Journal) -> None:
    application.add("application_logs/archive")
    application.add("application_logs/monitor", policy=LEVELS)
    application.receipt("application_logs/archive", "a", "processed")
    application.receipt("application_logs/archive", "b", "rejected", reason="bad")
    application.dead_letter("application_logs/archive", '{"id":"c"}', outcome="rejected")
    journal.append([published("d", fields={"level": "ERROR"})])
    keys = ["a", "b", "c", "d", "nothing"]
    together = Tracer(application.client, application.topology, journal).trace_all(keys, None)
    assert together == [trace(application, key, journal) for key in keys]


def test_waiting_ends_as_soon_as_everything_is_final(application: Application) -> None:
    application.add("application_logs/archive")
    application.received("application_logs/archive", "e")
    traces: list[Trace] = []

    def finish_after_the_second_look(found: Trace) -> None:
        traces.append(found)
        if len(traces) == 2:
            application.receipt("application_logs/archive", "e", "processed")

    started = time.monotonic()
    tracer = Tracer(application.client, application.topology)
    found = tracer.wait("e", 60, on_trace=finish_after_the_second_look)
    assert outcomes(found) == {"archive": "processed"}
    assert len(traces) == 3
    assert time.monotonic() - started < 30


def test_waiting_ends_when_the_time_is_up(application: Application) -> None:
    application.add("application_logs/archive")
    application.received("application_logs/archive", "e")
    found = Tracer(application.client, application.topology).wait("e", 0.3)
    assert outcomes(found) == {"archive": "pending"}


def test_an_id_from_the_future_does_not_hide_its_receipts(application: Application) -> None:
    milliseconds = (int(time.time()) + 86_400 * 365) * 1000
    event_id = identity.new_id()
    future = f"{milliseconds:012x}"
    event_id = f"{future[:8]}-{future[8:]}-{event_id[14:]}"
    application.add("application_logs/archive")
    application.receipt("application_logs/archive", event_id, "processed")
    application.logs.put_log_events(
        logGroupName="receipts",
        logStreamName="all",
        logEvents=[
            {
                "timestamp": int(time.time() * 1000),
                "message": application.logs.filter_log_events(logGroupName="receipts")["events"][0]["message"],
            }
        ],
    )
    assert outcomes(trace(application, event_id)) == {"archive": "processed"}
