"""What a subscriber does with its own queue and dead-letter queue: retry, hand back, put aside, set a clock."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from fanout import aws, settings
from fanout.delivery import CARRIED, LONGEST_WAIT, Carried, Delivery
from fanout.event import Event, encode

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html (DelaySeconds)
_MAX_DELAY = 900
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html: 12 hours,
# counted from the receive; a quarter of an hour less, because the function has had the message for up to that long.
_MAX_VISIBILITY = 43_200 - 900
_MAX_ATTRIBUTES = 10
_LONGEST_BACKOFF = 3_600.0


class InboxSettings(msgspec.Struct, frozen=True):
    """The environment that `platform/subscriber.yaml` and the use case's template give a subscriber."""

    fanout_subscriber: str
    fanout_inbox_url: str
    fanout_dead_letter_url: str
    fanout_max_attempts: int = 10
    fanout_backoff_seconds: float = 15
    fanout_attempts_table: str = ""
    """Where a FIFO inbox's attempts are counted; a standard one has none, SQS counts them."""


def backoff(attempt: int, first: float) -> float:
    """Return the seconds to wait after attempt 1, 2, 3...: `first`, doubled each time up to an hour, plus jitter.

    The jitter only adds (up to a quarter), so ten attempts that start at 15 s span at least two hours: an outage of an
    hour dead-letters nobody. Why jitter: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
    """
    return min(_LONGEST_BACKOFF, first * 2.0 ** (attempt - 1)) * random.uniform(1, 1.25)  # noqa: S311


def send_later(event: Event[Any], seconds: float) -> None:
    """Put an event into this subscriber's own inbox, so that it comes to it after so many seconds, however many.

    A clock that costs nothing while it is not needed, with the inbox's retries and dead letters. It may strike twice,
    and it strikes late while the subscriber is down. Raises what SQS raises.
    """
    inbox = settings.load(InboxSettings).fanout_inbox_url
    _send(inbox, encode(event).decode(), {}, Carried(), seconds)


class Inbox:
    """One subscriber's queue and dead-letter queue. Every method raises what SQS raises."""

    def __init__(self, settings: InboxSettings) -> None:
        self._settings = settings

    def retry(self, delivery: Delivery, seconds: float) -> None:
        """Make the delivery come again after so many seconds, counting this attempt.

        From the inbox, its message stays where it is and is hidden for that long. A direct delivery becomes a message
        in the inbox.
        """
        if delivery.is_direct:
            self._send_again(delivery, attempts=delivery.attempt, seconds=seconds)
            return
        self._hide(delivery, min(seconds, _MAX_VISIBILITY))

    def hand_back(self, delivery: Delivery, seconds: float = 0) -> bool:
        """Give back a delivery that was not attempted, without the receive counting as an attempt.

        SQS counts every receive, so the message is sent anew with the count it had; True tells that this was done and
        that the old one must be acknowledged. In a FIFO queue a new message would lose its place: there the old one is
        made visible again, the receive counts, and the answer is False.
        """
        if delivery.group is not None:
            self._hide(delivery, 0)
            return False
        self._send_again(delivery, attempts=delivery.attempt - 1, seconds=seconds)
        return True

    def put_aside(
        self, delivery: Delivery, *, outcome: str, reason: str, event_id: str | None, event_type: str | None
    ) -> None:
        """Send the delivery to the dead-letter queue, with who, why and when as message attributes.

        It keeps the id and time of its publishing, where its body does not hold them: for a body without an event's
        they are its identity, which a redrive must not change.
        """
        about = {
            "outcome": outcome,
            "reason": reason,
            "subscriber": self._settings.fanout_subscriber,
            "event_id": event_id,
            "event_type": event_type,
            "attempts": str(delivery.attempt),
            "rejected_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        attributes = {
            name: {"DataType": "String", "StringValue": _attribute_text(value)}
            for name, value in about.items()
            if value
        }
        if delivery.notification.topic_arn is None:
            carried = Carried(message_id=delivery.notification.message_id, timestamp=delivery.notification.timestamp)
            attributes[CARRIED] = _carried_attribute(carried)
        message: dict[str, Any] = {"MessageBody": delivery.body, "MessageAttributes": attributes}
        if delivery.group is not None:
            message |= {"MessageGroupId": delivery.group, "MessageDeduplicationId": delivery.sqs_message_id}
        aws.client("sqs").send_message(QueueUrl=self._settings.fanout_dead_letter_url, **message)

    def _hide(self, delivery: Delivery, seconds: float) -> None:
        aws.client("sqs").change_message_visibility(
            QueueUrl=self._settings.fanout_inbox_url,
            ReceiptHandle=delivery.receipt_handle,
            VisibilityTimeout=max(0, round(seconds)),
        )

    def _send_again(self, delivery: Delivery, *, attempts: int, seconds: float) -> None:
        carried = Carried(
            attempts=attempts,
            message_id=delivery.notification.message_id,
            timestamp=delivery.notification.timestamp,
        )
        _send(self._settings.fanout_inbox_url, delivery.body, _foreign_attributes(delivery), carried, seconds)


def _send(inbox: str, body: str, attributes: dict[str, dict[str, Any]], carried: Carried, seconds: float) -> None:
    """Put a message into the inbox; the runtime itself sees to what SQS cannot wait for."""
    if seconds > _MAX_DELAY:
        later = min(timedelta(seconds=seconds), LONGEST_WAIT)
        carried = msgspec.structs.replace(carried, not_before=datetime.now(UTC) + later)
    aws.client("sqs").send_message(
        QueueUrl=inbox,
        MessageBody=body,
        MessageAttributes=attributes | {CARRIED: _carried_attribute(carried)},
        DelaySeconds=max(0, min(round(seconds), _MAX_DELAY)),
    )


def _carried_attribute(carried: Carried) -> dict[str, str]:
    return {"DataType": "String", "StringValue": msgspec.json.encode(carried).decode()}


def _foreign_attributes(delivery: Delivery) -> dict[str, dict[str, Any]]:
    """The publisher's attributes, from the form Lambda shows them in to the form SQS takes them in."""
    attributes: dict[str, dict[str, Any]] = {}
    for name, value in delivery.attributes.items():
        text = value.get("stringValue")
        if name != CARRIED and text and len(attributes) < _MAX_ATTRIBUTES - 1:
            attributes[name] = {"DataType": value.get("dataType", "String"), "StringValue": text}
    return attributes


def _attribute_text(value: str) -> str:
    """What SQS allows in an attribute: no control characters, and no more than a person would read."""
    return "".join(character if character.isprintable() else " " for character in value)[:1000]
