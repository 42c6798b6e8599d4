"""What is asked of a payment provider, whichever it is. See `fanout.payments`.

POST <url>/authorizations  {"order_id", "customer_id", "amount", "currency"}     -> {"id": ...}
POST <url>/refunds         {"authorization", "order_id", "amount", "currency"}   -> {"id": ...}
"""

import msgspec

from fanout.failures import Reject
from fanout.payments import Provider, Refused
from order_workflow.charges import Authorized, Charge, Declined


class Asking:
    """The two requests, and what the answers mean for an order."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def authorize(self, key: str, charge: Charge) -> Authorized | Declined:
        """Secure the money."""
        answer = self._provider.ask("authorizations", key, msgspec.to_builtins(charge))
        return Declined(answer.word) if isinstance(answer, Refused) else Authorized(answer.reference)

    def refund(self, key: str, reference: str, charge: Charge) -> str:
        """Give all of it back; return what the provider calls that. Raises Reject if it refuses."""
        body = {
            "authorization": reference,
            "order_id": charge.order_id,
            "amount": charge.amount,
            "currency": charge.currency,
        }
        answer = self._provider.ask("refunds", key, body)
        if isinstance(answer, Refused):
            raise Reject(f"refund-refused: the payment provider answers {answer.status} {answer.code}".rstrip())
        return answer.reference
