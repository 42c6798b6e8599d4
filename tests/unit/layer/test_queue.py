"""Delayed events and released messages."""

from datetime import UTC, datetime

import pytest

from fanout.contracts.team_events import TeamMessagePosted
from fanout.delivery import read
from fanout.event import Event, decode
from fanout.queue import Queue, SubscriberSettings, send_delayed
from fanout.settings import load
from fanout.testing import sqs_record

from ..conftest import Queues, spy


def reminder() -> Event[TeamMessagePosted]:
    return Event.new(TeamMessagePosted(text="later", author="Ada"), source="urn:test")


def test_a_delayed_event_is_in_the_queue_and_not_yet_delivered(queues: Queues) -> None:
    send_delayed(reminder(), 60)
    assert queues.inbox_counts() == (0, 1)


def test_an_event_without_a_delay_is_delivered_as_its_first_attempt(queues: Queues) -> None:
    event = reminder()
    send_delayed(event, -1)
    [record] = queues.receive()
    delivery = read(record)
    assert (decode(delivery.notification.text).id, delivery.attempt) == (event.id, 1)


def test_a_delay_beyond_sqss_maximum_is_stored_in_the_message(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fanout.queue._MAX_DELAY", 0)
    send_delayed(reminder(), 3_600)
    [record] = queues.receive()
    not_before = read(record).redelivery.not_before
    assert not_before is not None
    assert 3_590 < (not_before - datetime.now(UTC)).total_seconds() <= 3_600


@pytest.mark.guarantee("no-silent-drop/ten-attributes")
def test_a_message_with_all_ten_attributes_can_be_released(queues: Queues) -> None:
    """SQS accepts ten, and one of them must be ours."""
    attributes = {f"name{number}": "value" for number in range(10)}
    sent = spy("sqs", "SendMessage")
    assert Queue(load(SubscriberSettings)).release(read(sqs_record(reminder(), attributes=attributes)))
    [message] = sent
    assert len(message["MessageAttributes"]) == 10
    assert "fanout" in message["MessageAttributes"]


@pytest.mark.guarantee("hostile-input/forged-attempts")
def test_a_forged_number_of_attempts_is_ignored(queues: Queues) -> None:
    """With a negative count it would be tried forever."""
    record = sqs_record(reminder(), receive_count=3, attributes={"fanout": '{"attempts":-1000000}'})
    assert read(record).attempt == 3
