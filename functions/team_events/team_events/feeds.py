"""Feeds: the messages for each audience, newest last. Every subscriber of team_events writes to one feed."""

from functools import cache

from fanout import Event, Outcome, Reject, put_once
from fanout.contracts.team_events import TeamMessagePosted
from team_events.settings import load

# A message retrieved by claim check may exceed the 400 KB limit of a DynamoDB item.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
_LONGEST_TEXT = 390_000


@cache
def _table() -> str:
    return load().feed_table


def add(feed: str, event: Event[TeamMessagePosted]) -> Outcome:
    """Store the message in a feed ("team_a", "team_b", "everyone"), once per event.

    The sort key starts with the event's time, so that a feed is in order, and ends with its identity. Raises Reject
    for a text that exceeds an item's size.
    """
    if len(event.data.text.encode()) > _LONGEST_TEXT:
        raise Reject("too-large", f"a feed takes texts of up to {_LONGEST_TEXT} bytes")
    posted_at = event.occurred_at.isoformat(timespec="milliseconds")
    return put_once(
        _table(),
        {
            "pk": f"feed#{feed}",
            "sk": f"{posted_at}#{event.identity}",
            "event_id": event.id,
            "text": event.data.text,
            "author": event.data.author,
            "posted_at": posted_at,
        },
    )
