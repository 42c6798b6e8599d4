"""The state machine of an order, from PENDING to CONFIRMED or CANCELLED. No I/O.

    placed ──────────────┐
    payment authorized ──┼─ all three ─────────────────────────────▶ CONFIRMED
    stock reserved ──────┘
    placed, and payment declined or stock unavailable ─────────────▶ CANCELLED
    placed, and payment or stock are about another order ──────────▶ CANCELLED
    placed, and its deadline has passed ───────────────────────────▶ CANCELLED

The facts arrive in any order, possibly more than once or never. They are recorded as they arrive.
The decision is made once the order is known and never changes.
"""

from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from fanout import Event, Reject
from fanout.contracts.order_workflow import (
    CancellationReason,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    PaymentAuthorized,
    PaymentDeclined,
    PaymentRefunded,
    StockReserved,
    StockUnavailable,
)

WORKFLOW = "order_workflow/workflow"
"""The subscriber that decides, whichever function runs: source and id of the decision follow from it."""

Fact = OrderPlaced | PaymentAuthorized | PaymentDeclined | PaymentRefunded | StockReserved | StockUnavailable


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The facts about one order, and the decision."""

    order_id: str
    state: Literal["PENDING", "CONFIRMED", "CANCELLED"] = "PENDING"
    placed: Event[OrderPlaced] | None = None
    """None: an outcome arrived before the order itself."""
    deadline: datetime | None = None
    authorized: PaymentAuthorized | None = None
    declined: PaymentDeclined | None = None
    refunded: PaymentRefunded | None = None
    reserved: StockReserved | None = None
    unavailable: StockUnavailable | None = None
    reason: CancellationReason | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    """The id of the event that completed the facts; None: the deadline decided."""
    announced: bool = False
    """The decision is known to be published."""

    def apply(self, event: Event[Fact], now: datetime, patience: timedelta) -> "Order":
        """Return the order with the event's fact; the same order if the fact is known.

        Raises Reject if the event contradicts a known fact.
        """
        name = _FIELDS[type(event.data)]
        known, fact = getattr(self, name), event if name == "placed" else event.data
        if known is not None:
            if (known.data if name == "placed" else known) != event.data:
                raise Reject("conflict", f"{event.type} differs from an earlier event about the same order")
            return self
        if _OPPOSITES.get(name) and getattr(self, _OPPOSITES[name]) is not None:
            raise Reject("conflict", f"{event.type} contradicts an earlier outcome of the same order")
        updated = msgspec.structs.replace(self, **{name: fact})
        if name == "placed":
            updated = msgspec.structs.replace(updated, deadline=now + patience)
        return updated._decided(now, event.id)

    def overdue(self, now: datetime) -> "Order":
        """Return the order, cancelled if its deadline has passed without a decision."""
        if self.state == "PENDING" and self.deadline is not None and now >= self.deadline:
            return msgspec.structs.replace(self, state="CANCELLED", reason="deadline_passed", decided_at=now)
        return self

    def decision(self) -> Event[OrderConfirmed | OrderCancelled] | None:
        """Return the event with the decision, always the same document; None if there is no decision yet."""
        if self.placed is None or self.state == "PENDING":
            return None
        order: dict[str, Any] = {name: getattr(self.placed.data, name) for name in self.placed.data.__struct_fields__}
        data: OrderConfirmed | OrderCancelled
        if self.state == "CONFIRMED" and self.authorized is not None:
            data = OrderConfirmed(**order, payment_provider=self.authorized.provider)
        else:
            data = OrderCancelled(**order, reason=self.reason or "deadline_passed")
        event = self.placed.caused(data, by=WORKFLOW, time=self.decided_at)
        return msgspec.structs.replace(event, causationid=self.decided_by or self.placed.id)

    def _decided(self, now: datetime, event_id: str) -> "Order":
        if self.state != "PENDING" or self.placed is None:
            return self
        reason: CancellationReason | None = None
        if self.declined is not None:
            reason = "payment_declined"
        elif self.unavailable is not None:
            reason = "stock_unavailable"
        elif not self._is_consistent(self.placed.data):
            reason = "conflict"
        elif self.authorized is None or self.reserved is None:
            return self
        return msgspec.structs.replace(
            self,
            state="CANCELLED" if reason else "CONFIRMED",
            reason=reason,
            decided_at=now,
            decided_by=event_id,
        )

    def _is_consistent(self, order: OrderPlaced) -> bool:
        """Return whether payment and stock, as far as known, are about this order.

        They are not if a producer gave two orders one id, and payment received one first and inventory the other. Then
        the order is cancelled, which refunds the payment and releases the stock.
        """
        if self.authorized and (self.authorized.amount, self.authorized.currency) != (order.total, order.currency):
            return False
        return not self.reserved or {each.sku: each.quantity for each in self.reserved.items} == order.quantities()


_OPPOSITES = {
    "authorized": "declined",
    "declined": "authorized",
    "reserved": "unavailable",
    "unavailable": "reserved",
}
_FIELDS: dict[type, str] = {
    OrderPlaced: "placed",
    PaymentAuthorized: "authorized",
    PaymentDeclined: "declined",
    PaymentRefunded: "refunded",
    StockReserved: "reserved",
    StockUnavailable: "unavailable",
}
