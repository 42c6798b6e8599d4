"""A FIFO queue's messages: only attempts count, not the receives of a waiting message."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from fanout.batch import Batch
from fanout.contracts.team_events import TeamMessagePosted
from fanout.event import Event
from fanout.handler import Subscriber, subscriber
from fanout.outcomes import Retry
from fanout.testing import REGION, LambdaContext, lambda_event, sqs_record

from ..conftest import Queues, spy

Lines = Callable[[str], list[dict[str, Any]]]
MAX = 10


@pytest.fixture
def table(cloud: None, queues: Queues, monkeypatch: pytest.MonkeyPatch) -> str:
    boto3.client("dynamodb", region_name=REGION).create_table(
        TableName="attempts",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    monkeypatch.setenv("FANOUT_ATTEMPTS_TABLE", "attempts")
    return "attempts"


def event(text: str) -> Event[TeamMessagePosted]:
    return Event.new(TeamMessagePosted(text=text, author="Ada"), source="urn:test")


class Group:
    """Messages of one group of a FIFO queue, delivered together repeatedly, as SQS does."""

    def __init__(self, *texts: str) -> None:
        self.waiting = [(event(text), f"message-{number}") for number, text in enumerate(texts)]
        self.down: set[str] = set()
        self.tried: list[str] = []
        self.receives = 0

    @property
    def handler(self) -> Subscriber:
        """Fails for the texts in `down`."""

        @subscriber(TeamMessagePosted)
        def handler(event: Event[TeamMessagePosted]) -> None:
            self.tried.append(event.data.text)
            if event.data.text in self.down:
                raise Retry("down", after=0)

        return handler

    def deliver(self) -> None:
        """Deliver the remaining messages in order; those not reported as failed are deleted."""
        self.receives += 1
        records = [
            sqs_record(event, group="g", message_id=identifier, receive_count=self.receives)
            for event, identifier in self.waiting
        ]
        # moto does not know these messages; changes of visibility are not tested here.
        response = self.handler(lambda_event(records), LambdaContext())
        failed = {each["itemIdentifier"] for each in (response or {"batchItemFailures": []})["batchItemFailures"]}
        self.waiting = [(event, identifier) for event, identifier in self.waiting if identifier in failed]


@pytest.mark.guarantee("bounded-retry/waiting-in-group")
def test_a_message_that_waits_behind_another_keeps_all_its_attempts(table: str, queues: Queues, lines: Lines) -> None:
    group = Group("first", "second", "third")
    group.down = {"first"}
    for _ in range(MAX - 2):
        group.deliver()
    group.down = {"second"}
    for _ in range(MAX - 2):
        group.deliver()
    assert group.receives > MAX
    assert queues.dead() == []
    assert [event.data.text for event, _ in group.waiting] == ["second", "third"]
    group.down = set()
    group.deliver()
    assert group.waiting == []
    assert queues.dead() == []
    assert group.tried == ["first"] * (MAX - 1) + ["second"] * (MAX - 1) + ["third"]
    assert [line["outcome"] for line in lines("receipt")].count("processed") == 3


def test_a_message_that_fails_every_attempt_is_dead_lettered_and_the_next_is_handled(
    table: str, queues: Queues
) -> None:
    group = Group("first", "second")
    group.down = {"first"}
    for _ in range(MAX):
        group.deliver()
    [letter] = queues.dead()
    assert (letter["outcome"], letter["attempts"]) == ("dead-lettered", str(MAX))
    assert group.tried == ["first"] * MAX + ["second"]
    assert group.waiting == []


def test_an_event_that_succeeds_at_once_needs_no_request(table: str) -> None:
    updates, deletions = spy("dynamodb", "UpdateItem"), spy("dynamodb", "DeleteItem")
    Group("first", "second").deliver()
    assert (updates, deletions) == ([], [])


def test_a_count_is_deleted_with_its_message(table: str) -> None:
    group = Group("first", "second")
    group.down = {"first"}
    group.deliver()
    group.deliver()
    dynamodb = boto3.client("dynamodb", region_name=REGION)
    [item] = dynamodb.scan(TableName=table)["Items"]
    assert int(item["expires_at"]["N"]) > 0
    group.down = set()
    group.deliver()
    assert dynamodb.scan(TableName=table)["Items"] == []


@pytest.mark.guarantee("bounded-retry/killed-fifo-message")
def test_a_message_that_kills_its_function_each_time_is_dead_lettered_untried(
    table: str, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = Group("first")
    group.receives = 1
    with monkeypatch.context() as killed:
        killed.setattr(Batch, "_handle", _killed)
        for _ in range(MAX - 1):
            with pytest.raises(SystemExit):
                group.deliver()
    assert queues.dead() == []
    group.deliver()
    assert group.tried == []
    [letter] = queues.dead()
    assert "the function was ended each time" in letter["reason"]


def _killed(*_: Any) -> None:
    raise SystemExit


def test_without_a_reachable_table_nothing_is_dead_lettered(
    table: str, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANOUT_ATTEMPTS_TABLE", "no-such-table")
    group = Group("first")
    group.down = {"first"}
    for _ in range(MAX + 5):
        group.deliver()
    assert queues.dead() == []
    assert len(group.tried) == MAX + 5
