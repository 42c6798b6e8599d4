"""The state of an order's payment and its transitions. No I/O.

    new ──▶ authorizing ──▶ authorized ──▶ refunding ──▶ refunded
     │           └────────▶ declined
     └────▶ void

`void` is the tombstone of a cancellation that arrived before the order: no payment was requested, and none will be.
In `authorizing` and `refunding` a request may have been sent: only the provider knows its outcome.
"""

from datetime import datetime
from typing import Any, Literal

import msgspec

from fanout import Event, Reject, identity
from fanout.contracts.order_workflow import (
    OrderCancelled,
    OrderPlaced,
    PaymentAuthorized,
    PaymentDeclined,
    PaymentRefunded,
)
from order_workflow.domain.cause import Cause, cause


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """An amount to be paid for an order."""

    order_id: str
    customer_id: str
    amount: int
    """In the currency's minor unit."""
    currency: str


class Authorized(msgspec.Struct, frozen=True):
    """The provider has authorized the charge."""

    reference: str


class Declined(msgspec.Struct, frozen=True):
    """The provider has declined the charge."""

    code: str


class Payment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One order's payment."""

    order_id: str
    state: Literal["new", "authorizing", "authorized", "declined", "refunding", "refunded", "void"] = "new"
    charge: Charge | None = None
    provider: str = ""
    """The provider that was asked for the authorization, which also refunds it."""
    placed: Cause | None = None
    cancelled: Cause | None = None
    begun_at: datetime | None = None
    """The time of the first attempt of the latest request."""
    settled_at: datetime | None = None
    settled_late: bool = False
    """The order was cancelled by then, so its placing may have been discarded without an event."""
    reference: str = ""
    code: str = ""
    refunded_at: datetime | None = None
    refund_reference: str = ""

    def begin(self, event: Event[OrderPlaced], provider: str, now: datetime) -> "Payment":
        """Return the payment in `authorizing` if it is new. Raises Reject if the order had another charge before."""
        order = event.data
        charge = Charge(
            order_id=order.order_id, customer_id=order.customer_id, amount=order.total, currency=order.currency
        )
        if self.charge is not None and self.charge != charge:
            raise Reject("conflict", "an earlier order under the same id had another total or customer")
        if self.state != "new":
            return self
        return msgspec.structs.replace(
            self, state="authorizing", charge=charge, provider=provider, placed=cause(event), begun_at=now
        )

    def settle(self, answer: Authorized | Declined, now: datetime) -> "Payment":
        """Return the payment with the provider's response, unless one is recorded already."""
        if self.state != "authorizing":
            return self
        settled = msgspec.structs.replace(self, settled_at=now, settled_late=self.cancelled is not None)
        if isinstance(answer, Authorized):
            return msgspec.structs.replace(settled, state="authorized", reference=answer.reference)
        return msgspec.structs.replace(settled, state="declined", code=answer.code)

    def cancel(self, event: Event[OrderCancelled]) -> "Payment":
        """Return the payment of a cancelled order: `void` if the order itself has not arrived yet."""
        if self.cancelled is not None:
            return self
        state = "void" if self.state == "new" else self.state
        return msgspec.structs.replace(self, state=state, cancelled=cause(event))

    def begin_refund(self, now: datetime) -> "Payment":
        """Return the payment in `refunding` if it is authorized."""
        return msgspec.structs.replace(self, state="refunding", begun_at=now) if self.state == "authorized" else self

    def refund(self, reference: str, now: datetime) -> "Payment":
        """Return the payment as refunded."""
        if self.state != "refunding":
            return self
        return msgspec.structs.replace(self, state="refunded", refund_reference=reference, refunded_at=now)

    def outcome(self) -> Event[PaymentAuthorized | PaymentDeclined] | None:
        """Return the event with the outcome of the authorization, always the same one; None if there is none yet."""
        if self.placed is None or self.charge is None or self.settled_at is None:
            return None
        paid = self._paid(self.charge)
        data: PaymentAuthorized | PaymentDeclined = (
            PaymentDeclined(**paid, code=self.code)
            if self.code
            else PaymentAuthorized(**paid, reference=self.reference)
        )
        return self.placed.caused(data, time=self.settled_at)

    def refund_event(self) -> Event[PaymentRefunded] | None:
        """Return the event about the refund, always the same one; None if there is no refund."""
        if self.cancelled is None or self.charge is None or self.state != "refunded":
            return None
        data = PaymentRefunded(**self._paid(self.charge), reference=self.refund_reference)
        return self.cancelled.caused(data, time=self.refunded_at)

    def key(self, purpose: Literal["authorization", "refund"]) -> str:
        """Return the idempotency key for the provider: one per order and purpose, forever."""
        who = identity.subscriber_name()
        return identity.derived_id(f"urn:fanout:{who}", self.order_id, who, purpose, 0)

    def _paid(self, charge: Charge) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "amount": charge.amount,
            "currency": charge.currency,
            "provider": self.provider,
        }
