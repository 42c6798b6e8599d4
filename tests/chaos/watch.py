"""Watches deliveries until they are over: by receipts, and by dead letters where no receipt could be written."""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime

from fanout_cli.dead_letters import dead_letter
from fanout_cli.tracing.receipts import Entry, Reader, fold
from fanout_cli.tracing.tracer import FINAL
from tests.chaos.workload import Due
from tests.integration.application import Application

# Reading a dead-letter queue hides its messages for a moment: not at every poll.
_LOOK_EVERY_SECONDS = 10.0
_DEPTH = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class Watch:
    """What is known of deliveries so far."""

    def __init__(self, application: Application) -> None:
        self._application = application
        groups = {each.log_group for each in application.topology.subscribers.values()}
        self._reader = Reader(application.client, groups)
        self._looked = time.monotonic()
        self._letters: dict[tuple[str, str], str] = {}

    def outcomes(self, dues: Sequence[Due], since: datetime) -> dict[Due, str]:
        """Return the outcome of each delivery that anything is known of."""
        entries: dict[tuple[str, str], list[Entry]] = {}
        for entry in self._reader.all(since):
            if entry.event_id is not None:
                entries.setdefault((entry.subscriber, entry.event_id), []).append(entry)
        found = {}
        for due in dues:
            outcome = fold(entries.get((due.subscriber, due.event_id), ())).outcome
            if outcome not in FINAL and (due.subscriber, due.event_id) in self._letters:
                outcome = "dead-lettered"
            if outcome is not None:
                found[due] = outcome
        self._look({due.subscriber for due in dues if found.get(due) not in FINAL})
        return found

    def waiting(self) -> int:
        """Return how many messages are in the inboxes or in functions' hands: copies may come after the outcome."""
        return sum(self._depth(each.inbox_url) for each in self._application.topology.subscribers.values())

    def _depth(self, url: str) -> int:
        answer = self._application.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=list(_DEPTH))
        return sum(int(answer["Attributes"][name]) for name in _DEPTH)

    def _look(self, subscribers: Iterable[str]) -> None:
        if time.monotonic() - self._looked > _LOOK_EVERY_SECONDS:
            self._letters |= dead_letters_of(self._application, subscribers)
            self._looked = time.monotonic()


def dead_letters_of(application: Application, subscribers: Iterable[str] | None = None) -> dict[tuple[str, str], str]:
    """Return the content of the dead-letter queues (of all subscribers): (subscriber, event id) -> kind of reason."""
    found: dict[tuple[str, str], str] = {}
    for name in sorted(application.topology.subscribers if subscribers is None else subscribers):
        url = application.subscriber(name).dead_letter_url
        for letter in dead_letter.peek(application.client("sqs"), url, briefly=True).dead_letters:
            found |= {(name, event_id): letter.cause_class for event_id in letter.event_ids}
    return found
