"""Which dead letters somebody means."""

import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from fanout_cli.dead_letters.dead_letter import PATIENCE_SECONDS, DeadLetter, read
from fanout_cli.dead_letters.queue import Depth, LetterQueue
from fanout_cli.errors import UsageError

_AGAIN_SECONDS = 0.2
_RATE = re.compile(r"^(?P<number>\d+(?:\.\d+)?)(?:/(?P<unit>[smh]))?$")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Selection:
    """Letters that meet every condition that is set; all of them if none is."""

    ids: frozenset[str] = frozenset()
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_everything(self) -> bool:
        """Whether no condition is set."""
        return self == Selection()

    def admits(self, letter: DeadLetter) -> bool:
        """Whether a letter is meant. One whose time nobody knows is in no span of time."""
        if self.ids and not letter.is_about(*self.ids):
            return False
        if self.reason and not letter.cause.casefold().startswith(self.reason.casefold()):
            return False
        if self.since and (letter.at is None or letter.at < self.since):
            return False
        return not (self.until and (letter.at is None or letter.at >= self.until))


@dataclass(frozen=True)
class Selected:
    """What a selection found in a queue."""

    letters: list[DeadLetter]
    seen: int
    unseen: Depth
    """visible: not reached; held: in somebody else's hands"""


def select(
    queue: LetterQueue,
    selection: Selection,
    *,
    bodies: bool = False,
    without: Collection[str] = (),
    on_seen: Callable[[int, int], None] = lambda _seen, _expected: None,
) -> Selected:
    """Return the letters that are meant. They stay in the queue, visible to everybody.

    bodies: whether the letters come with what they hold. without: ids of messages to pass over. on_seen: told how many
    of how many were seen. Raises what SQS raises.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        letters = []
        with queue.walk() as walk:
            for batch in walk.batches():
                found = [read(message) for message in batch if message["MessageId"] not in without]
                letters += [each if bodies else each.without_body() for each in found if selection.admits(each)]
                on_seen(walk.seen, walk.expected)
            unseen, seen = walk.unseen(), walk.seen
        if not unseen.held or time.monotonic() > deadline:
            return Selected(letters, seen, unseen)
        time.sleep(_AGAIN_SECONDS)


def rate(text: str) -> float:
    """Return letters per second from "50/s", "30/m" or "50". Raises UsageError."""
    found = _RATE.match(text)
    per_second = float(found["number"]) / _SECONDS[found["unit"] or "s"] if found else 0.0
    if per_second <= 0:
        raise UsageError(f"--rate {text}: no rate", "Give letters per second, minute or hour: 50/s, 30/m, 100/h.")
    return per_second
