"""Everyone's feed gets every message, at once: SNS invokes this function directly."""

from fanout import Event, Outcome, subscriber
from fanout.contracts.team_events import TeamMessagePosted
from team_events import feeds
from team_events.plain_text import from_plain_text


@subscriber(TeamMessagePosted, translate=from_plain_text)
def handler(event: Event[TeamMessagePosted]) -> Outcome:
    """Store the message."""
    return feeds.add("everyone", event)
