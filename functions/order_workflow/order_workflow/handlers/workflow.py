"""Owns each order's state, and publishes exactly one of `order.confirmed.v1` and `order.cancelled.v1`."""

from fanout import Event, Outcome, subscriber
from fanout.contracts.order_workflow import (
    OrderPlaced,
    PaymentAuthorized,
    PaymentDeclined,
    PaymentRefunded,
    StockReserved,
    StockUnavailable,
)
from order_workflow import order_store
from order_workflow.domain.order import Fact


@subscriber(OrderPlaced, PaymentAuthorized, PaymentDeclined, PaymentRefunded, StockReserved, StockUnavailable)
def handler(event: Event[Fact]) -> Outcome:
    """Record the event, and publish the decision: once it is made, and again for every duplicate.

    Not for duplicates of a refund: a refund follows from the decision, and the two would repeat forever.
    """
    order, is_new = order_store.record_event(event)
    repeated = not is_new and not isinstance(event.data, PaymentRefunded)
    if repeated or not order.announced:
        order_store.publish_decision(order)
    return Outcome.PROCESSED if is_new else Outcome.DUPLICATE
