"""dispatch's table: consistent reads, and numbers as integers."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from fanout import aws
from fanout.dynamodb import condition_failed, from_item, to_item
from system_alerts import settings

Item = dict[str, Any]


def get(key: Mapping[str, str]) -> Item | None:
    """Return the item under a key (pk, sk); None if there is none."""
    answer = _client().get_item(TableName=_name(), Key=to_item(key), ConsistentRead=True)
    return _plain(answer["Item"]) if "Item" in answer else None


def put(item: Mapping[str, Any], *, condition: str = "", values: Mapping[str, Any] | None = None) -> bool:
    """Write an item. Returns False if the condition did not hold."""
    conditions: Item = {"ConditionExpression": condition} if condition else {}
    if values:
        conditions["ExpressionAttributeValues"] = to_item(values)
    return _succeeds(lambda: _client().put_item(TableName=_name(), Item=to_item(item), **conditions))


def update(
    key: Mapping[str, str],
    change: str,
    values: Mapping[str, Any],
    *,
    condition: str,
    names: Mapping[str, str] | None = None,
) -> bool:
    """Change an item. Returns False if the condition did not hold."""
    aliases: Item = {"ExpressionAttributeNames": dict(names)} if names else {}
    return _succeeds(
        lambda: _client().update_item(
            TableName=_name(),
            Key=to_item(key),
            UpdateExpression=change,
            ConditionExpression=condition,
            ExpressionAttributeValues=to_item(values),
            **aliases,
        )
    )


def query(
    condition: str, values: Mapping[str, Any], *, index: str = "", names: Mapping[str, str] | None = None
) -> Iterator[Item]:
    """Read all items of a partition that a key condition selects, in the order of the table or the index.

    The table is read consistently. A global index follows the table, usually within a second.
    """
    options: Item = {"IndexName": index} if index else {}
    if names:
        options["ExpressionAttributeNames"] = dict(names)
    pages = (
        _client()
        .get_paginator("query")
        .paginate(
            TableName=_name(),
            KeyConditionExpression=condition,
            ExpressionAttributeValues=to_item(values),
            ConsistentRead=not index,
            **options,
        )
    )
    for page in pages:
        yield from map(_plain, page["Items"])


def _client() -> Any:
    return aws.client("dynamodb")


def _name() -> str:
    return settings.dispatch().alert_table


def _plain(item: Mapping[str, Any]) -> Item:
    return {name: int(value) if isinstance(value, Decimal) else value for name, value in from_item(item).items()}


def _succeeds(write: Any) -> bool:
    try:
        write()
    except Exception as error:
        if condition_failed(error):
            return False
        raise
    return True
