"""Comments: published ones, newest first, and those held for review.

    pk                sk                          attributes
    comments#<post>   <time left>#<source>#<id>   comment_id, source, post_id, user_id, text, occurred_at
    review            <time>#<source>#<id>        the same, and words: the blocked words it contains

`<time left>` falls as time goes on, so a post's comments are sorted newest first. A held comment is not counted;
an approved one counts in the minute it was written in.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from fanout import Event, Outcome, aws, transact_once
from fanout.contracts.user_interactions import PostCommented
from fanout.dynamodb import ConditionFailedError, from_item, to_item, transact
from user_interactions import settings
from user_interactions.counters import Changes
from user_interactions.domain.timestamps import from_text, time_of, to_text

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MICROSECOND = 10**16 - 1  # in the year 2286


class Page(msgspec.Struct, frozen=True):
    """Some comments, and the position of the next page."""

    comments: list[dict[str, Any]]
    next: str | None
    """Pass it as `after` to get the next page; None on the last page."""


def publish(event: Event[PostCommented]) -> Outcome:
    """Store the comment and count it, once."""
    item = _item(event)
    return transact_once(event, settings.load().interactions_table, _publication(item))


def hold(event: Event[PostCommented], words: Sequence[str]) -> Outcome:
    """Store the comment for review, once: a redelivery does not restore a comment that was decided on."""
    item = {
        **_item(event),
        "pk": "review",
        "sk": f"{to_text(time_of(event.data))}#{event.identity}",
        "words": list(words),
    }
    return transact_once(event, settings.load().interactions_table, [_put(item)])


def newest(post_id: str, limit: int, after: str | None = None) -> Page:
    """Return a post's published comments, the newest first, from where a page ended (`after`: its `next`)."""
    return _page(f"comments#{post_id}", limit, after)


def held(limit: int, after: str | None = None) -> Page:
    """Return the held comments, the oldest first. Each has `entry`, which `approve` and `refuse` take."""
    page = _page("review", limit, after)
    return Page([{"entry": comment.pop("key"), **comment} for comment in page.comments], page.next)


def approve(entry: str) -> bool:
    """Publish a held comment. Return False if it is not held (any more)."""
    table, key = settings.load().interactions_table, to_item({"pk": "review", "sk": entry})
    answer = aws.client("dynamodb").get_item(TableName=table, Key=key, ConsistentRead=True)
    if "Item" not in answer:
        return False
    stored = from_item(answer["Item"])
    item = {name: value for name, value in stored.items() if name != "words"} | _published_key(stored)
    remove = {"TableName": table, "Key": key, "ConditionExpression": "attribute_exists(pk)"}
    try:
        transact([{"Delete": remove}, *_publication(item)])
    except ConditionFailedError:  # another moderator decided at the same time
        return False
    return True


def refuse(entry: str) -> bool:
    """Delete a held comment. Return False if it is not held (any more)."""
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
        "occurred_at": to_text(time_of(event.data)),
    }
    return {**comment, **_published_key(comment)}


def _published_key(comment: dict[str, Any]) -> dict[str, str]:
    microseconds = (from_text(comment["occurred_at"]) - _EPOCH) // timedelta(microseconds=1)
    return {
        "pk": f"comments#{comment['post_id']}",
        "sk": f"{_LAST_MICROSECOND - microseconds:016}#{comment['identity']}",
    }


def _publication(item: dict[str, Any]) -> list[dict[str, Any]]:
    changes = Changes(item["post_id"], item["user_id"])
    changes.count("comments", 1)
    changes.score("comments", from_text(item["occurred_at"]))
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
