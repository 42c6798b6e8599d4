"""Sends the customer one mail about the outcome of the order."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fanout import Discard, Event, Outcome, Reject, at_most_once, aws, subscriber
from fanout.contracts.order_workflow import OrderCancelled, OrderConfirmed
from fanout.integrations import mail
from fanout.integrations.mail import MalformedAddressError, deliverable
from order_workflow import order_mail, settings

aws.prepare("sesv2", retries=False)


@subscriber(OrderConfirmed, OrderCancelled)
def handler(event: Event[OrderConfirmed | OrderCancelled]) -> Outcome:
    """Send the mail and record it."""
    order = event.data
    if order.email is None:
        raise Discard("no-address", "the order has no e-mail address")
    try:
        recipient = deliverable(order.email)
    except MalformedAddressError as error:
        raise Reject("malformed-address", str(error)) from None

    sender = settings.notification()
    written = order_mail.render(order)

    def send() -> Mapping[str, Any]:
        message_id = mail.send(
            written, recipient=recipient, sender=sender.sender_address, configuration_set=sender.configuration_set
        )
        return {
            "message_id": message_id,
            "locale": written.locale,
            "event_type": event.type,
            "sent_at": datetime.now(UTC).isoformat(),
        }

    return at_most_once(
        event,
        sender.notification_table,
        send,
        key=f"order#{order.order_id}",
    )
