"""Sets the articles of each order aside, every line or none, and gives them back when the order is cancelled."""

from typing import Any

from fanout.contracts.order_workflow import OrderCancelled, OrderPlaced
from fanout.event import Event
from fanout.failures import Discard
from fanout.subscriber import Outcome, subscriber
from order_workflow import announcing, reservations


@subscriber(OrderPlaced, OrderCancelled)
def handler(event: Event[Any]) -> Outcome:
    """Reserve and publish how that ended, for a duplicate once more; or release."""
    if isinstance(event.data, OrderCancelled):
        _, news = reservations.release(event.data.order_id)
        return Outcome.PROCESSED if news else Outcome.DUPLICATE
    reservation, news = reservations.reserve(event)
    outcome = reservation.outcome()
    if outcome is None:
        raise Discard("cancelled: the order was cancelled before anything was set aside")
    announcing.publish([outcome])
    return Outcome.PROCESSED if news else Outcome.DUPLICATE
