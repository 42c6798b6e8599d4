"""Deliveries: Lambda's records, read into one shape for every way of delivery.

There are three ways: SQS with raw delivery (the body is the event), SQS with the SNS envelope (the body is SNS's
notification), and SNS direct. A fourth is a direct invocation that Lambda gave up, redriven to the queue. Shapes:
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html,
https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html, https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec

from fanout.event import YEARS

REDELIVERY_ATTRIBUTE = "fanout"
"""The message attribute that holds the RedeliveryState of a message that the runtime sent itself (SQS allows ten)."""
MAX_WAIT = timedelta(days=4)
"""The longest delay of a retry or of `send_delayed`."""


# A publisher can send a body or an attribute that looks like SNS's envelope or our state with raw delivery, so every
# value in either has bounds.
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_MessageId = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
_MAX_ATTEMPTS = 1_000
"""More than any subscriber has."""


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """A message as its topic published it, with any text."""

    text: str
    message_id: str
    """SNS's MessageId; with raw delivery, where SNS's is lost, the id of the SQS message."""
    timestamp: datetime
    """When SNS accepted it; with raw delivery, when it entered the queue."""
    topic_arn: str | None
    """None with raw delivery."""
    subject: str | None = None


class RedeliveryState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a message keeps when the runtime sends it to a queue itself, as SQS then starts counting from zero."""

    attempts: Annotated[int, msgspec.Meta(ge=0, le=_MAX_ATTEMPTS)] = 0
    """Attempts made before this message was sent."""
    message_id: _MessageId | None = None
    timestamp: _Instant | None = None
    not_before: _Instant | None = None
    """A retry asked for later than SQS can delay a message (15 minutes)."""


class Delivery(msgspec.Struct, kw_only=True):
    """One record of an invocation."""

    notification: Notification
    body: str
    """The message body in the queue, or for a direct delivery the body that it has as a dead letter."""
    attempt: int
    redelivery: RedeliveryState
    sqs_message_id: str | None = None
    """None for a direct delivery."""
    receipt_handle: str = ""
    attributes: Mapping[str, Any] = {}
    """The message's attributes in Lambda's form."""
    group: str | None = None

    @property
    def is_direct(self) -> bool:
        """Tell whether SNS invoked the function itself."""
        return self.sqs_message_id is None


class _Envelope(msgspec.Struct):
    """SNS's notification as it sends it to a queue."""

    Type: Literal["Notification"]
    MessageId: _MessageId
    TopicArn: Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
    Message: str
    Timestamp: _Instant
    Subject: str | None = None


class _Payload(msgspec.Struct, rename="pascal"):
    records: Annotated[list[dict[str, Any]], msgspec.Meta(min_length=1, max_length=1)]


class _FailedInvocation(msgspec.Struct, rename="camel"):
    """What Lambda sends to an on-failure destination: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""

    request_context: dict[str, Any]
    request_payload: _Payload


_envelope = msgspec.json.Decoder(_Envelope)
_failed_invocation = msgspec.json.Decoder(_FailedInvocation)
_redelivery_state = msgspec.json.Decoder(RedeliveryState)


def read(record: Mapping[str, Any]) -> Delivery:
    """Return one record of a Lambda event as a Delivery. Raises KeyError for a record of another service."""
    return _from_sns(record) if "Sns" in record else _from_sqs(record)


def of_failed_invocation(body: str) -> str | None:
    """Return the notification of an invocation that Lambda gave up, in the form it has in a queue.

    body: a message of an on-failure destination. None for any other text, and for an invocation that SNS did not make.
    """
    if '"requestPayload"' not in body:
        return None
    try:
        [record] = _failed_invocation.decode(body).request_payload.records
        return _in_queue_form(record["Sns"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _in_queue_form(sns: Mapping[str, Any]) -> str:
    body = {
        "Type": "Notification",
        "MessageId": sns["MessageId"],
        "TopicArn": sns["TopicArn"],
        "Message": sns["Message"],
        "Timestamp": sns["Timestamp"],
    }
    if sns.get("Subject") is not None:
        body["Subject"] = sns["Subject"]
    if sns.get("MessageAttributes"):
        body["MessageAttributes"] = sns["MessageAttributes"]
    return msgspec.json.encode(body).decode()


def _from_sns(record: Mapping[str, Any]) -> Delivery:
    sns = record["Sns"]
    return Delivery(
        notification=Notification(
            text=sns["Message"],
            message_id=sns["MessageId"],
            timestamp=_instant(sns["Timestamp"]),
            topic_arn=sns["TopicArn"],
            subject=sns.get("Subject"),
        ),
        body=_in_queue_form(sns),
        attempt=1,
        redelivery=RedeliveryState(),
    )


def _from_sqs(record: Mapping[str, Any]) -> Delivery:
    # A queue holds Lambda's record of a failed invocation while its subscriber is paused (`fanout pause`), and after a
    # redrive with the tools of SQS.
    body = of_failed_invocation(record["body"]) or record["body"]
    system = record["attributes"]
    attributes = record.get("messageAttributes") or {}
    redelivery = _read_redelivery(attributes)
    return Delivery(
        notification=_notification(record, body, system, redelivery),
        body=body,
        attempt=redelivery.attempts + int(system["ApproximateReceiveCount"]),
        redelivery=redelivery,
        sqs_message_id=record["messageId"],
        receipt_handle=record["receiptHandle"],
        attributes=attributes,
        group=system.get("MessageGroupId") if record["eventSourceARN"].endswith(".fifo") else None,
    )


def _notification(
    record: Mapping[str, Any], body: str, system: Mapping[str, str], redelivery: RedeliveryState
) -> Notification:
    # Cheap test first: with raw delivery nothing but the event itself would mention a TopicArn.
    if '"TopicArn"' in body:
        try:
            envelope = _envelope.decode(body)
        except (ValueError, RecursionError):
            envelope = None
        if envelope is not None and envelope.Timestamp.year in YEARS:
            return Notification(
                text=envelope.Message,
                message_id=envelope.MessageId,
                timestamp=envelope.Timestamp,
                topic_arn=envelope.TopicArn,
                subject=envelope.Subject,
            )
    sent_at = datetime.fromtimestamp(int(system["SentTimestamp"]) / 1000, UTC)
    return Notification(
        text=body,
        message_id=redelivery.message_id or record["messageId"],
        timestamp=redelivery.timestamp or sent_at,
        topic_arn=None,
    )


def _read_redelivery(attributes: Mapping[str, Any]) -> RedeliveryState:
    value = attributes.get(REDELIVERY_ATTRIBUTE)
    if not value:
        return RedeliveryState()
    try:
        redelivery = _redelivery_state.decode(value.get("stringValue") or "")
    except (ValueError, RecursionError):  # another application's attribute of that name
        return RedeliveryState()
    if redelivery.timestamp is not None and redelivery.timestamp.year not in YEARS:
        return RedeliveryState()
    if redelivery.not_before is not None and redelivery.not_before - datetime.now(UTC) > MAX_WAIT:
        return RedeliveryState()  # forged: a message that is delayed for years is lost
    return redelivery


def _instant(text: str) -> datetime:
    return msgspec.convert(text, datetime)
