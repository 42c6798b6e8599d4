"""Authorises the total of each order, and gives it back when the order is cancelled: once each, at the provider too."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from fanout.contracts.order_workflow import OrderCancelled, OrderPlaced
from fanout.event import Event
from fanout.failures import Discard, Reject
from fanout.payments import KEY_LIFETIME
from fanout.subscriber import Outcome, subscriber
from order_workflow import announcing, http_provider, sandbox_provider, settings
from order_workflow.charges import Charge, Provider
from order_workflow.payments import Payment, records


@subscriber(OrderPlaced, OrderCancelled)
def handler(event: Event[Any]) -> Outcome:
    """Ask the provider, record its answer, publish it; for a duplicate, publish it again."""
    return _refund(event) if isinstance(event.data, OrderCancelled) else _authorize(event)


def _authorize(event: Event[OrderPlaced]) -> Outcome:
    name = http_provider.NAME if settings.payment().payment_provider_secret_arn else sandbox_provider.NAME
    payment, _ = records().update(event.data.order_id, lambda found: found.begin(event, name, datetime.now(UTC)))
    if payment.state == "void" or (payment.state == "authorizing" and payment.cancelled):
        raise Discard("cancelled: the order was cancelled before it was paid")  # the cancellation sees to the rest
    outcome = Outcome.DUPLICATE
    if payment.state == "authorizing":
        payment = _settle(payment)
        outcome = Outcome.PROCESSED
    announcing.publish([told for told in [payment.outcome()] if told])
    return outcome


def _refund(event: Event[OrderCancelled]) -> Outcome:
    order_id = event.data.order_id
    payment, news = records().update(order_id, lambda found: found.cancel(event))
    if payment.state == "authorizing":
        payment, news = _settle(payment), True
    if payment.state == "authorized":
        if payment.settled_late:  # nobody has told of the payment that is about to be refunded
            announcing.publish([told for told in [payment.outcome()] if told])
        payment, news = records().update(order_id, lambda found: found.begin_refund(datetime.now(UTC)))
    if payment.state == "refunding":
        charge = _charge_in_time(payment)
        reference = _provider(payment.provider).refund(payment.key("refund"), payment.reference, charge)
        payment, news = records().update(order_id, lambda found: found.refund(reference, datetime.now(UTC)))
    announcing.publish([told for told in [payment.refund_event()] if told])
    return Outcome.PROCESSED if news else Outcome.DUPLICATE


def _settle(payment: Payment) -> Payment:
    """Ask the provider and record what it says.

    Asked again after an attempt whose end nobody saw, under the same key, it says what became of that attempt.
    """
    charge = _charge_in_time(payment)
    answer = _provider(payment.provider).authorize(payment.key("authorization"), charge)
    return records().update(payment.order_id, lambda found: found.settle(answer, datetime.now(UTC)))[0]


def _charge_in_time(payment: Payment) -> Charge:
    """Return what to ask for. Raises Reject if the provider may have forgotten that it was asked before."""
    if payment.charge is None or payment.begun_at is None:
        raise AssertionError("a payment that was begun knows what for")
    if datetime.now(UTC) - payment.begun_at > KEY_LIFETIME:
        raise Reject("outcome-unknown: the provider was asked more than a day ago; find out what became of it")
    return payment.charge


@cache
def _provider(name: str) -> Provider:
    """Return the provider that a payment was begun with. Raises RuntimeError if it is no longer configured."""
    if name == sandbox_provider.NAME:
        return sandbox_provider.SandboxProvider()
    secret_arn = settings.payment().payment_provider_secret_arn
    if not secret_arn:
        raise RuntimeError("a payment was begun with the HTTP provider, and PAYMENT_PROVIDER_SECRET_ARN is empty now")
    return http_provider.HttpProvider(secret_arn)
