"""The engine stopped and started again: what waited is handled, what was done stays done."""

from fanout.contracts.team_events import TeamMessagePosted
from fanout.event import Event
from tests.integration.application import Application
from tests.integration.faults.crash_injection import held_back
from tests.integration.test_team_events import EVERYONE, feeds
from tests.waiting import until

TEAM_A = "team_events/team_a"


def test_a_clean_restart_loses_nothing_and_repeats_nothing(application: Application) -> None:
    done, waiting = (Event.new(TeamMessagePosted(text=text, author="Ada"), source="urn:test") for text in ("a", "b"))
    application.publish("TeamEvents", [done])
    assert application.outcomes(done.id) == dict.fromkeys(EVERYONE, "processed")
    with held_back(application, TEAM_A):
        application.publish("TeamEvents", [waiting])
        until(
            lambda: application.outcomes(waiting.id, within=0).get("team_events/team_b") == "processed",
            "team_b is done",
        )
        assert application.outcomes(waiting.id, within=0)[TEAM_A] == "pending"
        application.fanout("down")
        application.fanout("up")
    assert application.outcomes(waiting.id) == dict.fromkeys(EVERYONE, "processed")
    assert application.outcomes(done.id) == dict.fromkeys(EVERYONE, "processed")
    assert feeds(application, {done.id, waiting.id}) == {"feed#team_a": 2, "feed#team_b": 2, "feed#everyone": 2}
