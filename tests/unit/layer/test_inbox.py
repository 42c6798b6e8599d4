"""The clock that a subscriber sets itself."""

from datetime import UTC, datetime

import pytest

from fanout.contracts.team_events import TeamMessagePosted
from fanout.delivery import read
from fanout.event import Event, decode
from fanout.inbox import Inbox, InboxSettings, send_later
from fanout.settings import load
from fanout.testing import sqs_record

from ..conftest import Queues, spy


def reminder() -> Event[TeamMessagePosted]:
    return Event.new(TeamMessagePosted(text="later", author="Ada"), source="urn:test")


def test_what_is_sent_for_later_is_in_the_inbox_and_does_not_come_yet(queues: Queues) -> None:
    send_later(reminder(), 60)
    assert queues.inbox_counts() == (0, 1)


def test_what_is_sent_for_now_comes_as_its_first_attempt(queues: Queues) -> None:
    event = reminder()
    send_later(event, -1)
    [record] = queues.receive()
    delivery = read(record)
    assert (decode(delivery.notification.text).id, delivery.attempt) == (event.id, 1)


def test_a_wait_that_sqs_cannot_make_is_carried_with_the_message(
    queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fanout.inbox._MAX_DELAY", 0)
    send_later(reminder(), 3_600)
    [record] = queues.receive()
    not_before = read(record).carried.not_before
    assert not_before is not None
    assert 3_590 < (not_before - datetime.now(UTC)).total_seconds() <= 3_600


@pytest.mark.guarantee("no-silent-drop/ten-attributes")
def test_a_message_with_all_ten_attributes_can_be_handed_back(queues: Queues) -> None:
    """SQS takes ten, and one of them must be ours."""
    attributes = {f"name{number}": "value" for number in range(10)}
    sent = spy("sqs", "SendMessage")
    assert Inbox(load(InboxSettings)).hand_back(read(sqs_record(reminder(), attributes=attributes)))
    [message] = sent
    assert len(message["MessageAttributes"]) == 10
    assert "fanout" in message["MessageAttributes"]


@pytest.mark.guarantee("hostile-input/forged-attempts")
def test_a_forged_number_of_attempts_is_not_believed(queues: Queues) -> None:
    """With attempts to spare it would be tried for ever."""
    record = sqs_record(reminder(), receive_count=3, attributes={"fanout": '{"attempts":-1000000}'})
    assert read(record).attempt == 3
