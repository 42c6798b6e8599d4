"""The clock that a subscriber sets itself."""

from datetime import UTC, datetime

import pytest

from fanout.contracts.team_events import TeamMessagePosted
from fanout.delivery import read
from fanout.event import Event, decode
from fanout.inbox import send_later

from ..conftest import Queues


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
