"""Reserves the stock of each order, every line or none, and releases it when the order is cancelled."""

from typing import Any

from fanout import Discard, Event, Outcome, subscriber
from fanout.contracts.order_workflow import OrderCancelled, OrderPlaced
from order_workflow import event_publisher, reservation_store


@subscriber(OrderPlaced, OrderCancelled)
def handler(event: Event[Any]) -> Outcome:
    """Reserve stock and publish the outcome, for a duplicate again; or release the stock."""
    if isinstance(event.data, OrderCancelled):
        _, is_new = reservation_store.release(event.data.order_id)
        return Outcome.PROCESSED if is_new else Outcome.DUPLICATE
    reservation, is_new = reservation_store.reserve(event)
    outcome = reservation.outcome()
    if outcome is None:
        raise Discard("cancelled", "the order was cancelled before stock was reserved")
    event_publisher.publish([outcome])
    return Outcome.PROCESSED if is_new else Outcome.DUPLICATE
