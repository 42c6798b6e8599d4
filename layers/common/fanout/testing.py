"""Test helpers: Lambda's events and context in AWS's shapes.

    response = team_a.handler(lambda_event([sqs_record(event)]), LambdaContext())

The shapes: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html, https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
"""

import hashlib
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from fanout.event import Event, encode

REGION = "us-east-1"
ACCOUNT = "123456789012"  # the example account of AWS's documentation


class LambdaContext:
    """Lambda's context object, with a running clock. `timeout`: the function's, in seconds."""

    function_name = "function-under-test"
    memory_limit_in_mb = 256

    def __init__(self, timeout: float = 30) -> None:
        self._deadline = time.monotonic() + timeout
        self.aws_request_id = str(uuid.uuid4())
        self.invoked_function_arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda would kill the function."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def _text(event: Event[Any] | str) -> str:
    return event if isinstance(event, str) else encode(event).decode()


def sqs_record(
    event: Event[Any] | str,
    *,
    queue: str = "inbox",
    receive_count: int = 1,
    group: str | None = None,
    attributes: Mapping[str, str] | None = None,
    message_id: str | None = None,
) -> dict[str, Any]:
    """Return an SQS record whose body is the event (or any text): raw delivery.

    group: a FIFO queue's message group; `queue` then ends in `.fifo`. attributes: string message attributes.
    """
    body = _text(event)
    now = str(int(time.time() * 1000))
    system = {
        "ApproximateReceiveCount": str(receive_count),
        "SentTimestamp": now,
        "SenderId": "AIDAEXAMPLE",
        "ApproximateFirstReceiveTimestamp": now,
    }
    if group is not None:
        system |= {
            "MessageGroupId": group,
            "MessageDeduplicationId": hashlib.sha256(body.encode("utf-8", "replace")).hexdigest(),
            "SequenceNumber": "18849496460467696128",
        }
        queue = queue if queue.endswith(".fifo") else f"{queue}.fifo"
    return {
        "messageId": message_id or str(uuid.uuid4()),
        "receiptHandle": f"receipt-{uuid.uuid4()}",
        "body": body,
        "attributes": system,
        "messageAttributes": {
            name: {"stringValue": value, "stringListValues": [], "binaryListValues": [], "dataType": "String"}
            for name, value in (attributes or {}).items()
        },
        "md5OfBody": hashlib.md5(body.encode("utf-8", "replace"), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
        "awsRegion": REGION,
    }


def notification(event: Event[Any] | str, *, topic: str = "topic", subject: str | None = None) -> dict[str, Any]:
    """Return SNS's notification of an event (or any text), as the body of an SQS message with the SNS envelope."""
    body = {
        "Type": "Notification",
        "MessageId": str(uuid.uuid4()),
        "TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:{topic}",
        "Message": _text(event),
        "Timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-example.pem",
        "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
    }
    return body if subject is None else {**body, "Subject": subject}


def envelope_record(
    event: Event[Any] | str, *, topic: str = "topic", subject: str | None = None, receive_count: int = 1
) -> dict[str, Any]:
    """Return an SQS record whose body is SNS's notification: delivery with the SNS envelope."""
    body = msgspec.json.encode(notification(event, topic=topic, subject=subject)).decode()
    return sqs_record(body, receive_count=receive_count)


def sns_record(event: Event[Any] | str, *, topic: str = "topic", subject: str | None = None) -> dict[str, Any]:
    """Return a record as SNS passes it to a function directly."""
    sns = notification(event, topic=topic, subject=subject)
    sns["SigningCertUrl"] = sns.pop("SigningCertURL")
    sns["UnsubscribeUrl"] = sns.pop("UnsubscribeURL")
    return {
        "EventVersion": "1.0",
        "EventSubscriptionArn": f"{sns['TopicArn']}:{uuid.uuid4()}",
        "EventSource": "aws:sns",
        "Sns": {"Subject": None, "MessageAttributes": {}, **sns},
    }


def failed_invocation(record: Mapping[str, Any], condition: str = "RetriesExhausted") -> dict[str, Any]:
    """Return what Lambda sends to the on-failure destination of a function that SNS invoked with this record."""
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{LambdaContext.function_name}:live"
    context = {"requestId": str(uuid.uuid4()), "functionArn": function, "condition": condition}
    message = {
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {**context, "approximateInvokeCount": 3 if condition == "RetriesExhausted" else 0},
        "requestPayload": {"Records": [record]},
    }
    if condition == "ZeroReservedConcurrency":
        return message  # the function was not invoked, so there is no response
    return {
        **message,
        "responseContext": {"statusCode": 200, "executedVersion": "1", "functionError": "Unhandled"},
        "responsePayload": {
            "errorType": "Runtime.ExitError",
            "errorMessage": "Runtime exited with error: signal: killed",
        },
    }


def lambda_event(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the event with which Lambda calls a handler for these records."""
    return {"Records": list(records)}
