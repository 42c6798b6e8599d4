"""Trace an event: one delivery per subscription with a function, from receipts, filters and dead letters."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fanout import contracts, identity
from fanout_cli.dead_letters.dead_letter import DeadLetter, Peek, peek
from fanout_cli.publishing.journal import Journal, Published
from fanout_cli.stack.topology import Subscription, Topic, Topology
from fanout_cli.times import format_time, parse_time
from fanout_cli.tracing.event_history import EventHistory
from fanout_cli.tracing.receipts import Entry, Folded, Reader, fold

GOOD = frozenset({"processed", "duplicate", "discarded", "filtered"})
FINAL = GOOD | {"rejected", "dead-lettered"}

# A UUIDv7 contains its time of creation; clocks of producers and of CloudWatch differ by less than this.
_CLOCK_SLACK = timedelta(minutes=15)
_POLL_SECONDS = 0.25
_PEEK_SECONDS = 2.0


@dataclass(frozen=True)
class Delivery:
    """The outcome of one event at one subscriber."""

    subscriber: str
    outcome: str
    attempts: int | None
    latency_ms: int | None
    reason: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the delivery as `fanout trace --json` shows it."""
        return {
            "subscriber": self.subscriber,
            "outcome": self.outcome,
            "attempts": self.attempts,
            "latency_ms": self.latency_ms,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Trace:
    """The outcome of one event at every subscriber. What cannot be known is None."""

    event_id: str | None
    type: str | None
    topic: str | None
    published_at: datetime | None
    deliveries: Sequence[Delivery]

    @property
    def final(self) -> bool:
        """Whether every delivery has a final outcome."""
        return bool(self.deliveries) and all(each.outcome in FINAL for each in self.deliveries)

    @property
    def good(self) -> bool:
        """Whether every subscriber that the event is for has handled it."""
        return bool(self.deliveries) and all(each.outcome in GOOD for each in self.deliveries)

    def to_json(self) -> dict[str, Any]:
        """Return the trace as `fanout trace --json` shows it."""
        return {
            "event_id": self.event_id,
            "type": self.type,
            "topic": self.topic,
            "published_at": format_time(self.published_at),
            "deliveries": [each.to_json() for each in self.deliveries],
        }


class Tracer:
    """Traces events of one deployed application."""

    def __init__(self, client: Callable[[str], Any], topology: Topology, journal: Journal | None = None) -> None:
        self._topology = topology
        self._journal = journal
        self._sqs = client("sqs")
        self._peeks: dict[str, tuple[float, Peek]] = {}
        self._reader = Reader(client, (each.log_group for each in topology.subscribers.values()))
        for use_case in topology.use_cases:
            if use_case in contracts.use_cases():
                contracts.load(use_case)

    def trace(self, key: str, *, source: str | None = None) -> Trace:
        """Return the trace of the event with the id `key`, or that SNS published under the MessageId `key`.

        source: distinguishes events with the same id. Raises UserError if there are several and `source` names none.
        """
        published = self._published(key)
        since = _since(key, published)
        entries = self._reader.about(key, since)
        if all(entry.event_id != key for entry in entries):
            # A MessageId: receipts with both ids have the event id, and raw deliveries are found by that.
            named = {entry.event_id for entry in entries} | {each.event_id for each in published}
            for event_id in sorted(each for each in named if each and each != key):
                entries = [*entries, *self._reader.about(event_id, since)]
        dead_letters = self._dead_letters(key) if not entries and not published else {}
        # A body that has an id and is not an event: its receipts have the MessageId only.
        for message_id in sorted({each for dead_letter in dead_letters.values() for each in dead_letter.message_ids}):
            entries = [*entries, *self._reader.about(message_id, since)]
        return self._conclude(EventHistory.gather(key, entries, published, dead_letters, source))

    def trace_all(self, keys: Sequence[str], since: datetime | None) -> list[Trace]:
        """Return the traces of many events; reads the logs once. The keys are event ids."""
        by_id: dict[str, list[Entry]] = {key: [] for key in keys}
        for entry in self._reader.all(since):
            if entry.event_id in by_id:
                by_id[entry.event_id].append(entry)
        published = self._journal.all() if self._journal else {}
        traces = []
        for key in keys:
            known = [each for each in published.get(key, []) if self._topology.topic(arn=each.topic)]
            dead_letters = self._dead_letters(key) if not by_id[key] and not known else {}
            traces.append(self._conclude(EventHistory.gather(key, by_id[key], known, dead_letters, None)))
        return traces

    def wait(
        self, key: str, seconds: float, *, source: str | None = None, on_trace: Callable[[Trace], None] = lambda _: None
    ) -> Trace:
        """Trace until every delivery is final or the time is up; return the last trace."""
        deadline = time.monotonic() + seconds
        while True:
            trace = self.trace(key, source=source)
            on_trace(trace)
            left = deadline - time.monotonic()
            if trace.final or left <= 0:
                return trace
            time.sleep(min(_POLL_SECONDS, left))

    def raw_only(self) -> list[str]:
        """Return the use cases in which no function receives SNS's MessageId."""
        raw = (
            topic.use_case
            for topic in self._topology.topics
            if all(each.raw for each in topic.subscriptions if each.subscriber)
        )
        return list(dict.fromkeys(raw))  # a use case may have several topics

    def _published(self, key: str) -> list[Published]:
        found = self._journal.find(key) if self._journal else []
        return [each for each in found if self._topology.topic(arn=each.topic)]

    def _conclude(self, history: EventHistory) -> Trace:
        topic = self._topic(history)
        subscriptions = [each for each in topic.subscriptions if each.subscriber] if topic else []
        return Trace(
            history.event_id,
            history.type,
            topic.arn if topic else None,
            history.published_at,
            [self._delivery(each, history) for each in sorted(subscriptions, key=lambda each: each.subscriber or "")],
        )

    def _topic(self, history: EventHistory) -> Topic | None:
        """Return the topic the event was published to: by the journal, else by its contract, else by its receivers."""
        if history.published:
            return self._topology.topic(arn=history.published.topic)
        received = [topic for name in history.receivers for topic in self._topology.topics_of(name)]
        schema = contracts.schema_of(history.type or "")
        declared = contracts.contract_of(schema).topic if schema else None
        return next((topic for topic in received if topic.name == declared), received[0] if received else None)

    def _delivery(self, subscription: Subscription, history: EventHistory) -> Delivery:
        """Return the outcome by the subscriber's receipts, else by its filter and its dead letters."""
        name = subscription.subscriber or ""
        own = [entry for entry in history.entries if entry.subscriber == name]
        folded = fold(own, direct=subscription.protocol == "lambda")
        if folded.outcome and folded.outcome != "retrying":
            return Delivery(
                name, folded.outcome, folded.attempts, _latency(folded, history.published_at), folded.reason
            )
        admitted = True if own else history.admitted_by(subscription)
        if admitted is False:
            return Delivery(name, "filtered", None, None, None)
        found = self._peek(name)
        keys = (history.event_id, *history.message_ids)
        dead_letter = next((each for each in found.dead_letters if each.is_about(*keys)), None)
        if dead_letter:
            attempts = max(folded.attempts, dead_letter.attempts or 0) or None
            return Delivery(name, dead_letter.outcome, attempts, None, dead_letter.reason or folded.reason)
        if own:
            return Delivery(name, folded.outcome or "pending", folded.attempts, None, folded.reason)
        # Without an event id there is nothing by which a raw delivery could be recognised.
        recognisable = history.event_id is not None or not subscription.raw
        if admitted and found.complete and recognisable:
            return Delivery(name, "pending", 0, None, None)
        return Delivery(name, "unknown", None, None, None)

    def _dead_letters(self, key: str) -> dict[str, DeadLetter]:
        """Return the dead letters about an event that has no receipt and no journal entry, by subscriber."""
        found = {}
        for name in sorted(self._topology.subscribers):
            dead_letter = next((each for each in self._peek(name).dead_letters if each.is_about(key)), None)
            if dead_letter:
                found[name] = dead_letter
        return found

    def _peek(self, subscriber: str) -> Peek:
        """Return the dead letters of a subscriber, at most two seconds old: a scan hides them from other consumers."""
        url = self._topology.subscribers[subscriber].dead_letter_url
        at, found = self._peeks.get(url, (0.0, Peek((), complete=False)))
        if url and time.monotonic() - at > _PEEK_SECONDS:
            found = peek(self._sqs, url, briefly=True)
            self._peeks[url] = time.monotonic(), found
        return found


def _since(key: str, published: Sequence[Published]) -> datetime | None:
    """Return the time before which no receipt of the event can have been written; None if it is unknown."""
    made = identity.made_at(key)
    now = datetime.now(UTC)
    if made is not None:
        return min(datetime.fromtimestamp(made, UTC), now) - _CLOCK_SLACK
    first = parse_time(published[0].published_at) if published else None
    return first - _CLOCK_SLACK if first else None


def _latency(folded: Folded, published_at: datetime | None) -> int | None:
    if folded.at and published_at and folded.at >= published_at:
        return round((folded.at - published_at).total_seconds() * 1000)
    return round(folded.age_ms) if folded.age_ms is not None else None
