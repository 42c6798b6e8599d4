"""Works off chosen letters of a dead-letter queue: back to the inbox they belong to, or away for good.

A letter leaves the queue only after SQS has confirmed what was done with it. Whatever interrupts the work between the
two leaves it in both places: the subscriber absorbs the second delivery as a duplicate.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import msgspec

from fanout.delivery import CARRIED, Carried, of_failed_invocation
from fanout_cli.dead_letters.dead_letter import PATIENCE_SECONDS, RUNTIME_ATTRIBUTES, DeadLetter, Origin, read
from fanout_cli.dead_letters.queue import BATCH, LetterQueue, Message

_AGAIN_SECONDS = 0.2
# Of one request to SQS. (A single message may have 1 MiB, and then travels alone.)
_REQUEST_BYTES = 256 * 1024
_MAX_ATTRIBUTES = 10
# What SNS and Lambda add to a message that they put into a dead-letter queue.
_ERROR_ATTRIBUTES = frozenset({"RequestID", "ErrorCode", "ErrorMessage"})


@dataclass(frozen=True)
class Settled:
    """What became of one letter."""

    letter: DeadLetter
    outcome: str
    """redriven, deleted, failed or skipped"""
    detail: str | None = None


@dataclass
class Summary:
    """What became of the chosen letters."""

    settled: list[Settled] = field(default_factory=list)
    missing: int = 0
    """chosen, but gone when their turn came, or in somebody else's hands"""

    def count(self, outcome: str) -> int:
        """How many letters have this outcome."""
        return sum(each.outcome == outcome for each in self.settled)


class Work(Protocol):
    """What is done with letters, in the order in which they are given: a FIFO queue gives each group's in order."""

    def settle(self, messages: Sequence[Message]) -> tuple[list[Settled], Collection[str]]:
        """Do it; return what became of each, and the ids of the messages that have left the queue."""


class Pace:
    """Lets so many letters pass per second, evenly: at most a second's worth at once."""

    def __init__(self, per_second: float | None) -> None:
        self._per_second = per_second
        self._last = time.monotonic()
        self._room = 1.0

    def room(self) -> int:
        """Wait until a letter may pass, and return how many may, up to a batch."""
        if self._per_second is None:
            return BATCH
        while True:
            now = time.monotonic()
            self._room = min(max(1.0, self._per_second), self._room + (now - self._last) * self._per_second)
            self._last = now
            if self._room >= 1:
                return min(BATCH, int(self._room))
            time.sleep((1 - self._room) / self._per_second)

    def passed(self, letters: int) -> None:
        """Tell it how many did."""
        self._room -= letters


def work_off(
    queue: LetterQueue,
    chosen: Collection[str],
    work: Work,
    summary: Summary,
    *,
    pace: Pace,
    everything: bool = False,
    on_settled: Callable[[Sequence[Settled]], None],
) -> set[str]:
    """Settle the chosen letters (ids of messages), and no other: what arrives meanwhile stays as well.

    Returns the ids of those that had gone when their turn came, or lay in somebody else's hands. summary: told of every
    letter as it is settled, so that it tells the truth even if this is interrupted. everything: whether no other letter
    will be met, so that a crash hides few of them, and not for long.
    Raises what SQS raises; what is not settled then still lies in the queue.
    """
    remaining = set(chosen)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while remaining:
        before = len(remaining)
        with queue.walk(briefly=everything) as walk:
            for batch in walk.batches(pace.room):
                ours = [message for message in batch if message["MessageId"] in remaining]
                if not ours:
                    continue
                settled, gone = work.settle(ours)
                walk.forget(gone)
                remaining -= {message["MessageId"] for message in ours}
                pace.passed(len(ours))
                settled = [replace(each, letter=each.letter.without_body()) for each in settled]
                summary.settled += settled
                on_settled(settled)
                if not remaining:
                    break
        if len(remaining) < before:
            deadline = time.monotonic() + PATIENCE_SECONDS
        elif time.monotonic() > deadline:
            break
        else:
            time.sleep(_AGAIN_SECONDS)
    summary.missing += len(remaining)
    return remaining


class Deletion:
    """Deletes letters for good."""

    def __init__(self, queue: LetterQueue) -> None:
        self._queue = queue

    def settle(self, messages: Sequence[Message]) -> tuple[list[Settled], Collection[str]]:
        """Delete the messages."""
        gone = self._queue.delete(messages)
        return [
            Settled(read(each), "deleted") if each["MessageId"] in gone
            else Settled(read(each), "failed", "SQS did not delete it")
            for each in messages
        ], gone  # fmt: skip


class Redrive:
    """Sends letters to the subscriber's inbox, as it first saw them, and then deletes them."""

    def __init__(self, sqs: Any, queue: LetterQueue, inbox_url: str) -> None:
        self._sqs = sqs
        self._queue = queue
        self._inbox_url = inbox_url
        self._blocked_groups: set[str] = set()

    def settle(self, messages: Sequence[Message]) -> tuple[list[Settled], Collection[str]]:
        """Send, and delete what SQS has confirmed."""
        results: dict[str, Settled] = {}
        entries: list[dict[str, Any]] = []
        for message in messages:
            letter = read(message)
            entry = as_first_seen(message, letter, fifo=self._queue.is_fifo)
            if entry is None:
                why = "Lambda's record of an invocation that SNS did not make: nothing that the inbox could take"
                results[letter.message_id] = Settled(letter, "skipped", why)
            else:
                results[letter.message_id] = Settled(letter, "failed", "not sent")
                entries.append(entry)
        for request in self._requests(entries):
            if (group := request[0].get("MessageGroupId")) in self._blocked_groups:
                name = request[0]["Id"]
                why = f"an earlier letter of its group {group} could not be sent"
                results[name] = Settled(results[name].letter, "skipped", why)
                continue
            answer = self._sqs.send_message_batch(QueueUrl=self._inbox_url, Entries=request)
            for sent in answer.get("Successful", []):
                results[sent["Id"]] = Settled(results[sent["Id"]].letter, "redriven")
            for failed in answer.get("Failed", []):
                why = f"{failed['Code']}: {failed.get('Message', '')}"
                results[failed["Id"]] = Settled(results[failed["Id"]].letter, "failed", why)
                if self._queue.is_fifo and group:
                    self._blocked_groups.add(group)
        sent_messages = [each for each in messages if results[each["MessageId"]].outcome == "redriven"]
        gone = self._queue.delete(sent_messages)
        for message in sent_messages:
            if (name := message["MessageId"]) not in gone:
                why = "it is in the inbox, but still among the dead letters too; redriven again it is a duplicate"
                results[name] = Settled(results[name].letter, "redriven", why)
        return list(results.values()), gone

    def _requests(self, entries: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        """What is sent at once: of a FIFO queue one letter, so that none overtakes one of its group that failed."""
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


def as_first_seen(message: Message, letter: DeadLetter, *, fifo: bool) -> dict[str, Any] | None:
    """Return the entry of a batch that puts a letter into its subscriber's inbox; None if it is nothing for an inbox.

    The body is what the subscriber first saw, or for a direct delivery the notification as SNS puts it into a queue.
    Attempts begin anew; the id and time of its publishing stay, for they may be the event's identity.
    """
    body: str | None = message["Body"]
    if letter.origin is Origin.LAMBDA:
        body = of_failed_invocation(message["Body"])
    if body is None:
        return None
    system = message.get("Attributes", {})
    ours = _ERROR_ATTRIBUTES | {CARRIED} | (RUNTIME_ATTRIBUTES if letter.origin is Origin.RUNTIME else frozenset())
    attributes = {
        name: {key: value[key] for key in ("DataType", "StringValue", "BinaryValue") if key in value}
        for name, value in message.get("MessageAttributes", {}).items()
        if name not in ours
    }
    if body == letter.event:  # raw: no envelope tells when and as what it was published
        attributes = dict(list(attributes.items())[: _MAX_ATTRIBUTES - 1])
        carried = msgspec.json.encode(_carried(message, letter)).decode()
        attributes[CARRIED] = {"DataType": "String", "StringValue": carried}
    entry: dict[str, Any] = {"Id": message["MessageId"], "MessageBody": body, "MessageAttributes": attributes}
    if group := system.get("MessageGroupId"):
        entry["MessageGroupId"] = group
    if fifo:
        # Not the original's, which SQS may still remember and swallow; the same for the same letter, so that one
        # redriven twice by a crash is swallowed.
        entry["MessageDeduplicationId"] = f"redrive-{message['MessageId']}"
    return entry


def _carried(message: Message, letter: DeadLetter) -> Carried:
    """What the letter carried, without its attempts."""
    text = message.get("MessageAttributes", {}).get(CARRIED, {}).get("StringValue", "")
    try:
        carried = msgspec.json.decode(text, type=Carried)
    except (ValueError, RecursionError):
        carried = Carried()
    return msgspec.structs.replace(
        carried,
        attempts=0,
        message_id=carried.message_id or letter.message_id,
        timestamp=carried.timestamp or letter.at,
    )


def _size(entry: dict[str, Any]) -> int:
    size = len(entry["MessageBody"].encode())
    for name, value in entry["MessageAttributes"].items():
        text = value.get("StringValue", "").encode() or value.get("BinaryValue", b"")
        size += len(name) + len(value["DataType"]) + len(text)
    return size
