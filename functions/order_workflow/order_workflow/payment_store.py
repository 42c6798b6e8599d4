"""The table of payments: one record per order."""

from functools import cache
from typing import Any

from order_workflow import settings
from order_workflow.domain.payment import Payment
from order_workflow.versioned_records import Records


@cache
def records() -> Records[Payment]:
    """Return the payments in their table."""
    return Records(
        settings.payment().payment_table, "payment", lambda order_id: Payment(order_id=order_id), _attributes
    )


def _attributes(payment: Payment) -> dict[str, Any]:
    return {"order_id": payment.order_id, "state": payment.state, "provider": payment.provider}
