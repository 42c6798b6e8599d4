"""Batch subscribers: one call for the batch, and an outcome for each record."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fanout.contracts.team_events import TeamMessagePosted
from fanout.event import Event, encode
from fanout.handler import Subscriber, batch_subscriber
from fanout.outcomes import Answer, Discard, Outcome, Reject, Retry
from fanout.testing import LambdaContext, lambda_event, sns_record, sqs_record

from ..conftest import Queues

Lines = Callable[[str], list[dict[str, Any]]]
Message = Event[TeamMessagePosted]


def event(text: str = "hi", **attributes: Any) -> Message:
    return Event.new(TeamMessagePosted(text=text, author="Ada"), source="urn:test", **attributes)


def queued(queues: Queues, *events: Message) -> list[dict[str, Any]]:
    """Records of messages that are in the queue, so that their visibility can be changed."""
    return [queues.put(encode(each).decode()) for each in events]


def run(handler: Subscriber, *records: dict[str, Any], timeout: float = 30) -> list[str]:
    """Run a batch from SQS; return the message ids reported as failed."""
    response = handler(lambda_event(records), LambdaContext(timeout))
    assert response is not None
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


def outcomes(lines: Lines) -> list[tuple[str, str | None]]:
    return [(receipt["outcome"], receipt["reason"]) for receipt in lines("receipt")]


def collecting(into: list[list[Message]]) -> Subscriber:
    @batch_subscriber(TeamMessagePosted)
    def handler(events: list[Message]) -> None:
        into.append(events)

    return handler


def test_the_handler_gets_all_valid_events_at_once_and_poison_is_dead_lettered(queues: Queues, lines: Lines) -> None:
    calls: list[list[Message]] = []
    first, second = event("one"), event("two")
    records = [sqs_record(first), sqs_record("{broken"), sqs_record(second), sqs_record("hello")]
    assert run(collecting(calls), *records) == []
    assert calls == [[first, second]]
    assert [outcome for outcome, _ in outcomes(lines)] == ["processed", "rejected", "processed", "rejected"]
    assert sorted(letter["body"] for letter in queues.dead()) == ["hello", "{broken"]


def test_a_batch_of_poison_does_not_reach_the_handler(queues: Queues) -> None:
    calls: list[list[Message]] = []
    assert run(collecting(calls), sqs_record("{"), sqs_record("{}")) == []
    assert calls == []


@pytest.mark.guarantee("exactly-once-effect/copies-in-a-batch")
def test_copies_of_one_event_reach_the_handler_once(queues: Queues, lines: Lines) -> None:
    calls: list[list[Message]] = []
    twice, once = event("twice"), event("once")
    run(collecting(calls), sqs_record(twice), sqs_record(once), sqs_record(twice))
    assert calls == [[twice, once]]
    assert [outcome for outcome, _ in outcomes(lines)] == ["processed", "processed", "duplicate"]


def test_copies_of_one_event_share_its_failure(queues: Queues) -> None:
    @batch_subscriber(TeamMessagePosted)
    def handler(events: list[Message]) -> None:
        raise Retry("later")

    twice = event()
    records = [sqs_record(twice), sqs_record(twice)]
    assert run(handler, *records) == [record["messageId"] for record in records]


def test_an_exception_of_the_handler_applies_to_every_valid_event(queues: Queues, lines: Lines) -> None:
    @batch_subscriber(TeamMessagePosted)
    def handler(events: list[Message]) -> None:
        raise ConnectionError("ada@example.com")

    first, last = queued(queues, event(), event())
    assert run(handler, first, sqs_record("{"), last) == [first["messageId"], last["messageId"]]
    seen = outcomes(lines)
    assert [outcome for outcome, _ in seen] == ["retrying", "rejected", "retrying"]
    assert seen[0][1] == "ConnectionError"


def test_a_batch_handler_may_answer_each_event(queues: Queues, lines: Lines) -> None:
    answers: list[Answer] = [
        Outcome.PROCESSED,
        Outcome.DUPLICATE,
        Retry("busy", after=60),
        Reject("bad", "in itself"),
        Discard("no", "thanks"),
    ]

    @batch_subscriber(TeamMessagePosted)
    def handler(events: list[Message]) -> Sequence[Answer]:
        return answers

    records = queued(queues, *[event() for _ in answers])
    assert run(handler, *records) == [records[2]["messageId"]]
    assert outcomes(lines) == [
        ("processed", None),
        ("duplicate", None),
        ("retrying", "busy"),
        ("rejected", "bad: in itself"),
        ("discarded", "no: thanks"),
    ]


def test_a_wrong_number_of_answers_loses_no_event(queues: Queues, lines: Lines) -> None:
    @batch_subscriber(TeamMessagePosted)
    def handler(events: list[Message]) -> Sequence[Answer]:
        return [Outcome.PROCESSED]

    records = queued(queues, event(), event())
    assert run(handler, *records) == [record["messageId"] for record in records]
    assert outcomes(lines) == [("retrying", "TypeError")] * 2


@pytest.mark.guarantee("isolation/batch-split")
def test_an_event_that_fails_its_whole_batch_finally_fails_alone(queues: Queues, lines: Lines) -> None:
    @batch_subscriber(TeamMessagePosted)
    def handler(events: list[Message]) -> None:
        if any(each.data.text == "guilty" for each in events):
            raise ZeroDivisionError

    texts = ["good", "guilty", "fine"]
    for attempt, failing in [(1, texts), (2, texts), (3, ["guilty"])]:
        records = {text: sqs_record(event(text), receive_count=attempt) for text in texts}
        assert run(handler, *records.values()) == [records[text]["messageId"] for text in failing]


def test_the_final_attempt_of_a_batch_member_dead_letters_only_that_one(
    queues: Queues, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    @batch_subscriber(TeamMessagePosted)
    def handler(events: list[Message]) -> None:
        raise Retry("down")

    fresh = sqs_record(event())
    assert run(handler, sqs_record(event(), receive_count=10), fresh) == [fresh["messageId"]]
    assert [letter["outcome"] for letter in queues.dead()] == ["dead-lettered"]


@pytest.mark.guarantee("at-least-once/deadline", "isolation/slow-record")
def test_the_deadline_interrupts_a_batch_and_all_of_it_is_retried(queues: Queues, lines: Lines) -> None:
    @batch_subscriber(TeamMessagePosted)
    def handler(events: list[Message]) -> None:
        time.sleep(20)

    records = [sqs_record(event()), sqs_record("{"), sqs_record(event())]
    started = time.monotonic()
    failed = run(handler, *records, timeout=1.5)
    assert time.monotonic() - started < 1.5
    assert failed == [records[0]["messageId"], records[2]["messageId"]]
    assert [outcome for outcome, _ in outcomes(lines)] == ["retrying", "rejected", "retrying"]


def test_a_direct_delivery_is_a_batch_of_one(queues: Queues) -> None:
    calls: list[list[Message]] = []
    sent = event()
    assert collecting(calls)(lambda_event([sns_record(sent)]), LambdaContext()) is None
    assert calls == [[sent]]


def test_events_of_a_fifo_queue_are_handled_one_by_one_in_order(queues: Queues) -> None:
    calls: list[list[Message]] = []
    events = [event(str(number)) for number in range(3)]
    run(collecting(calls), *[sqs_record(each, group="g") for each in events])
    assert calls == [[each] for each in events]


WORDS = ["fine", "retry", "reject", "poison"]


@pytest.mark.guarantee("at-least-once/partial-response")
@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=12), st.integers(1, 4))
def test_of_any_batch_exactly_the_retried_records_are_reported(
    queues: Queues, lines: Lines, words: list[str], attempt: int
) -> None:
    @batch_subscriber(TeamMessagePosted)
    def handler(events: list[Message]) -> list[Answer]:
        meaning: dict[str, Answer] = {
            "fine": Outcome.PROCESSED,
            "retry": Retry(after=1),
            "reject": Reject("no", "thanks"),
        }
        return [meaning[each.data.text] for each in events]

    records = [sqs_record("{" if word == "poison" else event(word), receive_count=attempt) for word in words]
    expected = [record["messageId"] for record, word in zip(records, words, strict=True) if word == "retry"]
    assert sorted(run(handler, *records)) == sorted(expected)
    assert len(lines("receipt")) == len(words)
