"""A subscriber's own queue and dead-letter queue: retry, release, dead-letter, send with a delay."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from fanout import aws, settings
from fanout.delivery import MAX_WAIT, REDELIVERY_ATTRIBUTE, Delivery, RedeliveryState
from fanout.event import Event, encode

aws.prepare("sqs")

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html (DelaySeconds)
_MAX_DELAY = 900
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html: 12 hours,
# counted from the receive; 15 minutes less, because the function has had the message for up to that long.
_MAX_VISIBILITY = 43_200 - 900
_MAX_ATTRIBUTES = 10
_MAX_BACKOFF = 3_600.0


class SubscriberSettings(msgspec.Struct, frozen=True):
    """The environment that `platform/subscriber.yaml` and the use case's template give a subscriber."""

    fanout_subscriber: str
    fanout_queue_url: str
    fanout_dead_letter_url: str
    fanout_max_attempts: int = 10
    fanout_backoff_seconds: float = 15
    fanout_attempts_table: str = ""
    """Where the attempts at a FIFO queue's messages are counted. Empty for a standard queue: SQS counts them."""


def backoff(attempt: int, first: float) -> float:
    """Return the seconds to wait after attempt 1, 2, 3...: `first`, doubled each time up to an hour, plus jitter.

    The jitter only adds (up to a quarter), so ten attempts that start at 15 s span at least two hours: an outage of an
    hour dead-letters nothing. Why jitter: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
    """
    return min(_MAX_BACKOFF, first * 2.0 ** (attempt - 1)) * random.uniform(1, 1.25)  # noqa: S311


def send_delayed(event: Event[Any], seconds: float) -> None:
    """Send an event to this subscriber's own queue, to be handled after a delay of any length.

    The event has the queue's retries and dead letters. It may be delivered twice, and late if the subscriber is down.
    Raises what SQS raises.
    """
    queue = settings.load(SubscriberSettings).fanout_queue_url
    _send(queue, encode(event).decode(), {}, RedeliveryState(), seconds)


class Queue:
    """One subscriber's queue and dead-letter queue. Every method raises what SQS raises."""

    def __init__(self, settings: SubscriberSettings) -> None:
        self._settings = settings

    def retry(self, delivery: Delivery, seconds: float) -> None:
        """Have the delivery delivered again after `seconds`, counting this attempt.

        A message of the queue stays there, invisible for that long. A direct delivery becomes a message of the queue.
        """
        if delivery.is_direct:
            self._send_again(delivery, attempts=delivery.attempt, seconds=seconds)
            return
        self._change_visibility(delivery, min(seconds, _MAX_VISIBILITY))

    def release(self, delivery: Delivery, seconds: float = 0) -> bool:
        """Release a delivery that was not attempted, without the receive counting as an attempt.

        SQS counts every receive, so the message is sent anew with its previous count; returns True: the caller must
        acknowledge the old message. In a FIFO queue a new message would lose its place: the old one is made visible
        again, the receive counts, and the answer is False.
        """
        if delivery.group is not None:
            self._change_visibility(delivery, 0)
            return False
        self._send_again(delivery, attempts=delivery.attempt - 1, seconds=seconds)
        return True

    def dead_letter(
        self,
        delivery: Delivery,
        *,
        outcome: str,
        reason: str,
        code: str | None,
        event_id: str | None,
        event_type: str | None,
    ) -> None:
        """Send the delivery to the dead-letter queue, with subscriber, reason and time as message attributes.

        The attributes also keep the id and time of its publishing if its body does not hold them: they are the identity
        of a body without an event's, which a redrive must not change.
        """
        about = {
            "outcome": outcome,
            "reason": reason,
            "code": code,
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
            published = delivery.notification
            state = RedeliveryState(message_id=published.message_id, timestamp=published.timestamp)
            attributes[REDELIVERY_ATTRIBUTE] = _redelivery_attribute(state)
        message: dict[str, Any] = {"MessageBody": delivery.body, "MessageAttributes": attributes}
        if delivery.group is not None:
            message |= {"MessageGroupId": delivery.group, "MessageDeduplicationId": delivery.sqs_message_id}
        elif delivery.fair_group is not None:
            message["MessageGroupId"] = delivery.fair_group
        aws.client("sqs").send_message(QueueUrl=self._settings.fanout_dead_letter_url, **message)

    def _change_visibility(self, delivery: Delivery, seconds: float) -> None:
        aws.client("sqs").change_message_visibility(
            QueueUrl=self._settings.fanout_queue_url,
            ReceiptHandle=delivery.receipt_handle,
            VisibilityTimeout=max(0, round(seconds)),
        )

    def _send_again(self, delivery: Delivery, *, attempts: int, seconds: float) -> None:
        state = RedeliveryState(
            attempts=attempts,
            message_id=delivery.notification.message_id,
            timestamp=delivery.notification.timestamp,
        )
        group = {"MessageGroupId": delivery.fair_group} if delivery.fair_group else {}
        _send(self._settings.fanout_queue_url, delivery.body, _publisher_attributes(delivery), state, seconds, **group)


def _send(
    queue: str,
    body: str,
    attributes: dict[str, dict[str, Any]],
    state: RedeliveryState,
    seconds: float,
    **group: str,
) -> None:
    """Send a message to the queue. A delay beyond SQS's maximum is stored in `state`, and the runtime observes it."""
    if seconds > _MAX_DELAY:
        delay = min(timedelta(seconds=seconds), MAX_WAIT)
        state = msgspec.structs.replace(state, not_before=datetime.now(UTC) + delay)
    aws.client("sqs").send_message(
        QueueUrl=queue,
        MessageBody=body,
        MessageAttributes=attributes | {REDELIVERY_ATTRIBUTE: _redelivery_attribute(state)},
        DelaySeconds=max(0, min(round(seconds), _MAX_DELAY)),
        **group,
    )


def _redelivery_attribute(state: RedeliveryState) -> dict[str, str]:
    return {"DataType": "String", "StringValue": msgspec.json.encode(state).decode()}


def _publisher_attributes(delivery: Delivery) -> dict[str, dict[str, Any]]:
    """Convert the publisher's attributes from Lambda's form to the form that SQS accepts."""
    attributes: dict[str, dict[str, Any]] = {}
    for name, value in delivery.attributes.items():
        text = value.get("stringValue")
        if name != REDELIVERY_ATTRIBUTE and text and len(attributes) < _MAX_ATTRIBUTES - 1:
            attributes[name] = {"DataType": value.get("dataType", "String"), "StringValue": text}
    return attributes


def _attribute_text(value: str) -> str:
    """Return the text as SQS accepts it in an attribute: without control characters, at most 1,000 characters."""
    return "".join(character if character.isprintable() else " " for character in value)[:1000]
