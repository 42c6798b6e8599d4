"""The table of orders, and the index of the orders that are due.

    pk          sk     attributes
    order#1017  order  state, reason, document, version; until its decision is published: due_shard, due_at

An order leaves the index only when its decision is known to be published. After a crash between decision and
publication, the schedule finds the order and publishes the same document again.
"""

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec

from fanout import Event, aws
from fanout.dynamodb import to_item
from order_workflow import event_publisher, settings
from order_workflow.domain.order import Fact, Order
from order_workflow.versioned_records import Records

DUE_INDEX = "due"
# Every order passes through the index; one index key takes a thousand writes per second.
SHARDS = 8


def record_event(event: Event[Fact]) -> tuple[Order, bool]:
    """Record an event about its order; return the order, and whether it changed."""
    patience = timedelta(seconds=settings.orders().order_deadline_seconds)
    return _update(event.data.order_id, lambda order: order.apply(event, datetime.now(UTC), patience))


def cancel_if_overdue(order_id: str) -> tuple[Order, bool]:
    """Cancel the order if its deadline has passed without a decision; return the order, and whether it changed."""
    return _update(order_id, lambda order: order.overdue(datetime.now(UTC)))


def publish_decision(order: Order) -> None:
    """Publish the decision about the order, and mark it as published."""
    decision = order.decision()
    if decision is None:
        return
    event_publisher.publish([decision])
    if not order.announced:
        _update(order.order_id, lambda latest: msgspec.structs.replace(latest, announced=True))


def due(now: datetime) -> Iterator[str]:
    """Yield the ids of orders whose deadline has passed and whose decision is not known to be published.

    Oldest first within each shard. The index lags behind the table, so an order may have been completed since.
    """
    pages = aws.client("dynamodb").get_paginator("query")
    for shard in range(SHARDS):
        for page in pages.paginate(
            TableName=settings.orders().order_table,
            IndexName=DUE_INDEX,
            KeyConditionExpression="due_shard = :shard AND due_at <= :now",
            ExpressionAttributeValues=to_item({":shard": f"due#{shard}", ":now": int(now.timestamp())}),
        ):
            for item in page["Items"]:
                yield item["pk"]["S"].removeprefix("order#")


def _update(order_id: str, change: Callable[[Order], Order]) -> tuple[Order, bool]:
    return _records().update(order_id, change)


@cache
def _records() -> Records[Order]:
    return Records(settings.orders().order_table, "order", lambda order_id: Order(order_id=order_id), _attributes)


def _attributes(order: Order) -> dict[str, Any]:
    shown: dict[str, Any] = {"order_id": order.order_id, "state": order.state}
    if order.reason:
        shown["reason"] = order.reason
    if order.deadline is not None and not order.announced:
        shard = hashlib.sha256(order.order_id.encode()).digest()[0] % SHARDS
        shown |= {"due_shard": f"due#{shard}", "due_at": int(order.deadline.timestamp())}
    return shown
