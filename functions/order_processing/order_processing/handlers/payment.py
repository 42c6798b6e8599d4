"""Captures the total of each order at the payment provider, once."""

from functools import cache

from fanout import Event, Outcome, aws, subscriber
from fanout.contracts.order_processing import OrderSubmitted
from fanout.integrations.payments import HttpProvider, Provider, SandboxProvider
from order_processing import captures, settings

aws.prepare("secretsmanager", if_set="PAYMENT_PROVIDER_SECRET_ARN")


@subscriber(OrderSubmitted)
def handler(event: Event[OrderSubmitted]) -> Outcome:
    """Record the capture, request it from the provider, record the response."""
    capture = captures.begin(event, _provider().name)
    if capture.is_settled:
        return Outcome.DUPLICATE
    answer = _provider().request("captures", capture.key, capture.request())
    return Outcome.PROCESSED if captures.settle(capture, answer) else Outcome.DUPLICATE


@cache
def _provider() -> Provider:
    configured = settings.payment()
    if not configured.payment_provider_secret_arn:
        return SandboxProvider()
    return HttpProvider(configured.payment_provider_secret_arn, on_loopback=configured.payment_provider_on_loopback)
