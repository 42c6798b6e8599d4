"""Looks into dead-letter queues without taking anything out of them.

SQS has no peek: what is received is hidden from others for its visibility timeout. So everything received is made
visible again at once, and a queue in which somebody else has messages in hand counts as not seen in full.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Long enough to walk a large queue, short enough that a killed command hides nothing for long.
_HOLD_SECONDS = 30
# Somebody else's look takes moments; after this long we answer with what we saw.
_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class DeadLetter:
    """One message in a dead-letter queue."""

    event_ids: frozenset[str]
    message_ids: frozenset[str]
    outcome: str
    """rejected if a subscriber said so, else dead-lettered"""
    reason: str | None
    attempts: int | None
    event: str
    """the body as it was published, out of whatever it was wrapped in"""

    def is_about(self, *keys: str | None) -> bool:
        """Whether one of the keys is the id of the event in it, or the MessageId under which it was published."""
        return any(key in self.event_ids or key in self.message_ids for key in keys if key)


@dataclass(frozen=True)
class Look:
    """What one look into a queue found."""

    letters: tuple[DeadLetter, ...]
    complete: bool
    """False if messages were hidden by somebody else all the while"""


def look(sqs: Any, queue_url: str) -> Look:
    """Return the dead letters in a queue. They stay there, visible to everybody."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        held: dict[str, Mapping[str, Any]] = {}
        try:
            total = sum(_depth(sqs, queue_url))
            while len(held) < total and (batch := _receive(sqs, queue_url)):
                if all(message["MessageId"] in held for message in batch):
                    break  # delivered twice: the hold has expired, so everything has been seen
                held |= {message["MessageId"]: message for message in batch}
        finally:
            _release(sqs, queue_url, held.values())
        letters = tuple(read(message) for message in held.values())
        if len(held) >= total:
            return Look(letters, complete=True)
        if time.monotonic() > deadline:
            return Look(letters, complete=False)


def _depth(sqs: Any, queue_url: str) -> tuple[int, int]:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    return int(attributes[names[0]]), int(attributes[names[1]])


def _receive(sqs: Any, queue_url: str) -> list[Mapping[str, Any]]:
    answer = sqs.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=10,
        VisibilityTimeout=_HOLD_SECONDS,
        WaitTimeSeconds=1,
        MessageAttributeNames=["All"],
    )
    messages: list[Mapping[str, Any]] = answer.get("Messages", [])
    return messages


def _release(sqs: Any, queue_url: str, messages: Any) -> None:
    handles = [message["ReceiptHandle"] for message in messages]
    for first in range(0, len(handles), 10):
        sqs.change_message_visibility_batch(
            QueueUrl=queue_url,
            Entries=[
                {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                for number, handle in enumerate(handles[first : first + 10])
            ],
        )


def read(message: Mapping[str, Any]) -> DeadLetter:
    """Return what a received message of a dead-letter queue says, whoever put it there.

    The runtime puts the body as it was received, with attributes; SQS moves it after the last receive; Lambda sends
    a record of the failed invocation; SNS the notification that it could not deliver.
    """
    attributes = {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()}
    event, message_ids = unwrap(message["Body"])
    found = _json(event)
    event_id = attributes.get("event_id") or (found.get("id") if isinstance(found, dict) else None)
    # A plain text becomes an event whose id is the MessageId.
    event_ids = {event_id} if isinstance(event_id, str) else message_ids
    attempts = attributes.get("attempts", "")
    return DeadLetter(
        frozenset(event_ids),
        frozenset(message_ids | {message["MessageId"]}),
        "rejected" if attributes.get("outcome") == "rejected" else "dead-lettered",
        attributes.get("reason") or None,
        int(attempts) if attempts.isdecimal() else None,
        event,
    )


def unwrap(body: Any) -> tuple[str, set[str]]:
    """Return what was published, out of whatever it was wrapped in on its way, and the ids of the wrappings."""
    match _json(body):
        case {"requestPayload": {"Records": [record, *_]}}:  # Lambda's on-failure destination; SNS sends one record
            return unwrap(record)
        case {"Sns": {"Message": str(text), "MessageId": str(message_id)}}:
            return text, {message_id}
        case {"Type": "Notification", "Message": str(text), "MessageId": str(message_id)}:
            return text, {message_id}
    return body if isinstance(body, str) else json.dumps(body), set()


def _json(body: Any) -> Any:
    if not isinstance(body, str):
        return body
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
