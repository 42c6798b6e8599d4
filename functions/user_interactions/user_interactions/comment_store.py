"""Comments: those published, newest first, and those that wait for a person to decide.

    pk                sk                          attributes
    comments#<post>   <time left>#<source>#<id>   comment_id, source, post_id, user_id, text, occurred_at
    review            <time>#<source>#<id>        the same, and words: the blocked words it contains

`<time left>` falls as time goes on, so a post's comments stand in the table with the newest first. A comment that waits
is counted nowhere; it is when it is approved, in the minute it was written in.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from fanout import aws
from fanout.contracts.user_interactions import PostCommented
from fanout.effects import ConditionFailedError, from_item, to_item, transact, transact_once
from fanout.event import Event
from fanout.subscriber import Outcome
from user_interactions import settings
from user_interactions.counters import Changes
from user_interactions.moments import moment_from, moment_of, text_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MICROSECOND = 10**16 - 1  # in the year 2286


class Page(msgspec.Struct, frozen=True):
    """Some comments, and where to go on."""

    comments: list[dict[str, Any]]
    next: str | None
    """Give it back to get the following ones; None at the end."""


def publish(event: Event[PostCommented]) -> Outcome:
    """Store the comment and count it, once."""
    item = _item(event)
    return transact_once(event, settings.load().interactions_table, _publication(item))


def hold(event: Event[PostCommented], words: Sequence[str]) -> Outcome:
    """Put the comment where it waits for a decision, once: it does not come back when it was decided."""
    held = {
        **_item(event),
        "pk": "review",
        "sk": f"{text_of(moment_of(event.data))}#{event.identity}",
        "words": list(words),
    }
    return transact_once(event, settings.load().interactions_table, [_put(held)])


def newest(post_id: str, limit: int, after: str | None = None) -> Page:
    """Return a post's published comments, the newest first, from where a page ended (`after`: its `next`)."""
    return _page(f"comments#{post_id}", limit, after)


def waiting(limit: int, after: str | None = None) -> Page:
    """Return the comments that wait for a decision, the oldest first. Each has `entry`, by which it is decided."""
    page = _page("review", limit, after)
    return Page([{"entry": comment.pop("key"), **comment} for comment in page.comments], page.next)


def approve(entry: str) -> bool:
    """Publish a comment that waits. False if it does not wait (any more)."""
    table, key = settings.load().interactions_table, to_item({"pk": "review", "sk": entry})
    answer = aws.client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True)
    if "Item" not in answer:
        return False
    held = from_item(answer["Item"])
    item = {name: value for name, value in held.items() if name != "words"} | _published_key(held)
    remove = {"TableName": table, "Key": key, "ConditionExpression": "attribute_exists(pk)"}
    try:
        transact([{"Delete": remove}, *_publication(item)])
    except ConditionFailedError:  # somebody else has decided in this moment
        return False
    return True


def refuse(entry: str) -> bool:
    """Delete a comment that waits. False if it does not wait (any more)."""
    answer = aws.client("dynamodb").delete_item(
        TableName=settings.load().interactions_table,
        Key=to_item({"pk": "review", "sk": entry}),
        ReturnValues="ALL_OLD",
    )
    return "Attributes" in answer


def _item(event: Event[PostCommented]) -> dict[str, Any]:
    comment = {
        "comment_id": event.id,
        "source": event.source,
        "identity": event.identity,
        "post_id": event.data.post_id,
        "user_id": event.data.user_id,
        "text": event.data.text,
        "occurred_at": text_of(moment_of(event.data)),
    }
    return {**comment, **_published_key(comment)}


def _published_key(comment: dict[str, Any]) -> dict[str, str]:
    microseconds = (moment_from(comment["occurred_at"]) - _EPOCH) // timedelta(microseconds=1)
    return {
        "pk": f"comments#{comment['post_id']}",
        "sk": f"{_LAST_MICROSECOND - microseconds:016}#{comment['identity']}",
    }


def _publication(item: dict[str, Any]) -> list[dict[str, Any]]:
    changes = Changes(item["post_id"], item["user_id"])
    changes.count("comments", 1)
    changes.score("comments", moment_from(item["occurred_at"]))
    return [_put(item), *changes.actions()]


def _put(item: dict[str, Any]) -> dict[str, Any]:
    return {"Put": {"TableName": settings.load().interactions_table, "Item": to_item(item)}}


def _page(pk: str, limit: int, after: str | None) -> Page:
    values = {":pk": pk} if after is None else {":pk": pk, ":after": after}
    answer = aws.client("dynamodb").query(
        TableName=settings.load().interactions_table,
        KeyConditionExpression="pk = :pk" if after is None else "pk = :pk AND sk > :after",
        ExpressionAttributeValues=to_item(values),
        Limit=limit,
    )
    comments = []
    for item in map(from_item, answer["Items"]):
        comments.append({"key": item["sk"], **{name: item[name] for name in sorted(item.keys() - {"pk", "sk"})}})
    return Page(comments, comments[-1]["key"] if comments and "LastEvaluatedKey" in answer else None)
