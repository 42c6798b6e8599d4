"""Whether a user likes a post, and the post's counters that follow from it.

    pk            sk            attributes
    user#<user>   like#<post>   liked, occurred_at, event_id, source

One state per user and post: the latest interaction, by (occurred_at, id), wins. So the state and the counters are
independent of the order and number of deliveries: a post's likes are the users whose state is `liked`, and each of them
counts in the score of that state's minute. State and counters are written in one transaction, so they stay consistent.
No idempotency record is needed: an event that was applied before is not later than the state.
"""

from typing import Any

from fanout import Discard, Event, Outcome, Retry, aws
from fanout.contracts.user_interactions import PostLiked, PostUnliked
from fanout.dynamodb import ConditionFailedError, from_item, to_item, transact
from user_interactions import settings
from user_interactions.counters import Changes
from user_interactions.domain.timestamps import from_text, time_of, to_text

# Only events of one user about one post compete for a state.
_ATTEMPTS = 5


def apply(event: Event[PostLiked | PostUnliked]) -> Outcome:
    """Make the event the user's state if it is the latest, and keep the counters in step.

    Raises Discard if a later event was applied before; Reject for an invalid time (see `timestamps`); Retry if
    concurrent events changed the state at every attempt.
    """
    after = _state(event)
    for _ in range(_ATTEMPTS):
        before = _read(event)
        if before is not None and _version(before) >= _version(after):
            if _version(before) == _version(after):
                return Outcome.DUPLICATE
            raise Discard("overtaken", "a later interaction of this user with this post was applied before")
        try:
            transact([_put(after, before), *_changes(event, before, after).actions()])
        except ConditionFailedError:
            continue
        return Outcome.PROCESSED
    raise Retry("contended: other interactions of this user with this post were applied meanwhile")


def _state(event: Event[PostLiked | PostUnliked]) -> dict[str, Any]:
    return {
        "pk": f"user#{event.data.user_id}",
        "sk": f"like#{event.data.post_id}",
        "liked": isinstance(event.data, PostLiked),
        "occurred_at": to_text(time_of(event.data)),
        "event_id": event.id,
        "source": event.source,
    }


def _version(state: dict[str, Any]) -> tuple[str, str, str]:
    """Return the value that orders states. The source is part of it because two sources may use the same id."""
    return state["occurred_at"], state["event_id"], state["source"]


def _read(event: Event[PostLiked | PostUnliked]) -> dict[str, Any] | None:
    key = {"pk": f"user#{event.data.user_id}", "sk": f"like#{event.data.post_id}"}
    answer = aws.client("dynamodb").get_item(
        TableName=settings.load().interactions_table, Key=to_item(key), ConsistentRead=True
    )
    return from_item(answer["Item"]) if "Item" in answer else None


def _put(after: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    """Return the write of the state, conditional on the state that was read."""
    put: dict[str, Any] = {"TableName": settings.load().interactions_table, "Item": to_item(after)}
    if before is None:
        put["ConditionExpression"] = "attribute_not_exists(pk)"
    else:
        put["ConditionExpression"] = "occurred_at = :occurred_at AND event_id = :event_id AND #source = :source"
        put["ExpressionAttributeNames"] = {"#source": "source"}
        values = {f":{name}": before[name] for name in ("occurred_at", "event_id", "source")}
        put["ExpressionAttributeValues"] = to_item(values)
    return {"Put": put}


def _changes(event: Event[PostLiked | PostUnliked], before: dict[str, Any] | None, after: dict[str, Any]) -> Changes:
    """Return the changes that remove the counts of the state before and add those of the state after."""
    changes = Changes(event.data.post_id, event.data.user_id)
    for state, sign in ((before, -1), (after, 1)):
        if state is not None and state["liked"]:
            changes.count("likes", sign)
            changes.score("likes", from_text(state["occurred_at"]), sign)
    return changes
