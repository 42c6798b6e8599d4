"""Select dead letters by id, reason and time."""

import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from fanout_cli.dead_letters.dead_letter import TIMEOUT_SECONDS, DeadLetter, read
from fanout_cli.dead_letters.queue import DeadLetterQueue, Depth
from fanout_cli.errors import UsageError

_AGAIN_SECONDS = 0.2
_RATE = re.compile(r"^(?P<number>\d+(?:\.\d+)?)(?:/(?P<unit>[smh]))?$")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Filter:
    """Matches messages that meet every condition that is set; all of them if none is."""

    ids: frozenset[str] = frozenset()
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_everything(self) -> bool:
        """Whether no condition is set."""
        return self == Filter()

    def matches(self, dead_letter: DeadLetter) -> bool:
        """Return whether a message matches. Messages without a timestamp never match a time range."""
        if self.ids and not dead_letter.is_about(*self.ids):
            return False
        if self.reason and not dead_letter.cause.casefold().startswith(self.reason.casefold()):
            return False
        if self.since and (dead_letter.at is None or dead_letter.at < self.since):
            return False
        return not (self.until and (dead_letter.at is None or dead_letter.at >= self.until))


@dataclass(frozen=True)
class Matches:
    """The messages of a queue that match a filter."""

    dead_letters: list[DeadLetter]
    seen: int
    unseen: Depth
    """visible: not reached; held: by another consumer"""


def select(
    queue: DeadLetterQueue,
    selection: Filter,
    *,
    bodies: bool = False,
    without: Collection[str] = (),
    on_seen: Callable[[int, int], None] = lambda _seen, _expected: None,
) -> Matches:
    """Return the matching messages. They stay in the queue, visible to every consumer.

    bodies: whether to keep their bodies. without: ids of messages to skip. on_seen: called with the number of messages
    seen and expected. Raises what SQS raises.
    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        dead_letters = []
        with queue.scan() as scan:
            for batch in scan.batches():
                found = [read(message) for message in batch if message["MessageId"] not in without]
                dead_letters += [each if bodies else each.without_body() for each in found if selection.matches(each)]
                on_seen(scan.seen, scan.expected)
            unseen, seen = scan.unseen(), scan.seen
        if not unseen.held or time.monotonic() > deadline:
            return Matches(dead_letters, seen, unseen)
        time.sleep(_AGAIN_SECONDS)


def rate(text: str) -> float:
    """Return messages per second from "50/s", "30/m" or "50". Raises UsageError."""
    found = _RATE.match(text)
    per_second = float(found["number"]) / _SECONDS[found["unit"] or "s"] if found else 0.0
    if per_second <= 0:
        raise UsageError(f"--rate {text}: not a rate", "Give messages per second, minute or hour: 50/s, 30/m, 100/h.")
    return per_second
