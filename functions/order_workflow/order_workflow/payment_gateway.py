"""The two requests to the payment provider. See `fanout.integrations.payments`.

POST <url>/authorizations  {"order_id", "customer_id", "amount", "currency"}     -> {"id": ...}
POST <url>/refunds         {"authorization", "order_id", "amount", "currency"}   -> {"id": ...}

A provider executes a request once per idempotency key and returns the same response each time.
"""

from functools import cache

import msgspec

from fanout import Reject, aws
from fanout.integrations.payments import HttpProvider, Provider, Refused, SandboxProvider
from order_workflow import settings
from order_workflow.domain.payment import Authorized, Charge, Declined

aws.prepare("secretsmanager", if_set="PAYMENT_PROVIDER_SECRET_ARN")


class PaymentGateway:
    """Authorizes and refunds charges. Both requests raise Retry if the provider does not decide about the payment."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def authorize(self, key: str, charge: Charge) -> Authorized | Declined:
        """Authorize the charge."""
        answer = self._provider.request("authorizations", key, msgspec.to_builtins(charge))
        return Declined(answer.word) if isinstance(answer, Refused) else Authorized(answer.reference)

    def refund(self, key: str, reference: str, charge: Charge) -> str:
        """Refund the whole authorization; return the provider's reference. Raises Reject if the provider refuses."""
        body = {
            "authorization": reference,
            "order_id": charge.order_id,
            "amount": charge.amount,
            "currency": charge.currency,
        }
        answer = self._provider.request("refunds", key, body)
        if isinstance(answer, Refused):
            raise Reject("refund-refused", f"the payment provider answers {answer.status} {answer.code}".rstrip())
        return answer.reference


def configured_provider() -> str:
    """Return the name of the provider for new payments: the sandbox unless a secret is configured."""
    return HttpProvider.name if settings.payment().payment_provider_secret_arn else SandboxProvider.name


@cache
def payment_gateway(provider: str) -> PaymentGateway:
    """Return the gateway to the provider with this name. Raises RuntimeError if it is no longer configured."""
    if provider == SandboxProvider.name:
        return PaymentGateway(SandboxProvider())
    configured = settings.payment()
    if not configured.payment_provider_secret_arn:
        raise RuntimeError("a payment was begun with the HTTP provider, and PAYMENT_PROVIDER_SECRET_ARN is empty now")
    return PaymentGateway(
        HttpProvider(configured.payment_provider_secret_arn, on_loopback=configured.payment_provider_on_loopback)
    )
