"""Times of interactions, as their producers' clocks give them."""

from datetime import UTC, datetime, timedelta

from fanout import Reject
from fanout.contracts.user_interactions import PostCommented, PostLiked, PostShared, PostUnliked

Interaction = PostLiked | PostUnliked | PostShared | PostCommented

# How far a producer's clock may be ahead of ours.
_SKEW = timedelta(minutes=5)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def time_of(interaction: Interaction) -> datetime:
    """Return when the interaction happened, in UTC.

    Raises Reject for a time in the future: the latest interaction wins, so such a like could not be undone until then.
    Also for a time before 1970, which is a producer's error.
    """
    time = interaction.occurred_at
    if time > datetime.now(UTC) + _SKEW:
        raise Reject("from-the-future", "occurred_at is yet to come; redrive it when it has, or correct the clock")
    if time < _EARLIEST:
        raise Reject("before-1970", "occurred_at is no time that a clock shows")
    return time.astimezone(UTC)


def to_text(time: datetime) -> str:
    """Return the time as text of fixed width, which sorts by time."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_text(text: str) -> datetime:
    """Return the time that `to_text` has formatted."""
    return datetime.fromisoformat(text)


def start_of_minute(time: datetime) -> datetime:
    """Return the beginning of the minute."""
    return time.replace(second=0, microsecond=0)
