"""Walks a dead-letter queue without taking anything out of it that is not meant to go.

SQS has no peek: what is received is hidden from others for its visibility timeout. So a walk holds what it receives,
or it would receive the same again and again, and gives everything back at its end. A dead-letter queue has no
dead-letter queue itself, so being received counts towards nothing.

A FIFO queue shows the first messages of a group only (ten at most) until those are deleted:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

Message = Mapping[str, Any]

# How long a killed command hides what it held. Enough for a batch that is settled at once; where messages are kept in
# our hands until all have been seen, as long as that may take.
_BRIEFLY_SECONDS = 20
_HOLD_SECONDS = 60
_MESSAGES_PER_SECOND = 10  # over a slow line
_LONGEST_HOLD = 43_200  # SQS's limit
_POLL_SECONDS = 1
# So many long polls in a row must bring nothing before a queue is believed to have no more: its counts lag behind.
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
    """in somebody's hands"""

    @property
    def total(self) -> int:
        """All of them."""
        return self.visible + self.held


class LetterQueue:
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
    def walk(self, *, briefly: bool = False) -> "Iterator[Walk]":
        """Hold what is received within the block, and give back what was not deleted at its end.

        briefly: every batch is settled before the next one is asked for.
        """
        depth = self.depth()
        long = min(_LONGEST_HOLD, _HOLD_SECONDS + depth.total // _MESSAGES_PER_SECOND)
        walk = Walk(self, depth.total, _BRIEFLY_SECONDS if briefly else long)
        try:
            yield walk
        finally:
            walk.release()

    def receive(self, most: int, hold: int) -> list[Message]:
        """Take up to `most` messages into our hands for `hold` seconds. The long poll asks all of SQS's servers."""
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
        """Give messages back. What cannot be given back (deleted by somebody else) needs no more of it."""
        self._in_batches(
            self._sqs.change_message_visibility_batch, [_entry(each) | {"VisibilityTimeout": 0} for each in messages]
        )

    def delete(self, messages: Sequence[Message]) -> set[str]:
        """Delete messages in our hands; return the MessageIds of those that SQS did delete."""
        failed = set(self._in_batches(self._sqs.delete_message_batch, [_entry(each) for each in messages]))
        if failed:  # once more, for a moment's trouble
            again = [_entry(each) for each in messages if each["MessageId"] in failed]
            failed = set(self._in_batches(self._sqs.delete_message_batch, again))
        return {each["MessageId"] for each in messages} - failed

    def _in_batches(self, call: Callable[..., Any], entries: Sequence[dict[str, Any]]) -> list[str]:
        """The ids of the entries that failed."""
        failed = []
        for first in range(0, len(entries), BATCH):
            answer = call(QueueUrl=self._url, Entries=entries[first : first + BATCH])
            failed += [each["Id"] for each in answer.get("Failed", [])]
        return failed


class Walk:
    """One pass over a queue: every message that is not in somebody else's hands, once."""

    def __init__(self, queue: LetterQueue, expected: int, hold: int) -> None:
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
        """Receive batch after batch, and give those messages of it that are new.

        most: asked before each batch how many it may have.
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
                # The same again: the hold of the first ones was over before we came to the last.
                self._overtaken = True
                return
            else:
                empty += 1

    def _receive(self, most: int) -> list[Message]:
        try:
            batch = self._queue.receive(most, self._hold)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"OverLimit", "AWS.SimpleQueueService.OverLimit"}:
                return []  # SQS lets nobody hold more than 120,000 messages of a queue
            raise
        self._held |= {each["MessageId"]: each for each in batch}
        return batch

    def unseen(self) -> Depth:
        """Return what is in the queue and was not seen: not reached, or in somebody else's hands.

        Not reached is what is behind others of a FIFO group, and what the walk was too slow for.
        """
        depth = self._queue.depth()
        if self._overtaken:
            return Depth(max(0, self._expected - len(self._seen)), 0)
        # What else is visible has only just arrived.
        return Depth(depth.visible if self._queue.is_fifo else 0, max(0, depth.held - len(self._held)))

    def forget(self, message_ids: Collection[str]) -> None:
        """Tell it of deleted messages."""
        for each in message_ids:
            self._held.pop(each, None)

    def release(self) -> None:
        """Give back everything that is still held."""
        held, self._held = list(self._held.values()), {}
        self._queue.release(held)


def _entry(message: Message) -> dict[str, Any]:
    # A batch's ids take letters, digits, - and _: what a MessageId is made of.
    return {"Id": message["MessageId"], "ReceiptHandle": message["ReceiptHandle"]}
