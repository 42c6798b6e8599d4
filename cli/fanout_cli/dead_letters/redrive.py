"""Redrive or delete chosen messages of a dead-letter queue.

A message leaves the queue only after SQS has confirmed the action. An interruption between the two leaves it in both
queues; the subscriber recognizes the second delivery as a duplicate.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import msgspec

from fanout.delivery import REDELIVERY_ATTRIBUTE, RedeliveryState, of_failed_invocation
from fanout_cli.dead_letters.dead_letter import RUNTIME_ATTRIBUTES, TIMEOUT_SECONDS, DeadLetter, Origin, read
from fanout_cli.dead_letters.queue import BATCH, DeadLetterQueue, Message

_AGAIN_SECONDS = 0.2
# Of one request to SQS. (A single message may have 1 MiB, and then travels alone.)
_REQUEST_BYTES = 256 * 1024
_MAX_ATTRIBUTES = 10
# What SNS and Lambda add to a message that they put into a dead-letter queue.
_ERROR_ATTRIBUTES = frozenset({"RequestID", "ErrorCode", "ErrorMessage"})


@dataclass(frozen=True)
class Result:
    """The outcome of one message."""

    dead_letter: DeadLetter
    outcome: str
    """redriven, deleted, failed or skipped"""
    detail: str | None = None


@dataclass
class Summary:
    """The outcomes of the chosen messages."""

    results: list[Result] = field(default_factory=list)
    missing: int = 0
    """chosen, but gone or held by another consumer when their turn came"""

    def count(self, outcome: str) -> int:
        """Return the number of messages with this outcome."""
        return sum(each.outcome == outcome for each in self.results)


class Action(Protocol):
    """An action on messages, in the order given: a FIFO queue returns the messages of a group in order."""

    def apply(self, messages: Sequence[Message]) -> tuple[list[Result], Collection[str]]:
        """Apply the action; return the results, and the ids of the messages that have left the queue."""


class RateLimiter:
    """Limits the messages per second, evenly, with bursts of one second at most."""

    def __init__(self, per_second: float | None) -> None:
        self._per_second = per_second
        self._last = time.monotonic()
        self._room = 1.0

    def room(self) -> int:
        """Wait until a message may be processed; return how many may be, up to a batch."""
        if self._per_second is None:
            return BATCH
        while True:
            now = time.monotonic()
            self._room = min(max(1.0, self._per_second), self._room + (now - self._last) * self._per_second)
            self._last = now
            if self._room >= 1:
                return min(BATCH, int(self._room))
            time.sleep((1 - self._room) / self._per_second)

    def consume(self, messages: int) -> None:
        """Count processed messages against the limit."""
        self._room -= messages


def apply_action(
    queue: DeadLetterQueue,
    chosen: Collection[str],
    action: Action,
    summary: Summary,
    *,
    rate_limiter: RateLimiter,
    everything: bool = False,
    on_results: Callable[[Sequence[Result]], None],
) -> set[str]:
    """Apply the action to the chosen messages (by id), and to no other: what arrives meanwhile stays as well.

    Returns the ids of those that were gone or held by another consumer. summary: takes every result at once, so that
    it is true even after an interruption. everything: all messages of the queue are chosen, so the scan holds one batch
    at a time, and a crash hides few messages briefly.
    Raises what SQS raises; the messages without a result are then still in the queue.
    """
    remaining = set(chosen)
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while remaining:
        before = len(remaining)
        with queue.scan(briefly=everything) as scan:
            for batch in scan.batches(rate_limiter.room):
                ours = [message for message in batch if message["MessageId"] in remaining]
                if not ours:
                    continue
                results, gone = action.apply(ours)
                scan.forget(gone)
                remaining -= {message["MessageId"] for message in ours}
                rate_limiter.consume(len(ours))
                results = [replace(each, dead_letter=each.dead_letter.without_body()) for each in results]
                summary.results += results
                on_results(results)
                if not remaining:
                    break
        if len(remaining) < before:
            deadline = time.monotonic() + TIMEOUT_SECONDS
        elif time.monotonic() > deadline:
            break
        else:
            time.sleep(_AGAIN_SECONDS)
    summary.missing += len(remaining)
    return remaining


class Deletion:
    """Deletes messages permanently."""

    def __init__(self, queue: DeadLetterQueue) -> None:
        self._queue = queue

    def apply(self, messages: Sequence[Message]) -> tuple[list[Result], Collection[str]]:
        """Delete the messages."""
        gone = self._queue.delete(messages)
        return [
            Result(read(each), "deleted") if each["MessageId"] in gone
            else Result(read(each), "failed", "SQS did not delete it")
            for each in messages
        ], gone  # fmt: skip


class Redrive:
    """Sends messages to the subscriber's inbox, as it first received them, and then deletes them."""

    def __init__(self, sqs: Any, queue: DeadLetterQueue, inbox_url: str) -> None:
        self._sqs = sqs
        self._queue = queue
        self._inbox_url = inbox_url
        self._blocked_groups: set[str] = set()

    def apply(self, messages: Sequence[Message]) -> tuple[list[Result], Collection[str]]:
        """Send the messages, and delete those that SQS has confirmed."""
        results: dict[str, Result] = {}
        entries: list[dict[str, Any]] = []
        for message in messages:
            dead_letter = read(message)
            entry = as_first_seen(message, dead_letter, fifo=self._queue.is_fifo)
            if entry is None:
                why = "Lambda's record of an invocation that SNS did not make: nothing that the inbox could take"
                results[dead_letter.message_id] = Result(dead_letter, "skipped", why)
            else:
                results[dead_letter.message_id] = Result(dead_letter, "failed", "not sent")
                entries.append(entry)
        for request in self._requests(entries):
            if (group := request[0].get("MessageGroupId")) in self._blocked_groups:
                name = request[0]["Id"]
                why = f"an earlier message of its group {group} could not be sent"
                results[name] = Result(results[name].dead_letter, "skipped", why)
                continue
            answer = self._sqs.send_message_batch(QueueUrl=self._inbox_url, Entries=request)
            for sent in answer.get("Successful", []):
                results[sent["Id"]] = Result(results[sent["Id"]].dead_letter, "redriven")
            for failed in answer.get("Failed", []):
                why = f"{failed['Code']}: {failed.get('Message', '')}"
                results[failed["Id"]] = Result(results[failed["Id"]].dead_letter, "failed", why)
                if self._queue.is_fifo and group:
                    self._blocked_groups.add(group)
        sent_messages = [each for each in messages if results[each["MessageId"]].outcome == "redriven"]
        gone = self._queue.delete(sent_messages)
        for message in sent_messages:
            if (name := message["MessageId"]) not in gone:
                why = "it is in the inbox, but still among the dead letters too; redriven again it is a duplicate"
                results[name] = Result(results[name].dead_letter, "redriven", why)
        return list(results.values()), gone

    def _requests(self, entries: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        """Split into requests: for a FIFO queue one message each, so that none overtakes a failed one of its group."""
        requests: list[list[dict[str, Any]]] = []
        size = 0
        for entry in entries:
            bytes_ = _size(entry)
            if not requests or self._queue.is_fifo or size + bytes_ > _REQUEST_BYTES:
                requests.append([])
                size = 0
            requests[-1].append(entry)
            size += bytes_
        return requests


def as_first_seen(message: Message, dead_letter: DeadLetter, *, fifo: bool) -> dict[str, Any] | None:
    """Return the batch entry that sends a dead letter to its inbox; None if it does not belong into one.

    The body is what the subscriber first saw, or for a direct delivery the notification as SNS puts it into a queue.
    Attempts start again at 1; MessageId and time of publishing stay, because they can be the event's identity.
    """
    body: str | None = message["Body"]
    if dead_letter.origin is Origin.LAMBDA:
        body = of_failed_invocation(message["Body"])
    if body is None:
        return None
    system = message.get("Attributes", {})
    ours = (
        _ERROR_ATTRIBUTES
        | {REDELIVERY_ATTRIBUTE}
        | (RUNTIME_ATTRIBUTES if dead_letter.origin is Origin.RUNTIME else frozenset())
    )
    attributes = {
        name: {key: value[key] for key in ("DataType", "StringValue", "BinaryValue") if key in value}
        for name, value in message.get("MessageAttributes", {}).items()
        if name not in ours
    }
    if body == dead_letter.event:  # raw: there is no envelope with the MessageId and time of publishing
        attributes = dict(list(attributes.items())[: _MAX_ATTRIBUTES - 1])
        carried = msgspec.json.encode(_carried(message, dead_letter)).decode()
        attributes[REDELIVERY_ATTRIBUTE] = {"DataType": "String", "StringValue": carried}
    entry: dict[str, Any] = {"Id": message["MessageId"], "MessageBody": body, "MessageAttributes": attributes}
    if group := system.get("MessageGroupId"):
        entry["MessageGroupId"] = group
    if fifo:
        # Not the original's, which SQS may still remember and drop; the same for the same message, so that one
        # redriven twice by a crash is dropped.
        entry["MessageDeduplicationId"] = f"redrive-{message['MessageId']}"
    return entry


def _carried(message: Message, dead_letter: DeadLetter) -> RedeliveryState:
    """Return what the dead letter carried, without its attempts."""
    text = message.get("MessageAttributes", {}).get(REDELIVERY_ATTRIBUTE, {}).get("StringValue", "")
    try:
        carried = msgspec.json.decode(text, type=RedeliveryState)
    except (ValueError, RecursionError):
        carried = RedeliveryState()
    return msgspec.structs.replace(
        carried,
        attempts=0,
        message_id=carried.message_id or dead_letter.message_id,
        timestamp=carried.timestamp or dead_letter.at,
    )


def _size(entry: dict[str, Any]) -> int:
    size = len(entry["MessageBody"].encode())
    for name, value in entry["MessageAttributes"].items():
        text = value.get("StringValue", "").encode() or value.get("BinaryValue", b"")
        size += len(name) + len(value["DataType"]) + len(text)
    return size
