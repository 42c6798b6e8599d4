"""A call that hangs in the middle of a batch: the other events are handled, and handled once."""

from collections import Counter
from pathlib import Path

import pytest

from fanout.contracts.team_events import TeamMessagePosted
from fanout.event import Event
from tests.integration.application import Application
from tests.integration.faults.crash_injection import held_back, struck
from tests.integration.test_team_events import feeds
from tests.waiting import until

TEAM_A = "team_events/team_a"


def batch() -> list[Event[TeamMessagePosted]]:
    return [Event.new(TeamMessagePosted(text=f"{n}", author="Ada"), source="urn:test") for n in range(10)]


def publish_as_one_batch(application: Application, events: list[Event[TeamMessagePosted]]) -> None:
    inbox = application.subscriber(TEAM_A).inbox_url
    with held_back(application, TEAM_A):
        application.publish("TeamEvents", events)
        until(
            lambda: (
                application.client("sqs").get_queue_attributes(
                    QueueUrl=inbox, AttributeNames=["ApproximateNumberOfMessages"]
                )["Attributes"]["ApproximateNumberOfMessages"]
                == "10"
            ),
            "ten messages wait in the inbox",
        )


def test_a_hanging_call_is_interrupted_and_costs_no_other_event_an_attempt(
    application: Application, tmp_path: Path
) -> None:
    events = batch()
    with struck(application, TEAM_A, "before PutItem", tmp_path, by="hang", timeout=10):
        publish_as_one_batch(application, events)
        for event in events:
            assert application.outcomes(event.id, within=60)[TEAM_A] == "processed"
    receipts = application.receipts(TEAM_A, [event.id for event in events])
    assert Counter(receipt.outcome for receipt in receipts) == {"processed": 10, "retrying": 1}
    assert Counter(receipt.attempt for receipt in receipts if receipt.outcome == "processed") == {1: 9, 2: 1}
    assert feeds(application, {event.id for event in events})["feed#team_a"] == 10


@pytest.mark.parametrize("at", ["before PutItem", "after PutItem"])
def test_a_function_that_lambda_had_to_kill_leaves_each_effect_once(
    at: str, application: Application, tmp_path: Path
) -> None:
    events = batch()
    with struck(application, TEAM_A, at, tmp_path, by="freeze", timeout=5):
        publish_as_one_batch(application, events)
        for event in events:
            assert application.outcomes(event.id, within=60)[TEAM_A] in {"processed", "duplicate"}
    assert feeds(application, {event.id for event in events})["feed#team_a"] == 10
