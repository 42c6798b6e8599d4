"""Read a dead letter: what sent it to the queue, why and when, and which event it holds.

Four senders use a dead-letter queue: the runtime (`fanout.queue`, with attributes that say why), SQS (a message that
was received too often: its function was killed each time), Lambda (the record of an invocation that failed), and SNS
(a notification that it could not deliver).
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from fanout.delivery import REDELIVERY_ATTRIBUTE
from fanout_cli.dead_letters.queue import DeadLetterQueue
from fanout_cli.times import parse_time

# Another consumer holds messages for moments only; after this time the result is what was seen.
TIMEOUT_SECONDS = 5.0
_AGAIN_SECONDS = 0.2

# The attributes that the runtime adds to a dead letter.
RUNTIME_ATTRIBUTES = frozenset(
    {"outcome", "reason", "code", "subscriber", "event_id", "event_type", "attempts", "rejected_at"}
)
_OUTCOMES = frozenset({"rejected", "dead-lettered"})
_WRITTEN_BY_RUNTIME = RUNTIME_ATTRIBUTES | {REDELIVERY_ATTRIBUTE}
# A publisher may have written the attribute.
_LONGEST_NUMBER = 10
_GAVE_UP = re.compile(r"^gave up after \d+ attempts?: ")


class Origin(StrEnum):
    """What sent the message to the dead-letter queue."""

    RUNTIME = "runtime"
    SQS = "sqs"
    LAMBDA = "lambda"
    SNS = "sns"


@dataclass(frozen=True)
class DeadLetter:
    """One message in a dead-letter queue."""

    message_id: str
    """of the message in the dead-letter queue"""
    event_ids: frozenset[str]
    message_ids: frozenset[str]
    event_type: str | None
    origin: Origin
    outcome: str
    """rejected if the subscriber rejected it, else dead-lettered"""
    code: str | None
    """the code of the rejection; docs/rejections.md lists them"""
    reason: str | None
    """what the runtime wrote; None if something else sent the message"""
    attempts: int | None
    at: datetime | None
    """when it was dead-lettered, as exactly as is known"""
    cause: str
    """the reason, else what is known, in the same form: a code, a colon, an explanation"""
    event: str
    """the body as it was published, without envelopes"""

    @property
    def cause_class(self) -> str:
        """The code that groups dead letters, else the cause up to its colon; "gave up" for any number of attempts."""
        if self.code:
            return self.code
        if _GAVE_UP.match(self.cause):
            return "gave up"
        return self.cause.partition(":")[0].strip()

    @property
    def event_id(self) -> str | None:
        """The event's id; None if it is ambiguous."""
        return next(iter(self.event_ids)) if len(self.event_ids) == 1 else None

    def without_body(self) -> "DeadLetter":
        """Return the dead letter without its body, for keeping thousands of them in memory."""
        return replace(self, event="")

    def is_about(self, *keys: str | None) -> bool:
        """Return whether one of the keys is the id of its event, or the MessageId under which that was published."""
        return any(key in self.event_ids or key in self.message_ids for key in keys if key)


@dataclass(frozen=True)
class Peek:
    """The dead letters that one scan of a queue found."""

    dead_letters: tuple[DeadLetter, ...]
    complete: bool
    """False if messages stayed hidden: held by another consumer, or behind others of a FIFO group"""


def peek(sqs: Any, queue_url: str, *, briefly: bool = False) -> Peek:
    """Return the dead letters in a queue. They stay there, visible to every consumer.

    A queue that SQS counts as empty is skipped. briefly: stop when SQS's count is reached. Being certain that there is
    nothing else takes seconds, too long for a caller that polls all queues.
    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    queue = DeadLetterQueue(sqs, queue_url)
    while queue.depth().total:
        with queue.scan() as scan:
            dead_letters: list[DeadLetter] = []
            for batch in scan.batches():
                dead_letters += [read(message) for message in batch]
                if briefly and scan.seen >= scan.expected:
                    break
        complete = scan.seen >= scan.expected
        # Waiting does not reveal what a FIFO group hides.
        if complete or queue.is_fifo or time.monotonic() > deadline:
            return Peek(tuple(dead_letters), complete)
        time.sleep(_AGAIN_SECONDS)
    return Peek((), complete=True)


def read(message: Mapping[str, Any]) -> DeadLetter:
    """Return the dead letter in a received message of a dead-letter queue."""
    attributes = {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()}
    system = message.get("Attributes", {})
    record = _json(message["Body"])
    origin = _origin(attributes, system, record)
    event, message_ids = unwrap(message["Body"])
    found = _json(event)
    event_id = attributes.get("event_id") or (found.get("id") if isinstance(found, dict) else None)
    kind = attributes.get("event_type") or (found.get("type") if isinstance(found, dict) else None)
    message_ids |= {message["MessageId"]} | _carried_message_id(attributes)
    # A plain text becomes an event whose id is the MessageId.
    event_ids = {event_id} if isinstance(event_id, str) else message_ids - {message["MessageId"]}
    by_runtime = origin is Origin.RUNTIME
    context = record["requestContext"] if origin is Origin.LAMBDA else {}
    attempts = str(attributes.get("attempts", "") if by_runtime else context.get("approximateInvokeCount", ""))
    reason = attributes.get("reason") or None if by_runtime else None
    stated = attributes.get("rejected_at") if by_runtime else record.get("timestamp") if context else None
    return DeadLetter(
        message_id=message["MessageId"],
        event_ids=frozenset(event_ids),
        event_type=kind if isinstance(kind, str) else None,
        message_ids=frozenset(message_ids),
        origin=origin,
        outcome="rejected" if by_runtime and attributes.get("outcome") == "rejected" else "dead-lettered",
        code=attributes.get("code") or None if by_runtime else None,
        reason=reason,
        attempts=int(attempts) if attempts.isdecimal() and len(attempts) < _LONGEST_NUMBER else None,
        at=parse_time(stated) or _sent_at(system),
        cause=reason or _explain(origin, record, attributes),
        event=event,
    )


def _origin(attributes: Mapping[str, str], system: Mapping[str, str], record: Any) -> Origin:
    # SQS names the queue that it moved a message from; then the attributes are the publisher's.
    if system.get("DeadLetterQueueSourceArn"):
        return Origin.SQS
    # The runtime passes no attribute of a publisher on to here. SNS does, beside those that say why it gave up.
    if attributes.get("outcome") in _OUTCOMES and attributes.keys() <= _WRITTEN_BY_RUNTIME:
        return Origin.RUNTIME
    match record:
        case {"requestContext": dict(), "requestPayload": _}:
            return Origin.LAMBDA
    return Origin.SNS


_BY_ORIGIN = {
    Origin.RUNTIME: "no reason: the subscriber gave none",
    Origin.SQS: "received too often: no attempt came to an end; the function was killed or timed out each time",
    Origin.SNS: "not delivered: SNS could not hand it over",
}
_BY_CONDITION = {
    "EventAgeExceeded": "too old: Lambda had no room for it for as long as it keeps an event",
    "ZeroReservedConcurrency": "stopped: the function's reserved concurrency was zero",
}


def _explain(origin: Origin, record: Any, attributes: Mapping[str, str]) -> str:
    """Return the cause of a dead letter that has no reason."""
    if origin is not Origin.LAMBDA:
        detail = attributes.get("ErrorMessage") if origin is Origin.SNS else None
        return f"{_BY_ORIGIN[origin]} ({detail})" if detail else _BY_ORIGIN[origin]
    condition, answer = record["requestContext"].get("condition"), record.get("responsePayload")
    detail = answer.get("errorMessage") if isinstance(answer, dict) else None
    return _BY_CONDITION.get(str(condition), f"function failed: {detail or condition}")


def _sent_at(system: Mapping[str, str]) -> datetime | None:
    sent = system.get("SentTimestamp", "")
    return datetime.fromtimestamp(int(sent) / 1000, UTC) if sent.isdecimal() else None


def _carried_message_id(attributes: Mapping[str, str]) -> set[str]:
    """Return the MessageId of its publishing, if the body does not contain it."""
    carried = _json(attributes.get(REDELIVERY_ATTRIBUTE, ""))
    found = carried.get("message_id") if isinstance(carried, dict) else None
    return {found} if isinstance(found, str) else set()


def unwrap(body: Any) -> tuple[str, set[str]]:
    """Return the body that was published, without envelopes, and the MessageIds in the envelopes."""
    match _json(body):
        case {"requestPayload": {"Records": [record, *_]}}:  # Lambda's on-failure destination; SNS sends one record
            body = record  # once only: a publisher may nest such records
    match _json(body):
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
