"""Converts plain text, as published in the SNS console, to a message to everyone."""

import msgspec

from fanout import Event, Reject
from fanout.contracts.team_events import TeamMessagePosted
from fanout.delivery import Notification

# JSON's white space, and the byte order mark that some editors write.
_BEFORE_JSON = " \t\r\n\ufeff"


def from_plain_text(notification: Notification) -> Event[TeamMessagePosted] | None:
    """Return the event for a text that does not start with `{`; None for any other body.

    Its id is SNS's MessageId, its source the TopicArn, its time the Timestamp. Raw delivery drops them: plain text in a
    queue with raw delivery is not an event. Raises Reject for JSON arrays that programs publish.
    """
    text = notification.text.lstrip(_BEFORE_JSON)
    if notification.topic_arn is None or text.startswith("{"):
        return None
    if text.startswith("["):
        _reject_documents(text)
    return Event.new(
        TeamMessagePosted(text=notification.text, author="sns"),
        id=notification.message_id,
        source=notification.topic_arn,
        time=notification.timestamp,
        subject=notification.subject,
    )


def _reject_documents(text: str) -> None:
    """Raise Reject for a batch of CloudEvents, and for the pointer by which SNS's extended client sends a large one.

    https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md#4-json-batch-format
    https://github.com/awslabs/payload-offloading-java-common-lib-for-aws (PayloadS3Pointer)
    """
    try:
        items = msgspec.json.decode(text, type=list)
    except (ValueError, RecursionError):
        return
    if items and all(isinstance(item, dict) and "specversion" in item for item in items):
        raise Reject("invalid-event", "a batch of CloudEvents; publish each event as a message of its own")
    if len(items) == 2 and isinstance(items[0], str) and items[0].endswith("S3Pointer") and isinstance(items[1], dict):
        raise Reject("invalid-event", "a pointer to a message in S3; large events go through fanout's claim check")
