"""A plain text published by hand, say in the SNS console, is a message to everyone."""

import msgspec

from fanout.contracts.team_events import TeamMessagePosted
from fanout.delivery import Notification
from fanout.event import Event
from fanout.failures import Reject

# White space as JSON has it, and the byte order mark that some editors begin a file with.
_BEFORE_JSON = " \t\r\n\ufeff"


def from_plain_text(notification: Notification) -> Event[TeamMessagePosted] | None:
    """Return the event that a text not starting with `{` stands for; None for anything else.

    Its identity is SNS's: id = MessageId, source = TopicArn, time = Timestamp. A queue with raw delivery has lost them,
    so there plain text stays what it is: not an event. Raises Reject for what programs publish in a JSON array.
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
        raise Reject("invalid-event: a batch of CloudEvents; publish each event as a message of its own")
    if len(items) == 2 and isinstance(items[0], str) and items[0].endswith("S3Pointer") and isinstance(items[1], dict):
        raise Reject("invalid-event: a pointer to a message in S3; large events go through fanout's claim check")
