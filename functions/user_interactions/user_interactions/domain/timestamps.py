"""When something was done, by the clock of whoever says so."""

from datetime import UTC, datetime, timedelta

from fanout.contracts.user_interactions import PostCommented, PostLiked, PostShared, PostUnliked
from fanout.failures import Reject

Interaction = PostLiked | PostUnliked | PostShared | PostCommented

# How far a producer's clock may be ahead of ours.
_SKEW = timedelta(minutes=5)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def moment_of(interaction: Interaction) -> datetime:
    """Return when it was done, in UTC.

    Raises Reject for a time that is yet to come: as the latest wins, such a like could not be taken back until then.
    Also for one before 1970, which no clock shows.
    """
    moment = interaction.occurred_at
    if moment > datetime.now(UTC) + _SKEW:
        raise Reject("from-the-future: occurred_at is yet to come; redrive it when it has, or mend the clock")
    if moment < _EARLIEST:
        raise Reject("before-1970: occurred_at is no time that a clock shows")
    return moment.astimezone(UTC)


def text_of(moment: datetime) -> str:
    """Return a moment as text of fixed width, so that texts are in the order of the moments."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment_from(text: str) -> datetime:
    """Return the moment that `text_of` made the text of."""
    return datetime.fromisoformat(text)


def minute_of(moment: datetime) -> datetime:
    """Return the beginning of the minute."""
    return moment.replace(second=0, microsecond=0)
