"""What has become of each order's payment: one record per order, and the way it may go. No call to a provider here.

    new ──▶ authorizing ──▶ authorized ──▶ refunding ──▶ refunded
     │           └────────▶ declined
     └────▶ void

`void` is the tombstone of a cancellation that came before the order: nothing was asked for, and nothing will be.
`authorizing` and `refunding` say that a request is, or may be, on its way: only the provider knows how it ended.
"""

from datetime import datetime
from functools import cache
from typing import Any, Literal

import msgspec

from fanout import identity
from fanout.contracts.order_workflow import (
    OrderCancelled,
    OrderPlaced,
    PaymentAuthorized,
    PaymentDeclined,
    PaymentRefunded,
)
from fanout.event import Event
from fanout.failures import Reject
from order_workflow import settings
from order_workflow.announcing import Cause, cause
from order_workflow.charges import Authorized, Charge, Declined
from order_workflow.records import Records


class Payment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One order's payment."""

    order_id: str
    state: Literal["new", "authorizing", "authorized", "declined", "refunding", "refunded", "void"] = "new"
    charge: Charge | None = None
    provider: str = ""
    """The provider it was begun with, which is the one to give the money back."""
    placed: Cause | None = None
    cancelled: Cause | None = None
    begun_at: datetime | None = None
    """When the provider was first asked for what it was last asked for."""
    settled_at: datetime | None = None
    settled_late: bool = False
    """The order was cancelled by then, so that its placing may have been discarded without a word."""
    reference: str = ""
    code: str = ""
    refunded_at: datetime | None = None
    refund_reference: str = ""

    def begin(self, event: Event[OrderPlaced], provider: str, now: datetime) -> "Payment":
        """Return it on its way to the provider, if it is new. Raises Reject if the order had another total before."""
        order = event.data
        charge = Charge(
            order_id=order.order_id, customer_id=order.customer_id, amount=order.total, currency=order.currency
        )
        if self.charge is not None and self.charge != charge:
            raise Reject("conflict: an earlier order under the same id had another total or customer")
        if self.state != "new":
            return self
        return msgspec.structs.replace(
            self, state="authorizing", charge=charge, provider=provider, placed=cause(event), begun_at=now
        )

    def settle(self, answer: Authorized | Declined, now: datetime) -> "Payment":
        """Return it with the provider's answer, unless another delivery has brought that already."""
        if self.state != "authorizing":
            return self
        settled = msgspec.structs.replace(self, settled_at=now, settled_late=self.cancelled is not None)
        if isinstance(answer, Authorized):
            return msgspec.structs.replace(settled, state="authorized", reference=answer.reference)
        return msgspec.structs.replace(settled, state="declined", code=answer.code)

    def cancel(self, event: Event[OrderCancelled]) -> "Payment":
        """Return it knowing that its order is cancelled: void if the order itself has not come yet."""
        if self.cancelled is not None:
            return self
        state = "void" if self.state == "new" else self.state
        return msgspec.structs.replace(self, state=state, cancelled=cause(event))

    def begin_refund(self, now: datetime) -> "Payment":
        """Return it on its way back, if there is something to give back."""
        return msgspec.structs.replace(self, state="refunding", begun_at=now) if self.state == "authorized" else self

    def refund(self, reference: str, now: datetime) -> "Payment":
        """Return it given back."""
        if self.state != "refunding":
            return self
        return msgspec.structs.replace(self, state="refunded", refund_reference=reference, refunded_at=now)

    def outcome(self) -> Event[PaymentAuthorized | PaymentDeclined] | None:
        """Return the event that tells how the order's placing ended: always the same one. None if it has not yet."""
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
        """Return the event that tells of the refund: always the same one. None if there is none."""
        if self.cancelled is None or self.charge is None or self.state != "refunded":
            return None
        data = PaymentRefunded(**self._paid(self.charge), reference=self.refund_reference)
        return self.cancelled.caused(data, time=self.refunded_at)

    def key(self, purpose: Literal["authorization", "refund"]) -> str:
        """Return the idempotency key for the provider: one per order and purpose, for ever."""
        who = identity.subscriber_name()
        return identity.derived_id(f"urn:fanout:{who}", self.order_id, who, purpose, 0)

    def _paid(self, charge: Charge) -> dict[str, Any]:
        return {
            "order_id": self.order_id,
            "amount": charge.amount,
            "currency": charge.currency,
            "provider": self.provider,
        }


@cache
def records() -> Records[Payment]:
    """Return the payments in their table."""
    return Records(settings.payment().payment_table, "payment", lambda order_id: Payment(order_id=order_id), _shown)


def _shown(payment: Payment) -> dict[str, Any]:
    return {"order_id": payment.order_id, "state": payment.state, "provider": payment.provider}
