"""A function killed at any point: one effect, and a correct trace."""

from pathlib import Path

import pytest

from fanout.contracts.team_events import TeamMessagePosted
from fanout.event import Event
from tests.integration.application import Application
from tests.integration.faults.crash_injection import struck, wait_for_strike
from tests.integration.test_team_events import feeds


@pytest.mark.parametrize("at", ["before PutItem", "after PutItem", "before acknowledgement"])
@pytest.mark.parametrize(
    ("subscriber", "feed"), [("team_events/team_a", "feed#team_a"), ("team_events/broadcast", "feed#everyone")]
)
def test_a_killed_function_leaves_one_effect(
    subscriber: str, feed: str, at: str, application: Application, tmp_path: Path
) -> None:
    event = Event.new(TeamMessagePosted(text=at, author="Ada"), source="urn:test")
    with struck(application, subscriber, at, tmp_path):
        application.publish("TeamEvents", [event])
        wait_for_strike(tmp_path)
        expected = {"before PutItem": "processed", "after PutItem": "duplicate"}.get(at, "processed")
        assert application.outcomes(event.id)[subscriber] == expected
        assert feeds(application, {event.id})[feed] == 1
