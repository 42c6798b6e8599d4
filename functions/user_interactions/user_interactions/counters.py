"""Counters per post, and its trending score per minute, sharded to sustain a hot post.

    pk                       sk                attributes
    totals#<shard>#<post>    -                 likes, shares, comments, channel:<channel>
    trending#<shard>         <minute>#<post>   score, expires_at
    shards                   -                 shards: the largest number of shards ever used

Every change of a counter is part of a transaction, concurrent transactions on one item conflict, and a partition takes
at most 1,000 writes per second. The user and the post therefore select one of many shards, and readers add the shards
up. Since every shard holds a part of the sum, their number may be changed at any time, up or down: readers read all
that were ever used.

`WEIGHTS` defines the score. A like counts in the minute of the user's latest like until the user removes it, so liking
and unliking in turn raises a post no further than one like.
"""

import hashlib
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from fanout import aws
from fanout.dynamodb import condition_failed, from_item, to_item
from user_interactions import settings
from user_interactions.domain.timestamps import start_of_minute, to_text

WEIGHTS = {"likes": 1, "comments": 3, "shares": 5}
"""What one of each adds to the score of its minute: the more effort an interaction takes, the more it weighs."""

_REGISTER = {"pk": "shards", "sk": "-"}
# Keys in one BatchGetItem: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
_MOST_KEYS = 100


class Changes:
    """What one event changes in a post's counters and scores, as actions of one transaction."""

    def __init__(self, post_id: str, user_id: str) -> None:
        self._post_id = post_id
        self._shard = f"{_shard_of(post_id, user_id):03}"
        self._totals: dict[str, int] = {}
        self._scores: dict[str, int] = {}
        self._expiries: dict[str, int] = {}

    def count(self, name: str, number: int) -> None:
        """Add a number, which may be negative, to a total."""
        self._totals[name] = self._totals.get(name, 0) + number

    def score(self, name: str, moment: datetime, sign: int = 1) -> None:
        """Add the weight of a like, share or comment to the score of its minute, or with sign -1 subtract it.

        A minute whose time to live is over is ignored: its item is deleted or about to be.
        """
        expires_at = _expiry(moment)
        if expires_at <= time.time():
            return
        minute = _minute_text(moment)
        self._scores[minute] = self._scores.get(minute, 0) + sign * WEIGHTS[name]
        self._expiries[minute] = expires_at

    def actions(self) -> list[dict[str, Any]]:
        """Return the updates, without those that add zero. Registers the number of shards first."""
        _register(settings.load().interactions_table, settings.load().counter_shards)
        totals = {name: number for name, number in self._totals.items() if number}
        actions = [_add({"pk": f"totals#{self._shard}#{self._post_id}", "sk": "-"}, totals)] if totals else []
        for minute, number in self._scores.items():
            if number:
                key = {"pk": f"trending#{self._shard}", "sk": f"{minute}#{self._post_id}"}
                actions.append(_add(key, {"score": number}, expires_at=self._expiries[minute]))
        return actions


def _add(key: Mapping[str, str], numbers: Mapping[str, int], **fixed: int) -> dict[str, Any]:
    """Return the update that adds to some attributes of an item and sets others."""
    names = {f"#n{position}": name for position, name in enumerate([*numbers, *fixed])}
    values = {f":n{position}": value for position, value in enumerate([*numbers.values(), *fixed.values()])}
    added = ", ".join(f"#n{position} :n{position}" for position in range(len(numbers)))
    put = ", ".join(f"#n{position} = :n{position}" for position in range(len(numbers), len(names)))
    return {
        "Update": {
            "TableName": settings.load().interactions_table,
            "Key": to_item(key),
            "UpdateExpression": f"ADD {added}" + (f" SET {put}" if put else ""),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": to_item(values),
        }
    }


def totals(post_id: str) -> dict[str, int]:
    """Return a post's totals: likes, shares, comments, and channel:<channel> for each channel it was shared on."""
    table = settings.load().interactions_table
    keys = [to_item({"pk": f"totals#{shard:03}#{post_id}", "sk": "-"}) for shard in range(_shards())]
    found: dict[str, int] = {"likes": 0, "shares": 0, "comments": 0}
    while keys:
        answer = aws.client("dynamodb").batch_get_item(
            RequestItems={table: {"Keys": keys[:_MOST_KEYS], "ConsistentRead": True}}
        )
        for item in answer["Responses"].get(table, []):
            for name, value in from_item(item).items():
                if name not in {"pk", "sk"}:
                    found[name] = found.get(name, 0) + int(value)
        keys = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", []) + keys[_MOST_KEYS:]
    return found


def scores(since: datetime) -> dict[str, dict[str, int]]:
    """Return the scores of every post in every minute from the given one on: {post: {minute: score}}; no zeros."""
    table, now = settings.load().interactions_table, int(time.time())
    found: dict[str, dict[str, int]] = {}
    for shard in range(_shards()):
        pages = (
            aws.client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=table,
                KeyConditionExpression="pk = :pk AND sk >= :first",
                FilterExpression="expires_at > :now",
                ExpressionAttributeValues=to_item(
                    {
                        ":pk": f"trending#{shard:03}",
                        ":first": _minute_text(since),
                        ":now": now,
                    }
                ),
            )
        )
        for page in pages:
            for item in map(from_item, page["Items"]):
                minute, _, post_id = item["sk"].partition("#")
                minutes = found.setdefault(post_id, {})
                minutes[minute] = minutes.get(minute, 0) + int(item["score"])
    # An amount added under one number of shards and subtracted under another leaves parts that cancel out.
    nonzero = {post: {minute: score for minute, score in each.items() if score} for post, each in found.items()}
    return {post: each for post, each in nonzero.items() if each}


def _shard_of(post_id: str, user_id: str) -> int:
    digest = hashlib.sha256(f"{post_id} {user_id}".encode()).digest()
    return int.from_bytes(digest[:4]) % settings.load().counter_shards


def _minute_text(moment: datetime) -> str:
    return f"{to_text(start_of_minute(moment))[:16]}Z"


def _expiry(moment: datetime) -> int:
    return int((start_of_minute(moment) + timedelta(hours=settings.load().trending_hours)).timestamp())


@cache
def _register(table: str, shards: int) -> None:
    """Record, once per process, that this many shards are written to. The number never decreases."""
    try:
        aws.client("dynamodb").update_item(
            TableName=table,
            Key=to_item(_REGISTER),
            UpdateExpression="SET shards = :shards",
            ConditionExpression="attribute_not_exists(shards) OR shards < :shards",
            ExpressionAttributeValues=to_item({":shards": shards}),
        )
    except Exception as error:
        if not condition_failed(error):
            raise


def _shards() -> int:
    answer = aws.client("dynamodb").get_item(
        TableName=settings.load().interactions_table, Key=to_item(_REGISTER), ConsistentRead=True
    )
    return int(from_item(answer.get("Item", {})).get("shards", 0))
