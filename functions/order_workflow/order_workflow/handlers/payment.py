"""Authorizes the total of each order, and refunds it when the order is cancelled: once each, at the provider too."""

from datetime import UTC, datetime
from typing import Any

from fanout import Discard, Event, Outcome, Reject, subscriber
from fanout.contracts.order_workflow import OrderCancelled, OrderPlaced
from fanout.integrations.payments import KEY_LIFETIME
from order_workflow import event_publisher
from order_workflow.domain.payment import Charge, Payment
from order_workflow.payment_gateway import configured_provider, payment_gateway
from order_workflow.payment_store import records


@subscriber(OrderPlaced, OrderCancelled)
def handler(event: Event[Any]) -> Outcome:
    """Send the request, record the response and publish it; for a duplicate, publish it again."""
    return _refund(event) if isinstance(event.data, OrderCancelled) else _authorize(event)


def _authorize(event: Event[OrderPlaced]) -> Outcome:
    name = configured_provider()
    payment, _ = records().update(event.data.order_id, lambda found: found.begin(event, name, datetime.now(UTC)))
    if payment.state == "void" or (payment.state == "authorizing" and payment.cancelled):
        raise Discard(
            "cancelled", "the order was cancelled before it was paid"
        )  # the cancellation completes the refund
    outcome = Outcome.DUPLICATE
    if payment.state == "authorizing":
        payment = _settle(payment)
        outcome = Outcome.PROCESSED
    event_publisher.publish([outcome_event for outcome_event in [payment.outcome()] if outcome_event])
    return outcome


def _refund(event: Event[OrderCancelled]) -> Outcome:
    order_id = event.data.order_id
    payment, is_new = records().update(order_id, lambda found: found.cancel(event))
    if payment.state == "authorizing":
        payment, is_new = _settle(payment), True
    if payment.state == "authorized":
        if payment.settled_late:  # the authorization was not published yet
            event_publisher.publish([outcome_event for outcome_event in [payment.outcome()] if outcome_event])
        payment, is_new = records().update(order_id, lambda found: found.begin_refund(datetime.now(UTC)))
    if payment.state == "refunding":
        charge = _charge_in_time(payment)
        reference = payment_gateway(payment.provider).refund(payment.key("refund"), payment.reference, charge)
        payment, is_new = records().update(order_id, lambda found: found.refund(reference, datetime.now(UTC)))
    event_publisher.publish([refunded for refunded in [payment.refund_event()] if refunded])
    return Outcome.PROCESSED if is_new else Outcome.DUPLICATE


def _settle(payment: Payment) -> Payment:
    """Request the authorization and record the response.

    After an attempt with an unknown outcome, the same key makes the provider return the outcome of that attempt.
    """
    charge = _charge_in_time(payment)
    answer = payment_gateway(payment.provider).authorize(payment.key("authorization"), charge)
    return records().update(payment.order_id, lambda found: found.settle(answer, datetime.now(UTC)))[0]


def _charge_in_time(payment: Payment) -> Charge:
    """Return the charge. Raises Reject if the provider may no longer remember the idempotency key."""
    if payment.charge is None or payment.begun_at is None:
        raise AssertionError("a payment that was begun has a charge")
    if datetime.now(UTC) - payment.begun_at > KEY_LIFETIME:
        raise Reject("outcome-unknown", "the request was sent more than a day ago; check its outcome with the provider")
    return payment.charge
