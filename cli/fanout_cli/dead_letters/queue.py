"""Scan a dead-letter queue without removing messages from it.

SQS has no peek: a received message is hidden from other consumers for its visibility timeout. A scan therefore holds
what it receives, so that it does not receive the same message twice, and releases everything at its end. A dead-letter
queue has no dead-letter queue of its own, so its receive count has no effect.

A FIFO queue shows the first messages of a group only (ten at most) until those are deleted:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

Message = Mapping[str, Any]

# How long messages stay hidden if the command is killed: enough for one batch, or for the scan of the whole queue where
# messages are held until all have been seen.
_BRIEFLY_SECONDS = 20
_HOLD_SECONDS = 60
_MESSAGES_PER_SECOND = 10  # over a slow line
_LONGEST_HOLD = 43_200  # SQS's limit
_POLL_SECONDS = 1
# Long polls in a row without a message after which a queue counts as empty: its counts lag behind.
_EMPTY_POLLS = 2
# The most that SQS gives, deletes or hides in one call.
BATCH = 10
_DEPTH = {
    "visible": "ApproximateNumberOfMessages",
    "held": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}


@dataclass(frozen=True)
class Depth:
    """How many messages a queue has. On AWS these counts lag by up to a minute."""

    visible: int
    held: int
    """in flight: received by a consumer"""

    @property
    def total(self) -> int:
        """All of them."""
        return self.visible + self.held


class DeadLetterQueue:
    """A dead-letter queue. Every method raises what SQS raises."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self._url = url

    @property
    def is_fifo(self) -> bool:
        """Whether it keeps the order of groups."""
        return self._url.endswith(".fifo")

    def depth(self) -> Depth:
        """Return how many messages there are now."""
        names = list(_DEPTH.values())
        found = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)["Attributes"]
        counts = {name: int(found.get(attribute, 0)) for name, attribute in _DEPTH.items()}
        return Depth(counts["visible"] + counts["delayed"], counts["held"])

    @contextmanager
    def scan(self, *, briefly: bool = False) -> "Iterator[QueueScan]":
        """Hold what is received within the block; release what was not deleted at its end.

        briefly: the caller processes every batch before it receives the next one.
        """
        depth = self.depth()
        long = min(_LONGEST_HOLD, _HOLD_SECONDS + depth.total // _MESSAGES_PER_SECOND)
        scan = QueueScan(self, depth.total, _BRIEFLY_SECONDS if briefly else long)
        try:
            yield scan
        finally:
            scan.release()

    def receive(self, most: int, hold: int) -> list[Message]:
        """Receive up to `most` messages, hidden for `hold` seconds. A long poll queries all of SQS's servers."""
        answer = self._sqs.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=most,
            VisibilityTimeout=hold,
            WaitTimeSeconds=_POLL_SECONDS,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages: list[Message] = answer.get("Messages", [])
        return messages

    def release(self, messages: Iterable[Message]) -> None:
        """Make messages visible again. One that another consumer has deleted is ignored."""
        self._in_batches(
            self._sqs.change_message_visibility_batch, [_entry(each) | {"VisibilityTimeout": 0} for each in messages]
        )

    def delete(self, messages: Sequence[Message]) -> set[str]:
        """Delete received messages; return the MessageIds of those that SQS deleted."""
        failed = set(self._in_batches(self._sqs.delete_message_batch, [_entry(each) for each in messages]))
        if failed:  # once more: the failure may be transient
            again = [_entry(each) for each in messages if each["MessageId"] in failed]
            failed = set(self._in_batches(self._sqs.delete_message_batch, again))
        return {each["MessageId"] for each in messages} - failed

    def _in_batches(self, call: Callable[..., Any], entries: Sequence[dict[str, Any]]) -> list[str]:
        """Return the ids of the entries that failed."""
        failed = []
        for first in range(0, len(entries), BATCH):
            answer = call(QueueUrl=self._url, Entries=entries[first : first + BATCH])
            failed += [each["Id"] for each in answer.get("Failed", [])]
        return failed


class QueueScan:
    """One pass over a queue: every message that no other consumer holds, once."""

    def __init__(self, queue: DeadLetterQueue, expected: int, hold: int) -> None:
        self._queue = queue
        self._expected = expected
        self._hold = hold
        self._held: dict[str, Message] = {}
        self._seen: set[str] = set()
        self._overtaken = False

    @property
    def expected(self) -> int:
        """How many messages there were when it began."""
        return self._expected

    @property
    def seen(self) -> int:
        """How many were received so far."""
        return len(self._seen)

    def batches(self, most: Callable[[], int] = lambda: BATCH) -> Iterator[list[Message]]:
        """Yield the new messages of one received batch after another.

        most: returns how many messages the next batch may have.
        """
        empty = 0
        while empty < _EMPTY_POLLS:
            batch = self._receive(most())
            new = [each for each in batch if each["MessageId"] not in self._seen]
            if new:
                empty = 0
                self._seen |= {each["MessageId"] for each in new}
                yield new
            elif batch:
                # The visibility timeout of the first messages ended before the scan reached the last.
                self._overtaken = True
                return
            else:
                empty += 1

    def _receive(self, most: int) -> list[Message]:
        try:
            batch = self._queue.receive(most, self._hold)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"OverLimit", "AWS.SimpleQueueService.OverLimit"}:
                return []  # SQS allows 120,000 messages in flight per queue
            raise
        self._held |= {each["MessageId"]: each for each in batch}
        return batch

    def unseen(self) -> Depth:
        """Return what is in the queue and was not seen: not reached, or held by another consumer.

        Not reached: messages behind others of a FIFO group, and those that the scan was too slow for.
        """
        depth = self._queue.depth()
        if self._overtaken:
            return Depth(max(0, self._expected - len(self._seen)), 0)
        # Other visible messages have only just arrived.
        return Depth(depth.visible if self._queue.is_fifo else 0, max(0, depth.held - len(self._held)))

    def forget(self, message_ids: Collection[str]) -> None:
        """Stop holding deleted messages."""
        for each in message_ids:
            self._held.pop(each, None)

    def release(self) -> None:
        """Make everything visible again that is still held."""
        held, self._held = list(self._held.values()), {}
        self._queue.release(held)


def _entry(message: Message) -> dict[str, Any]:
    # A batch's ids take letters, digits, - and _: what a MessageId is made of.
    return {"Id": message["MessageId"], "ReceiptHandle": message["ReceiptHandle"]}
