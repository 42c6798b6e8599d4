"""Deliveries: what Lambda hands over, read into one shape whichever way it came.

Three ways: SQS with raw delivery (the body is the event), SQS with the SNS envelope (the body is SNS's notification),
and SNS direct. A fourth is SNS direct by a detour: what Lambda gave up, redriven to the inbox. Shapes: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html,
https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html, https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec

from fanout.event import YEARS

# The one message attribute we add to a message that we put into an inbox ourselves (SQS allows ten).
CARRIED = "fanout"
LONGEST_WAIT = timedelta(days=4)
"""How far away a retry or a clock may be."""


# Whoever publishes to a raw inbox can send a body, and an attribute, that looks as SNS's envelope or ours: nothing in
# either may be out of bounds.
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_MessageId = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
_MOST_ATTEMPTS = 1_000
"""More than any subscriber has."""


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """A message as its topic published it, whatever its text may be."""

    text: str
    message_id: str
    """SNS's MessageId; with raw delivery, where SNS's is lost, the id of the SQS message."""
    timestamp: datetime
    """When SNS took it; with raw delivery, when it entered the queue."""
    topic_arn: str | None
    """None with raw delivery."""
    subject: str | None = None


class Carried(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a message keeps when the runtime puts it into an inbox itself, where SQS would start counting anew."""

    attempts: Annotated[int, msgspec.Meta(ge=0, le=_MOST_ATTEMPTS)] = 0
    """Attempts made before this message was sent."""
    message_id: _MessageId | None = None
    timestamp: _Instant | None = None
    not_before: _Instant | None = None
    """A retry asked for later than SQS can delay a message (15 minutes)."""


class Delivery(msgspec.Struct, kw_only=True):
    """One record of an invocation."""

    notification: Notification
    body: str
    """What stands in the queue, or for a direct delivery what would: the form it has as a dead letter."""
    attempt: int
    carried: Carried
    sqs_message_id: str | None = None
    """None for a direct delivery; an inbox's otherwise, with the two below."""
    receipt_handle: str = ""
    attributes: Mapping[str, Any] = {}
    """The message's own attributes, as Lambda writes them."""
    group: str | None = None

    @property
    def is_direct(self) -> bool:
        """Tell whether SNS invoked the function itself."""
        return self.sqs_message_id is None


class _Envelope(msgspec.Struct):
    """SNS's notification as it puts it into a queue."""

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
_carried = msgspec.json.Decoder(Carried)


def read(record: Mapping[str, Any]) -> Delivery:
    """Return one record of a Lambda event as a Delivery. Raises KeyError for a record of another service."""
    return _from_sns(record) if "Sns" in record else _from_sqs(record)


def of_failed_invocation(body: str) -> str | None:
    """Return the notification that SNS handed to a function and Lambda gave up, in the form it has in a queue.

    body: a message of an on-failure destination. None for any other text, and for invocations that SNS did not make.
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
        carried=Carried(),
    )


def _from_sqs(record: Mapping[str, Any]) -> Delivery:
    # Lambda's record of a failed invocation stands in an inbox while its subscriber is paused (`fanout pause`), and
    # when somebody redrives with the tools of SQS.
    body = of_failed_invocation(record["body"]) or record["body"]
    system = record["attributes"]
    attributes = record.get("messageAttributes") or {}
    carried = _read_carried(attributes)
    return Delivery(
        notification=_notification(record, body, system, carried),
        body=body,
        attempt=carried.attempts + int(system["ApproximateReceiveCount"]),
        carried=carried,
        sqs_message_id=record["messageId"],
        receipt_handle=record["receiptHandle"],
        attributes=attributes,
        group=system.get("MessageGroupId") if record["eventSourceARN"].endswith(".fifo") else None,
    )


def _notification(record: Mapping[str, Any], body: str, system: Mapping[str, str], carried: Carried) -> Notification:
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
        message_id=carried.message_id or record["messageId"],
        timestamp=carried.timestamp or sent_at,
        topic_arn=None,
    )


def _read_carried(attributes: Mapping[str, Any]) -> Carried:
    value = attributes.get(CARRIED)
    if not value:
        return Carried()
    try:
        carried = _carried.decode(value.get("stringValue") or "")
    except (ValueError, RecursionError):  # somebody else's attribute of that name
        return Carried()
    if carried.timestamp is not None and carried.timestamp.year not in YEARS:
        return Carried()
    if carried.not_before is not None and carried.not_before - datetime.now(UTC) > LONGEST_WAIT:
        return Carried()  # none of ours: a message that is put off for years would be a message that is lost
    return carried


def _instant(text: str) -> datetime:
    return msgspec.convert(text, datetime)
