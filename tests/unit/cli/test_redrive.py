"""Redriving and deleting dead letters: to the same queue only, nothing lost, nothing else touched."""

import json
import time
from typing import Any

import boto3
import msgspec
import pytest

from fanout.contracts.team_events import TeamMessagePosted
from fanout.delivery import RedeliveryState, read
from fanout.event import Event, decode
from fanout.testing import REGION, failed_invocation, notification, sns_record
from fanout_cli.dead_letters import dead_letter, filters, redrive
from fanout_cli.dead_letters.filters import Filter, rate, select
from fanout_cli.dead_letters.queue import DeadLetterQueue
from fanout_cli.dead_letters.redrive import Action, Deletion, RateLimiter, Redrive, Summary, apply_action
from fanout_cli.errors import UsageError

SWIFT = RateLimiter(None)


class DeadLetters:
    """A subscriber's queue and dead-letter queue."""

    def __init__(self, suffix: str = "", **attributes: str) -> None:
        self.sqs: Any = boto3.client("sqs", region_name=REGION)
        self.url: str = self.sqs.create_queue(QueueName=f"queue{suffix}", Attributes=attributes)["QueueUrl"]
        self.dead: str = self.sqs.create_queue(QueueName=f"dead{suffix}", Attributes=attributes)["QueueUrl"]
        self.queue = DeadLetterQueue(self.sqs, self.dead)
        self.action = Redrive(self.sqs, self.queue, self.url)

    def put(self, body: str, *, group: str | None = None, **attributes: str) -> str:
        """Put a dead letter there; return its MessageId."""
        fifo = {"MessageGroupId": group, "MessageDeduplicationId": f"{group}-{body}"} if group else {}
        shown = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
        sent = self.sqs.send_message(QueueUrl=self.dead, MessageBody=body, MessageAttributes=shown, **fifo)
        return str(sent["MessageId"])

    def redrive(self, chosen: set[str] | None = None, *, action: Action | None = None) -> Summary:
        """Redrive the chosen dead letters, or all."""
        summary = Summary()
        ids = chosen if chosen is not None else {each.message_id for each in select(self.queue, Filter()).dead_letters}
        apply_action(self.queue, ids, action or self.action, summary, rate_limiter=SWIFT, on_results=lambda _: None)
        return summary

    def received(self, url: str) -> list[dict[str, Any]]:
        """Everything visible in a queue, taken out."""
        found: list[dict[str, Any]] = []
        while batch := self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"]
        ).get("Messages"):
            for each in batch:
                found.append(each)
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
        return found

    def counts(self, url: str) -> tuple[int, int]:
        """How many messages are (visible, hidden)."""
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])


@pytest.fixture
def dead_letters(cloud: None, monkeypatch: pytest.MonkeyPatch) -> DeadLetters:
    for module in (dead_letter, filters, redrive):
        monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.1, raising=True)
    return DeadLetters()


@pytest.fixture
def fifo(dead_letters: DeadLetters) -> DeadLetters:
    return DeadLetters(".fifo", FifoQueue="true")


def event(text: str = "hi") -> str:
    return msgspec.json.encode(Event.new(TeamMessagePosted(text=text, author="Ada"), source="urn:test")).decode()


def as_lambda_would(message: dict[str, Any], queue: str = "queue") -> Any:
    """A received message as the record that the runtime reads."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {
            name: {"stringValue": each.get("StringValue"), "dataType": each["DataType"]}
            for name, each in message.get("MessageAttributes", {}).items()
        },
        "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{queue}",
    }


@pytest.mark.guarantee("redrive/attempts")
def test_a_raw_dead_letter_comes_to_the_queue_as_it_was_with_attempts_that_begin_anew(
    dead_letters: DeadLetters,
) -> None:
    carried = RedeliveryState(attempts=7, message_id="as-first-published")
    body = event()
    dead_letters.put(
        body, outcome="dead-lettered", reason="gave up after 10 attempts: x", subscriber="s", attempts="10",
        event_id="e", event_type="t", rejected_at="2026-11-22T12:00:00Z", fanout=msgspec.json.encode(carried).decode(),
    )  # fmt: skip
    assert dead_letters.redrive().count("redriven") == 1
    [message] = dead_letters.received(dead_letters.url)
    delivery = read(as_lambda_would(message))
    assert delivery.body == body
    assert (delivery.attempt, delivery.notification.message_id) == (1, "as-first-published")
    assert set(message["MessageAttributes"]) == {"fanout"}
    assert dead_letters.counts(dead_letters.dead) == (0, 0)


@pytest.mark.guarantee("redrive/identity")
def test_a_dead_letter_that_sqs_moved_keeps_its_id_its_time_and_its_publishers_attributes(
    dead_letters: DeadLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = dead_letters.sqs.get_queue_attributes(QueueUrl=dead_letters.dead, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "1"})
    dead_letters.sqs.set_queue_attributes(QueueUrl=dead_letters.url, Attributes={"RedrivePolicy": policy})
    attributes = {
        "outcome": {"DataType": "String", "StringValue": "rejected"},
        "blob": {"DataType": "Binary", "BinaryValue": b"\x00"},
    }
    sent = dead_letters.sqs.send_message(QueueUrl=dead_letters.url, MessageBody="plain", MessageAttributes=attributes)
    for _ in range(2):
        dead_letters.sqs.receive_message(QueueUrl=dead_letters.url, VisibilityTimeout=0)
    [moved] = dead_letters.received(dead_letters.dead)
    # moto does not have the source queue of a moved message, nor the attributes that SQS keeps of it.
    moved["Attributes"]["DeadLetterQueueSourceArn"] = "arn:aws:sqs:us-east-1:123456789012:queue"
    entry = redrive.as_first_seen(moved, dead_letter.read(moved), fifo=False)
    assert entry is not None
    assert set(entry["MessageAttributes"]) == {"outcome", "blob", "fanout"}
    carried = msgspec.json.decode(entry["MessageAttributes"]["fanout"]["StringValue"], type=RedeliveryState)
    assert carried.message_id == moved["MessageId"] == sent["MessageId"]
    assert carried.attempts == 0
    assert carried.timestamp is not None


def test_a_notification_stays_one_and_a_failed_invocation_becomes_one(dead_letters: DeadLetters) -> None:
    envelope = notification(event("enveloped"), subject="s")
    record = sns_record(event("direct"), subject="s")
    dead_letters.put(json.dumps(envelope), outcome="rejected", reason="by a test")
    dead_letters.put(json.dumps(failed_invocation(record)))
    assert dead_letters.redrive().count("redriven") == 2
    seen = {
        delivery.notification.message_id: delivery
        for delivery in (read(as_lambda_would(each)) for each in dead_letters.received(dead_letters.url))
    }
    assert set(seen) == {envelope["MessageId"], record["Sns"]["MessageId"]}
    for delivery in seen.values():
        assert json.loads(delivery.body)["Type"] == "Notification"
        assert delivery.notification.subject == "s"
        assert delivery.attempt == 1
        assert decode(delivery.notification.text).source == "urn:test"


def test_a_failed_invocation_that_sns_did_not_make_is_skipped_and_stays(dead_letters: DeadLetters) -> None:
    dead_letters.put(json.dumps({"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": {"n": 1}}))
    summary = dead_letters.redrive()
    assert (summary.count("skipped"), summary.count("redriven")) == (1, 0)
    assert dead_letters.counts(dead_letters.dead) == (1, 0)
    assert dead_letters.counts(dead_letters.url) == (0, 0)


@pytest.mark.guarantee("redrive/later-arrivals")
def test_only_what_is_chosen_goes_and_everything_else_is_visible_again_at_once(dead_letters: DeadLetters) -> None:
    names = {dead_letters.put(event(str(number))): number for number in range(35)}
    chosen = {name for name, number in names.items() if number % 3 == 0}
    summary = dead_letters.redrive(chosen)
    assert summary.count("redriven") == len(chosen) == 12
    assert dead_letters.counts(dead_letters.url) == (12, 0)
    assert dead_letters.counts(dead_letters.dead) == (23, 0)


def test_messages_that_arrive_meanwhile_stay_so_that_poison_does_not_circulate_forever(
    dead_letters: DeadLetters,
) -> None:
    dead_letters.put(event("poison"))

    class Failing(Redrive):
        """Every dead letter is rejected again while the redrive is on."""

        def apply(self, messages: Any) -> Any:
            result = super().apply(messages)
            for each in messages:
                dead_letters.put(each["Body"], outcome="rejected", reason="again")
            return result

    summary = dead_letters.redrive(action=Failing(dead_letters.sqs, dead_letters.queue, dead_letters.url))
    assert summary.count("redriven") == 1
    assert dead_letters.counts(dead_letters.dead) == (1, 0)


class Interrupted(BaseException):
    """A crash."""


@pytest.mark.guarantee("redrive/deleted-after-sent")
@pytest.mark.parametrize("point", ["SendMessageBatch", "DeleteMessageBatch"])
@pytest.mark.parametrize("moment", ["before-call", "after-call"])
def test_a_crash_at_any_point_leaves_every_dead_letter_in_one_of_the_queues(
    dead_letters: DeadLetters, point: str, moment: str
) -> None:
    bodies = {event(str(number)) for number in range(25)}
    for body in bodies:
        dead_letters.put(body)
    calls: list[int] = []

    def crash(**_: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise Interrupted

    dead_letters.sqs.meta.events.register(f"{moment}.sqs.{point}", crash)
    with pytest.raises(Interrupted):
        dead_letters.redrive()
    assert len(calls) == 2
    dead_letters.sqs.meta.events.unregister(f"{moment}.sqs.{point}", crash)
    sent = [each["Body"] for each in dead_letters.received(dead_letters.url)]
    still = [each["Body"] for each in dead_letters.received(dead_letters.dead)]
    assert set(sent) | set(still) == bodies
    assert len(sent) + len(still) <= len(bodies) + 10, "duplicates of one request at most"


@pytest.mark.guarantee("redrive/deleted-once-confirmed")
def test_what_sqs_does_not_take_stays_and_is_named(dead_letters: DeadLetters) -> None:
    good, bad = dead_letters.put(event("good")), dead_letters.put(event("bad"))

    def refuse(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Failed"] = [
            {"Id": each["Id"], "Code": "InternalError", "Message": "later", "SenderFault": False}
            for each in parsed["Successful"]
            if each["Id"] == bad
        ]
        parsed["Successful"] = [each for each in parsed["Successful"] if each["Id"] != bad]

    dead_letters.sqs.meta.events.register("after-call.sqs.SendMessageBatch", refuse)
    summary = dead_letters.redrive()
    dead_letters.sqs.meta.events.unregister("after-call.sqs.SendMessageBatch", refuse)
    outcomes = {each.dead_letter.message_id: (each.outcome, each.detail) for each in summary.results}
    assert outcomes == {good: ("redriven", None), bad: ("failed", "InternalError: later")}
    assert [each["MessageId"] for each in dead_letters.received(dead_letters.dead)] == [bad]


def test_a_message_that_cannot_be_deleted_after_it_was_sent_is_reported(dead_letters: DeadLetters) -> None:
    dead_letters.put(event())

    def refuse(parsed: dict[str, Any], **_: Any) -> None:
        parsed["Failed"] = [{"Id": each["Id"], "Code": "x", "SenderFault": False} for each in parsed["Successful"]]

    dead_letters.sqs.meta.events.register("after-call.sqs.DeleteMessageBatch", refuse)
    [results] = dead_letters.redrive().results
    dead_letters.sqs.meta.events.unregister("after-call.sqs.DeleteMessageBatch", refuse)
    assert results.outcome == "redriven"
    assert "duplicate" in str(results.detail)


def test_dead_letters_held_by_another_consumer_are_missing_and_not_touched(dead_letters: DeadLetters) -> None:
    held, free = dead_letters.put(event("held")), dead_letters.put(event("free"))
    dead_letters.sqs.receive_message(QueueUrl=dead_letters.dead, VisibilityTimeout=600)
    summary = dead_letters.redrive({held, free})
    assert (summary.count("redriven"), summary.missing) == (1, 1)
    assert dead_letters.counts(dead_letters.dead) == (0, 1)


def test_large_dead_letters_travel_in_requests_of_their_own(dead_letters: DeadLetters) -> None:
    sizes: list[int] = []
    dead_letters.sqs.meta.events.register(
        "before-parameter-build.sqs.SendMessageBatch",
        lambda params, **_: sizes.append(sum(len(each["MessageBody"]) for each in params["Entries"])),
    )
    for number in range(5):
        dead_letters.put(event(f"{number}" + "x" * 120_000))
    assert dead_letters.redrive().count("redriven") == 5
    assert max(sizes) <= 256 * 1024
    assert sum(sizes) > 5 * 120_000


def test_a_message_of_a_standard_queue_keeps_the_group_by_which_the_queue_is_fair(dead_letters: DeadLetters) -> None:
    dead_letters.sqs.send_message(QueueUrl=dead_letters.dead, MessageBody=event(), MessageGroupId="tenant-1")
    assert dead_letters.redrive().count("redriven") == 1
    [message] = dead_letters.received(dead_letters.url)
    assert message["Attributes"]["MessageGroupId"] == "tenant-1"


@pytest.mark.guarantee("redrive/fifo-deduplication")
def test_a_fifo_group_keeps_its_order_and_no_deduplication_drops_it(fifo: DeadLetters) -> None:
    first = [f"{group}{number}" for number in range(12) for group in "ab"]
    for body in first:
        fifo.sqs.send_message(
            QueueUrl=fifo.url, MessageBody=body, MessageGroupId=body[0], MessageDeduplicationId=f"{body[0]}-{body}"
        )
    fifo.received(fifo.url)  # SQS remembers their deduplication ids for five minutes
    for body in first:
        fifo.put(body, group=body[0])
    redriven: set[str] = set()
    while fresh := {each.message_id for each in select(fifo.queue, Filter()).dead_letters} - redriven:
        fifo.redrive(fresh)
        redriven |= fresh
    messages = fifo.received(fifo.url)
    arrived = [(each["Attributes"]["MessageGroupId"], each["Body"]) for each in messages]
    # moto forgets what was deleted, SQS does not.
    assert not {each["Attributes"]["MessageDeduplicationId"] for each in messages} & {
        f"{each[0]}-{each}" for each in first
    }
    for group in "ab":
        assert [body for name, body in arrived if name == group] == [f"{group}{number}" for number in range(12)]
    assert fifo.counts(fifo.dead) == (0, 0)


def test_a_fifo_dead_letter_sent_twice_by_a_crash_is_dropped_and_one_dead_lettered_again_is_not(
    fifo: DeadLetters,
) -> None:
    name = fifo.put("a1", group="a")
    found = fifo.sqs.receive_message(QueueUrl=fifo.dead, AttributeNames=["All"], VisibilityTimeout=0)["Messages"]
    fifo.action.apply(found)  # its delete comes too late to count: the handle is an old one below
    [message] = fifo.received(fifo.url)
    assert message["Attributes"]["MessageDeduplicationId"] == f"redrive-{name}"
    again = fifo.sqs.send_message(QueueUrl=fifo.dead, MessageBody="a1", MessageGroupId="a", MessageDeduplicationId="x")
    fifo.redrive({again["MessageId"]})
    assert [each["Body"] for each in fifo.received(fifo.url)] == ["a1"]


@pytest.mark.guarantee("order-per-group/redrive-keeps-order")
def test_after_a_failure_the_rest_of_its_group_waits_and_other_groups_go_on(fifo: DeadLetters) -> None:
    names = {body: fifo.put(body, group=body[0]) for body in ("a1", "b1", "a2", "b2")}

    def refuse(parsed: dict[str, Any], **_: Any) -> None:
        if [each["Id"] for each in parsed["Successful"]] == [names["a1"]]:
            parsed["Successful"] = []
            parsed["Failed"] = [{"Id": names["a1"], "Code": "InternalError", "SenderFault": False}]

    fifo.sqs.meta.events.register("after-call.sqs.SendMessageBatch", refuse)
    try:
        summary = fifo.redrive()
    finally:
        fifo.sqs.meta.events.unregister("after-call.sqs.SendMessageBatch", refuse)
    outcomes = {each.dead_letter.message_id: each.outcome for each in summary.results}
    assert outcomes == {names["a1"]: "failed", names["a2"]: "skipped", names["b1"]: "redriven", names["b2"]: "redriven"}
    assert {each["Body"] for each in fifo.received(fifo.dead)} == {"a1", "a2"}


def test_dead_letters_whose_hold_expires_before_all_are_seen_are_reported(
    dead_letters: DeadLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(25):
        dead_letters.put(event(str(number)))
    receive = DeadLetterQueue.receive
    monkeypatch.setattr(DeadLetterQueue, "receive", lambda queue, most, _hold: receive(queue, most, 0))
    found = select(dead_letters.queue, Filter())
    assert found.seen + found.unseen.visible == 25
    assert found.unseen.visible > 0


def test_deleting_takes_the_chosen_dead_letters_and_no_others(dead_letters: DeadLetters) -> None:
    gone = {dead_letters.put(event("x")) for _ in range(12)}
    stay = {dead_letters.put(event("y")) for _ in range(3)}
    assert dead_letters.redrive(gone, action=Deletion(dead_letters.queue)).count("deleted") == 12
    assert dead_letters.counts(dead_letters.url) == (0, 0)
    assert {each["MessageId"] for each in dead_letters.received(dead_letters.dead)} == stay


def test_dead_letters_pass_no_faster_than_the_rate(dead_letters: DeadLetters) -> None:
    ids = {dead_letters.put(event(str(number))) for number in range(9)}
    summary, started = Summary(), time.monotonic()
    times: list[tuple[float, int]] = []
    apply_action(
        dead_letters.queue, ids, dead_letters.action, summary, rate_limiter=RateLimiter(20),
        on_results=lambda results: times.append((time.monotonic() - started, len(results))),
    )  # fmt: skip
    assert summary.count("redriven") == 9
    passed = 0
    for at, number in times:
        passed += number
        assert passed <= 1 + at * 20


@pytest.mark.parametrize(
    ("text", "expected"), [("50/s", 50), ("50", 50), ("30/m", 0.5), ("1800/h", 0.5), ("0.5/s", 0.5)]
)
def test_a_rate_is_per_second_minute_or_hour(text: str, expected: float) -> None:
    assert rate(text) == expected


@pytest.mark.parametrize("text", ["", "0", "0/s", "-1/s", "fast", "1/d", "1/s/s", "nan", "1e3"])
def test_an_invalid_rate_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--rate"):
        rate(text)
