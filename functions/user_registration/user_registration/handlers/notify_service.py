"""The welcome mail: one per registration, ever. SNS invokes this function directly.

The user's id identifies a registration: if a producer publishes it twice, under two event ids, one mail is sent.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fanout import Discard, Event, Outcome, Reject, at_most_once, aws, subscriber
from fanout.contracts.user_registration import UserRegistered
from fanout.integrations import mail
from fanout.integrations.mail import MalformedAddressError, deliverable
from user_registration import settings, suppression, welcome

aws.prepare("sesv2", retries=False)


@subscriber(UserRegistered)
def handler(event: Event[UserRegistered]) -> Outcome:
    """Send the mail and record it."""
    user = event.data
    try:
        recipient = deliverable(user.email)
    except MalformedAddressError as error:
        raise Reject("malformed-address", str(error)) from None

    def check() -> None:
        if suppression.is_suppressed(recipient):
            raise Discard("suppressed", "mail to this address has bounced or was complained about")

    def send() -> Mapping[str, Any]:
        message_id = mail.send(
            written, recipient=recipient, sender=sender.sender_address, configuration_set=sender.configuration_set
        )
        return {"message_id": message_id, "locale": written.locale, "sent_at": datetime.now(UTC).isoformat()}

    sender = settings.sender()
    written = welcome.render(locale=user.locale, name=user.name, plan=user.plan, product=sender.product_name)
    return at_most_once(
        event,
        settings.mail().mail_table,
        send,
        prepare=check,
        key=f"registration#{user.user_id}",
    )
