"""Owns each order's state, and publishes exactly one of `order.confirmed.v1` and `order.cancelled.v1`."""

from fanout.contracts.order_workflow import (
    OrderPlaced,
    PaymentAuthorized,
    PaymentDeclined,
    PaymentRefunded,
    StockReserved,
    StockUnavailable,
)
from fanout.event import Event
from fanout.subscriber import Outcome, subscriber
from order_workflow import orders
from order_workflow.order import Fact


@subscriber(OrderPlaced, PaymentAuthorized, PaymentDeclined, PaymentRefunded, StockReserved, StockUnavailable)
def handler(event: Event[Fact]) -> Outcome:
    """Record what the event tells, and announce what was decided: when it is, and again for every duplicate.

    Not for duplicates of a refund: a refund follows from the announcement, and the two would go round for ever.
    """
    order, news = orders.learn(event)
    repeated = not news and not isinstance(event.data, PaymentRefunded)
    if repeated or not order.announced:
        orders.announce(order)
    return Outcome.PROCESSED if news else Outcome.DUPLICATE
