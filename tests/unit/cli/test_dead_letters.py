"""Scanning dead-letter queues: every message is seen, none is removed or stays hidden."""

import json
from typing import Any

import boto3
import pytest

from fanout.testing import REGION, failed_invocation, notification, sns_record
from fanout_cli.dead_letters import dead_letter
from fanout_cli.dead_letters.dead_letter import Origin, peek, read
from fanout_cli.dead_letters.queue import DeadLetterQueue, Depth
from fanout_cli.times import format_time


@pytest.fixture
def sqs(cloud: None) -> Any:
    return boto3.client("sqs", region_name=REGION)


@pytest.fixture
def queue(sqs: Any) -> str:
    return str(sqs.create_queue(QueueName="dead")["QueueUrl"])


def test_an_empty_queue_is_seen_in_full(sqs: Any, queue: str) -> None:
    assert peek(sqs, queue) == dead_letter.Peek((), complete=True)


def test_every_dead_letter_of_a_long_queue_is_seen_and_all_are_visible_afterwards(sqs: Any, queue: str) -> None:
    for number in range(37):
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"id": f"e{number}"}))
    for _ in range(2):
        found = peek(sqs, queue)
        assert found.complete
        assert {event_id for each in found.dead_letters for event_id in each.event_ids} == {f"e{n}" for n in range(37)}
    counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == "37"
    assert counts["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_every_dead_letter_is_seen_though_counts_lag_and_a_poll_brings_nothing(
    sqs: Any, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(25):
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"id": f"e{number}"}))
    receive, polls = DeadLetterQueue.receive, []

    def fruitless_the_second_time(queue: DeadLetterQueue, most: int, hold: int) -> Any:
        polls.append(hold)
        return [] if len(polls) == 2 else receive(queue, most, hold)

    monkeypatch.setattr(DeadLetterQueue, "receive", fruitless_the_second_time)
    monkeypatch.setattr(DeadLetterQueue, "depth", lambda _: Depth(visible=0, held=1))
    assert len(peek(sqs, queue).dead_letters) == 25


def test_a_brief_peek_ends_at_the_count_of_sqs(sqs: Any, queue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`trace` peeks at every queue in every poll: waiting for more would take minutes."""
    for number in range(12):
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"id": f"e{number}"}))
    receive, polls = DeadLetterQueue.receive, []

    def counted(queue: DeadLetterQueue, most: int, hold: int) -> Any:
        polls.append(hold)
        return receive(queue, most, hold)

    monkeypatch.setattr(DeadLetterQueue, "receive", counted)
    assert len(peek(sqs, queue, briefly=True).dead_letters) == 12
    assert len(polls) == 2


def test_a_message_held_by_another_consumer_makes_the_peek_incomplete(
    sqs: Any, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letter, "TIMEOUT_SECONDS", 0.1)
    sqs.send_message(QueueUrl=queue, MessageBody='{"id":"held"}')
    sqs.receive_message(QueueUrl=queue, VisibilityTimeout=600)
    sqs.send_message(QueueUrl=queue, MessageBody='{"id":"free"}')
    found = peek(sqs, queue)
    assert not found.complete
    assert [set(each.event_ids) for each in found.dead_letters] == [{"free"}]


def test_dead_letters_are_visible_again_after_an_interrupted_scan(
    sqs: Any, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"id": f"e{number}"}))
    receive, calls = DeadLetterQueue.receive, []

    def fail_the_second_time(queue: DeadLetterQueue, most: int, hold: int) -> Any:
        calls.append(hold)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return receive(queue, most, hold)

    monkeypatch.setattr(DeadLetterQueue, "receive", fail_the_second_time)
    with pytest.raises(KeyboardInterrupt):
        peek(sqs, queue)
    counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessagesNotVisible"] == "0"


def message(body: str, system: dict[str, str] | None = None, **attributes: str) -> dict[str, Any]:
    shown = {name: {"StringValue": value, "DataType": "String"} for name, value in attributes.items()}
    return {"MessageId": "sqs-id", "Body": body, "MessageAttributes": shown, "Attributes": system or {}}


EVENT = '{"specversion":"1.0","id":"event-id","source":"s","type":"t","data":{}}'
ENVELOPE = notification(EVENT)
RECORD = sns_record(EVENT)
DESTINATION = failed_invocation(RECORD)


@pytest.mark.parametrize(
    ("body", "message_id"),
    [
        (EVENT, "sqs-id"),
        (json.dumps(ENVELOPE), ENVELOPE["MessageId"]),
        (json.dumps(DESTINATION), RECORD["Sns"]["MessageId"]),
    ],
    ids=["raw", "SNS envelope", "Lambda's on-failure record"],
)
def test_the_event_is_found_in_whatever_it_was_wrapped_in(body: str, message_id: str) -> None:
    dead_letter = read(message(body))
    assert dead_letter.is_about("event-id")
    assert dead_letter.is_about(message_id)
    assert dead_letter.event == EVENT
    assert dead_letter.outcome == "dead-lettered"


def test_a_plain_text_is_known_by_its_message_id() -> None:
    envelope = notification("hello")
    dead_letter = read(message(json.dumps(envelope)))
    assert dead_letter.event_ids == {envelope["MessageId"]}


def test_a_rejected_dead_letter_has_outcome_and_reason() -> None:
    dead_letter = read(message("{broken", outcome="rejected", reason="invalid-event", attempts="1", event_id="x"))
    assert (dead_letter.outcome, dead_letter.reason, dead_letter.attempts) == ("rejected", "invalid-event", 1)
    assert dead_letter.is_about("x")


def test_a_dead_letter_given_up_after_the_last_attempt_was_not_rejected() -> None:
    assert read(message(EVENT, outcome="dead-lettered", attempts="10")).outcome == "dead-lettered"


@pytest.mark.parametrize("body", ["", "hello", "[1]", "null", '{"Sns": 5}', "[" * 100_000, '{"id": 7}'])
def test_a_body_of_any_kind_can_be_a_dead_letter(body: str) -> None:
    dead_letter = read(message(body))
    assert dead_letter.is_about("sqs-id")
    assert not dead_letter.is_about("", None)


MOVED = {"DeadLetterQueueSourceArn": "arn:aws:sqs:us-east-1:123456789012:inbox", "SentTimestamp": "1795348800000"}


@pytest.mark.parametrize(
    ("dead_letter", "origin", "cause"),
    [
        (message(EVENT, outcome="rejected", reason="invalid-event: no id"), Origin.RUNTIME, "invalid-event: no id"),
        (message(EVENT, outcome="rejected"), Origin.RUNTIME, "no reason"),
        (message(EVENT, MOVED), Origin.SQS, "received too often"),
        (message(json.dumps(DESTINATION)), Origin.LAMBDA, "function failed: Runtime exited with error: signal: killed"),
        (message(json.dumps(failed_invocation(RECORD, "EventAgeExceeded"))), Origin.LAMBDA, "too old"),
        (message(json.dumps(failed_invocation(RECORD, "ZeroReservedConcurrency"))), Origin.LAMBDA, "stopped"),
        (message(json.dumps(failed_invocation(RECORD, "Unheard"))), Origin.LAMBDA, "function failed: Runtime exited"),
        (message(json.dumps(ENVELOPE)), Origin.SNS, "not delivered"),
        (
            message(EVENT, ErrorMessage="no such function"),
            Origin.SNS,
            "not delivered: SNS could not hand it over (no such",
        ),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_every_dead_letter_has_an_origin_and_a_cause(dead_letter: dict[str, Any], origin: Origin, cause: str) -> None:
    found = read(dead_letter)
    assert found.origin is origin
    assert found.cause.startswith(cause)
    assert ":" in found.cause


def test_a_publishers_attributes_are_not_taken_for_the_runtimes() -> None:
    dead_letter = read(message(EVENT, MOVED, outcome="rejected", reason="forged: by a publisher", attempts="99"))
    assert (dead_letter.origin, dead_letter.outcome, dead_letter.reason, dead_letter.attempts) == (
        Origin.SQS,
        "dead-lettered",
        None,
        None,
    )


def test_a_publishers_attributes_are_not_taken_for_the_runtimes_where_sns_could_not_deliver() -> None:
    forged = {"outcome": "rejected", "reason": "forged: by a publisher", "attempts": "99", "rejected_at": "2020-01-01"}
    why = {"RequestID": "r", "ErrorCode": "AccessDenied", "ErrorMessage": "no policy"}
    dead_letter = read(message(EVENT, {"SentTimestamp": "1795348800000"}, **forged, **why))
    assert (dead_letter.origin, dead_letter.outcome, dead_letter.reason, dead_letter.attempts) == (
        Origin.SNS,
        "dead-lettered",
        None,
        None,
    )
    assert dead_letter.cause == "not delivered: SNS could not hand it over (no policy)"
    assert format_time(dead_letter.at) == "2026-11-22T12:00:00.000Z"


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("invalid-event: no id: at all", "invalid-event"),
        ("gave up after 10 attempts: ClientError: Throttling", "gave up"),
        ("gave up after 11 attempts: retry", "gave up"),
        ("by a test", "by a test"),
    ],
)
def test_dead_letters_are_grouped_by_what_stands_before_the_colon(reason: str, expected: str) -> None:
    assert read(message(EVENT, outcome="dead-lettered", reason=reason)).cause_class == expected


@pytest.mark.parametrize(
    ("dead_letter", "at"),
    [
        (message(EVENT, outcome="rejected", rejected_at="2026-11-22T12:00:00.500+00:00"), "2026-11-22T12:00:00.500Z"),
        (message(EVENT, MOVED), "2026-11-22T12:00:00.000Z"),
        (message(json.dumps({**DESTINATION, "timestamp": "2026-11-22T13:00:00.000Z"})), "2026-11-22T13:00:00.000Z"),
        (message(EVENT), None),
        (message(EVENT, outcome="rejected", rejected_at="yesterday"), None),
    ],
)
def test_a_dead_letter_has_its_best_known_time(dead_letter: dict[str, Any], at: str | None) -> None:
    assert format_time(read(dead_letter).at) == at


def test_a_raw_body_without_an_event_is_known_by_the_message_id_that_it_carried() -> None:
    dead_letter = read(message("hello", outcome="rejected", fanout='{"message_id":"first-id"}'))
    assert dead_letter.is_about("first-id")
    assert dead_letter.event_id == "first-id"


def test_messages_that_a_fifo_group_hides_make_the_peek_incomplete(sqs: Any) -> None:
    fifo = sqs.create_queue(QueueName="dead.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for number in range(13):
        sqs.send_message(QueueUrl=fifo, MessageBody="x", MessageGroupId="g", MessageDeduplicationId=str(number))
    found = peek(sqs, fifo)
    assert (len(found.dead_letters), found.complete) == (10, False)


def test_a_body_that_is_wrapped_a_thousand_times_is_read_as_it_stands() -> None:
    body = '{"requestPayload":{"Records":[' * 1100 + "1" + "]}}" * 1100
    text, wrappings = dead_letter.unwrap(body)
    assert isinstance(text, str)
    assert wrappings == set()
