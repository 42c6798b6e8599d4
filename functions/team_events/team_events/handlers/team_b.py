"""Team B's feed gets the messages that are for team B."""

from fanout import Discard, Event, Outcome, subscriber
from fanout.contracts.team_events import TeamMessagePosted
from team_events import feeds
from team_events.plain_text import from_plain_text


@subscriber(TeamMessagePosted, translate=from_plain_text)
def handler(event: Event[TeamMessagePosted]) -> Outcome:
    """Store the message, unless it is for others only."""
    if not event.data.is_for("team_b"):
        raise Discard("not-addressed", "the message is for other teams")
    return feeds.add("team_b", event)
