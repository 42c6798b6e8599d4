"""A FIFO queue's messages: only attempts count, however often a message is received while it waits."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from fanout.contracts.team_events import TeamMessagePosted
from fanout.event import Event
from fanout.failures import Retry
from fanout.subscriber import Subscriber, subscriber
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
    """Messages of one group of a FIFO queue, delivered together again and again as SQS does."""

    def __init__(self, *texts: str) -> None:
        self.waiting = [(event(text), f"message-{number}") for number, text in enumerate(texts)]
        self.down: set[str] = set()
        self.tried: list[str] = []
        self.receives = 0

    @property
    def handler(self) -> Subscriber:
        """Fails for the texts that are down."""

        @subscriber(TeamMessagePosted)
        def handler(event: Event[TeamMessagePosted]) -> None:
            self.tried.append(event.data.text)
            if event.data.text in self.down:
                raise Retry("down", after=0)

        return handler

    def deliver(self) -> None:
        """Deliver what is left, in order; what is not reported as failed is gone."""
        self.receives += 1
        records = [
            sqs_record(event, group="g", message_id=identifier, receive_count=self.receives)
            for event, identifier in self.waiting
        ]
        # The message that is hidden is none of moto's: what is done about it is not what is tested here.
        response = self.handler(lambda_event(records), LambdaContext())
        failed = {each["itemIdentifier"] for each in (response or {"batchItemFailures": []})["batchItemFailures"]}
        self.waiting = [(event, identifier) for event, identifier in self.waiting if identifier in failed]


@pytest.mark.guarantee("bounded-retry/waiting-in-group")
def test_who_waits_for_another_is_not_counted_and_has_all_its_attempts(
    table: str, queues: Queues, lines: Lines
) -> None:
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


def test_who_fails_at_every_attempt_is_given_up_and_the_next_has_its_turn(table: str, queues: Queues) -> None:
    group = Group("first", "second")
    group.down = {"first"}
    for _ in range(MAX):
        group.deliver()
    [letter] = queues.dead()
    assert (letter["outcome"], letter["attempts"]) == ("dead-lettered", str(MAX))
    assert group.tried == ["first"] * MAX + ["second"]
    assert group.waiting == []


def test_an_event_that_goes_well_at_once_costs_no_request(table: str) -> None:
    updates, deletions = spy("dynamodb", "UpdateItem"), spy("dynamodb", "DeleteItem")
    Group("first", "second").deliver()
    assert (updates, deletions) == ([], [])


def test_no_count_outlives_its_message(table: str) -> None:
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
def test_a_message_that_ends_its_function_each_time_is_given_up_untried(
    table: str, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = Group("first")
    group.receives = 1
    with monkeypatch.context() as killed:
        killed.setattr(Subscriber, "handle", _killed)
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


def test_without_a_table_that_answers_nothing_is_given_up(
    table: str, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANOUT_ATTEMPTS_TABLE", "no-such-table")
    group = Group("first")
    group.down = {"first"}
    for _ in range(MAX + 5):
        group.deliver()
    assert queues.dead() == []
    assert len(group.tried) == MAX + 5
