"""Amazon SES's notifications about mail it sent, in AWS's own JSON.

SES writes them in two forms that differ in little more than one name: `eventType` where a configuration set publishes
events, `notificationType` where an identity has a feedback topic.
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html
"""

import re
from datetime import datetime
from typing import Annotated

import msgspec

from fanout import Discard, Event, Reject
from fanout.contracts.user_registration import FeedbackKind, MailFeedback
from fanout.delivery import Notification

SOURCE = "urn:aws:ses"

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class _Recipient(msgspec.Struct):
    address: str = msgspec.field(name="emailAddress")


class _Bounce(msgspec.Struct, rename="camel"):
    feedback_id: str
    bounce_type: str
    timestamp: _Instant
    bounced_recipients: list[_Recipient]
    bounce_sub_type: str = ""


class _Complaint(msgspec.Struct, rename="camel"):
    feedback_id: str
    timestamp: _Instant
    complained_recipients: list[_Recipient]
    complaint_feedback_type: str | None = None


class _Notification(msgspec.Struct, rename="camel"):
    event_type: str = ""
    notification_type: str = ""
    bounce: _Bounce | None = None
    complaint: _Complaint | None = None


_decoder = msgspec.json.Decoder(_Notification)
# The complaint's sender chooses some of these texts, so they are reduced to safe characters.
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
# The plain text that SES publishes to test a topic when it becomes an event destination.
_TEST_MESSAGE = "Successfully validated SNS topic"


def from_ses(notification: Notification) -> Event[MailFeedback] | None:
    """Return the event for a notification of SES; None if SES has not sent it.

    The event's id is SES's feedbackId. Raises Discard for notifications that are not feedback (deliveries, SES's test
    message) and Reject for feedback that does not have the documented form.
    """
    text = notification.text.lstrip()
    if text.startswith(_TEST_MESSAGE):
        raise Discard("not-feedback", "SES tried the topic out")
    if not text.startswith("{") or not ('"eventType"' in text or '"notificationType"' in text):
        return None
    try:
        found = _decoder.decode(text)
    except (ValueError, RecursionError) as error:
        raise Reject("invalid-event", f"no feedback of SES: {error}") from None
    match found.event_type or found.notification_type:
        case "Bounce" if found.bounce:
            return _from_bounce(found.bounce)
        case "Complaint" if found.complaint:
            return _from_complaint(found.complaint)
        case "Bounce" | "Complaint":
            raise Reject("invalid-event", "no feedback of SES: it does not say what happened")
        case "":
            return None  # an event of ours whose data has such a field
        case other:
            raise Discard("not-feedback", f"SES reports {other[:40]!r}")


def _from_bounce(bounce: _Bounce) -> Event[MailFeedback]:
    # "Undetermined" counts as transient: https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#bounce-types
    kind: FeedbackKind = "permanent_bounce" if bounce.bounce_type == "Permanent" else "transient_bounce"
    return _event(kind, bounce.feedback_id, bounce.timestamp, bounce.bounced_recipients, bounce.bounce_sub_type)


def _from_complaint(complaint: _Complaint) -> Event[MailFeedback]:
    detail = complaint.complaint_feedback_type or ""
    kind: FeedbackKind = "not_spam" if detail == "not-spam" else "complaint"
    return _event(kind, complaint.feedback_id, complaint.timestamp, complaint.complained_recipients, detail)


def _event(
    kind: FeedbackKind, feedback_id: str, time: datetime, recipients: list[_Recipient], detail: str
) -> Event[MailFeedback]:
    addresses = tuple(_bare(recipient.address) for recipient in recipients)
    if not addresses:
        raise Reject("invalid-event", "no feedback of SES: it names no recipient")
    data = MailFeedback(kind=kind, addresses=addresses, detail=_UNSAFE.sub("_", detail)[:64])
    return Event.new(data, source=SOURCE, id=feedback_id, time=time)


def _bare(address: str) -> str:
    """Return the address without the display name before it: `Jane <jane@example.com>`."""
    return address.rpartition("<")[2].rstrip("> ") if address.endswith(">") else address
