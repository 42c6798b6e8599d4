"""Looking into dead-letter queues: everything is seen, nothing is taken or stays hidden."""

import json
from typing import Any

import boto3
import pytest

from fanout.testing import REGION, notification, sns_record
from fanout_cli import dead_letters
from fanout_cli.dead_letters import look, read


@pytest.fixture
def sqs(cloud: None) -> Any:
    return boto3.client("sqs", region_name=REGION)


@pytest.fixture
def queue(sqs: Any) -> str:
    return str(sqs.create_queue(QueueName="dead")["QueueUrl"])


def test_an_empty_queue_is_seen_in_full(sqs: Any, queue: str) -> None:
    assert look(sqs, queue) == dead_letters.Look((), complete=True)


def test_every_letter_of_a_long_queue_is_seen_and_all_are_visible_afterwards(sqs: Any, queue: str) -> None:
    for number in range(37):
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"id": f"e{number}"}))
    for _ in range(2):
        found = look(sqs, queue)
        assert found.complete
        assert {event_id for each in found.letters for event_id in each.event_ids} == {f"e{n}" for n in range(37)}
    counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == "37"
    assert counts["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_what_somebody_else_holds_makes_the_look_incomplete(
    sqs: Any, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "_PATIENCE_SECONDS", 0.1)
    sqs.send_message(QueueUrl=queue, MessageBody='{"id":"held"}')
    sqs.receive_message(QueueUrl=queue, VisibilityTimeout=600)
    sqs.send_message(QueueUrl=queue, MessageBody='{"id":"free"}')
    found = look(sqs, queue)
    assert not found.complete
    assert [set(each.event_ids) for each in found.letters] == [{"free"}]


def test_letters_are_visible_again_even_if_the_look_breaks_off(
    sqs: Any, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"id": f"e{number}"}))
    receive, calls = dead_letters._receive, []

    def fail_the_second_time(client: Any, url: str) -> Any:
        calls.append(url)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return receive(client, url)

    monkeypatch.setattr(dead_letters, "_receive", fail_the_second_time)
    with pytest.raises(KeyboardInterrupt):
        look(sqs, queue)
    counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessagesNotVisible"] == "0"


def message(body: str, **attributes: str) -> dict[str, Any]:
    shown = {name: {"StringValue": value, "DataType": "String"} for name, value in attributes.items()}
    return {"MessageId": "sqs-id", "Body": body, "MessageAttributes": shown}


EVENT = '{"specversion":"1.0","id":"event-id","source":"s","type":"t","data":{}}'
ENVELOPE = notification(EVENT)
RECORD = sns_record(EVENT)
DESTINATION = {
    "version": "1.0",
    "requestContext": {"condition": "RetriesExhausted"},
    "requestPayload": {"Records": [RECORD]},
}


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
    letter = read(message(body))
    assert letter.is_about("event-id")
    assert letter.is_about(message_id)
    assert letter.event == EVENT
    assert letter.outcome == "dead-lettered"


def test_a_plain_text_is_known_by_its_message_id() -> None:
    envelope = notification("hello")
    letter = read(message(json.dumps(envelope)))
    assert letter.event_ids == {envelope["MessageId"]}


def test_a_rejected_letter_says_so_and_why() -> None:
    letter = read(message("{broken", outcome="rejected", reason="invalid-event", attempts="1", event_id="x"))
    assert (letter.outcome, letter.reason, letter.attempts) == ("rejected", "invalid-event", 1)
    assert letter.is_about("x")


def test_a_letter_given_up_after_the_last_attempt_was_not_rejected() -> None:
    assert read(message(EVENT, outcome="dead-lettered", attempts="10")).outcome == "dead-lettered"


@pytest.mark.parametrize("body", ["", "hello", "[1]", "null", '{"Sns": 5}', "[" * 100_000, '{"id": 7}'])
def test_a_body_of_any_kind_can_be_a_dead_letter(body: str) -> None:
    letter = read(message(body))
    assert letter.is_about("sqs-id")
    assert not letter.is_about("", None)
