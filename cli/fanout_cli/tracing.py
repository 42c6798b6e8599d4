"""What became of an event: one delivery per subscription with a function, from receipts, filters and dead letters."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fanout import contracts, identity
from fanout_cli import dead_letters
from fanout_cli.errors import UserError
from fanout_cli.filter_policy import PartialBody, admits
from fanout_cli.journal import Journal, Published
from fanout_cli.receipts import Entry, Folded, Reader, fold, moment
from fanout_cli.topology import Subscription, Topic, Topology

GOOD = frozenset({"processed", "duplicate", "discarded", "filtered"})
FINAL = GOOD | {"rejected", "dead-lettered"}

# A UUIDv7 tells when its event was made; clocks of producers and of CloudWatch differ by less than this.
_CLOCK_SLACK = timedelta(minutes=15)
_POLL_SECONDS = 0.25
_LOOK_SECONDS = 2.0


@dataclass(frozen=True)
class Delivery:
    """What became of one event at one subscriber."""

    subscriber: str
    outcome: str
    attempts: int | None
    latency_ms: int | None
    reason: str | None

    def to_json(self) -> dict[str, Any]:
        """The delivery as `fanout trace --json` shows it."""
        return {
            "subscriber": self.subscriber,
            "outcome": self.outcome,
            "attempts": self.attempts,
            "latency_ms": self.latency_ms,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Trace:
    """What became of one event. What cannot be known is None."""

    event_id: str | None
    type: str | None
    topic: str | None
    published_at: datetime | None
    deliveries: Sequence[Delivery]

    @property
    def final(self) -> bool:
        """Whether nothing more will happen by itself."""
        return bool(self.deliveries) and all(each.outcome in FINAL for each in self.deliveries)

    @property
    def good(self) -> bool:
        """Whether every subscriber the event is for has handled it."""
        return bool(self.deliveries) and all(each.outcome in GOOD for each in self.deliveries)

    def to_json(self) -> dict[str, Any]:
        """The trace as `fanout trace --json` shows it."""
        return {
            "event_id": self.event_id,
            "type": self.type,
            "topic": self.topic,
            "published_at": rfc3339(self.published_at),
            "deliveries": [each.to_json() for each in self.deliveries],
        }


def rfc3339(at: datetime | None) -> str | None:
    """Return a time as RFC 3339 in UTC with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


@dataclass(frozen=True)
class _Evidence:
    """Everything found about the one event that a key stands for."""

    key: str
    event_id: str | None
    message_ids: frozenset[str]
    entries: Sequence[Entry]
    published: Published | None
    letters: Mapping[str, dead_letters.Look]

    @property
    def empty(self) -> bool:
        return not self.entries and self.published is None and not any(look.letters for look in self.letters.values())

    def first(self, name: str) -> Any:
        """The first known value of an attribute among the entries."""
        return next((value for entry in self.entries if (value := getattr(entry, name)) is not None), None)


class Tracer:
    """Traces events of one deployed application."""

    def __init__(self, client: Callable[[str], Any], topology: Topology, journal: Journal | None = None) -> None:
        self._topology = topology
        self._journal = journal
        self._sqs = client("sqs")
        self._looks: dict[str, tuple[float, dead_letters.Look]] = {}
        self._reader = Reader(client, (each.log_group for each in topology.subscribers.values()))
        for use_case in topology.use_cases:
            if use_case in contracts.use_cases():
                contracts.load(use_case)

    def trace(self, key: str, *, source: str | None = None) -> Trace:
        """Return what became of the event with the id `key`, or that SNS published under the MessageId `key`.

        source: tells apart events of one id. Raises UserError if there are several and `source` names none.
        """
        published = self._published(key)
        since = self._since(key, published)
        entries = self._reader.about(key, since)
        if all(entry.event_id != key for entry in entries):
            # A MessageId: receipts that carry both ids lead to the event id, and that to the raw siblings.
            named = {entry.event_id for entry in entries} | {each.event_id for each in published}
            for event_id in sorted(each for each in named if each and each != key):
                entries = [*entries, *self._reader.about(event_id, since)]
        return self._conclude(key, entries, published, source)

    def trace_all(self, keys: Sequence[str], since: datetime | None) -> list[Trace]:
        """Return what became of many events, reading the logs once. The keys are event ids."""
        wanted = set(keys)
        by_id: dict[str, list[Entry]] = {key: [] for key in wanted}
        for entry in self._reader.all(since):
            if entry.event_id in wanted:
                by_id[str(entry.event_id)].append(entry)
        return [self._conclude(key, by_id[key], self._published(key), None) for key in keys]

    def wait(
        self, key: str, seconds: float, *, source: str | None = None, on_look: Callable[[Trace], None] = lambda _: None
    ) -> Trace:
        """Trace until every delivery is final or the time is up; return the last trace."""
        deadline = time.monotonic() + seconds
        while True:
            trace = self.trace(key, source=source)
            on_look(trace)
            left = deadline - time.monotonic()
            if trace.final or left <= 0:
                return trace
            time.sleep(min(_POLL_SECONDS, left))

    def raw_only(self) -> list[str]:
        """The use cases none of whose function subscribers sees SNS's MessageId."""
        return [
            topic.use_case
            for topic in self._topology.topics
            if all(each.raw for each in topic.subscriptions if each.subscriber)
        ]

    def _published(self, key: str) -> list[Published]:
        found = self._journal.find(key) if self._journal else []
        return [each for each in found if self._topology.topic(arn=each.topic)]

    def _since(self, key: str, published: Sequence[Published]) -> datetime | None:
        made = identity.made_at(key)
        if made is not None:
            return datetime.fromtimestamp(made, UTC) - _CLOCK_SLACK
        first = moment(published[0].published_at) if published else None
        return first - _CLOCK_SLACK if first else None

    def _conclude(
        self, key: str, entries: Sequence[Entry], published: Sequence[Published], source: str | None
    ) -> Trace:
        entries, published = _of_source(key, entries, published, source)
        last = published[-1] if published else None
        ids = {each for each in (*(entry.event_id for entry in entries), *(one.event_id for one in published)) if each}
        event_id: str | None = key if key in ids or not ids else min(ids)
        if not ids and entries:
            event_id = None  # found by MessageId, and the body held no id
        messages = {entry.message_id for entry in entries if entry.message_id} | {
            each.message_id for each in published if each.message_id
        }
        evidence = _Evidence(key, event_id, frozenset(messages | {key}), entries, last, {})
        topics = self._topics(evidence)
        if not topics:
            looks = {name: self._look(name) for name in self._topology.subscribers}
            looks = {name: look for name, look in looks.items() if any(letter.is_about(key) for letter in look.letters)}
            evidence = _Evidence(key, event_id, frozenset({key}), entries, last, looks)
            topics = [topic for name in looks for topic in self._topology.topics_of(name)][:1]
        # SNS's own word where a receipt carries it; ours was written down before SNS answered.
        first = min((entry.published_at for entry in entries if entry.published_at), default=None)
        published_at = first or (moment(last.published_at) if last else None)
        deliveries = [
            self._delivery(subscription, evidence, published_at)
            for topic in topics
            for subscription in sorted(topic.subscriptions, key=lambda each: each.subscriber or "")
            if subscription.subscriber
        ]
        return Trace(
            event_id,
            evidence.first("type") or (last.type if last else None),
            topics[0].arn if topics else None,
            published_at,
            deliveries,
        )

    def _topics(self, evidence: _Evidence) -> list[Topic]:
        """The topics the event was published to: as journalled, else by its contract, else by who received it."""
        if evidence.published and (topic := self._topology.topic(arn=evidence.published.topic)):
            return [topic]
        receivers = {entry.subscriber for entry in evidence.entries}
        candidates = [
            topic for topic in self._topology.topics if any(topic in self._topology.topics_of(r) for r in receivers)
        ]
        schema = contracts.schema_of(evidence.first("type") or "")
        if schema is not None:
            declared = [topic for topic in candidates if topic.name == contracts.contract_of(schema).topic]
            return declared or candidates[:1]
        return candidates[:1]

    def _delivery(self, subscription: Subscription, evidence: _Evidence, published_at: datetime | None) -> Delivery:
        name = subscription.subscriber or ""
        own = [entry for entry in evidence.entries if entry.subscriber == name]
        folded = fold(own, direct=subscription.protocol == "lambda")
        if folded.outcome and folded.outcome != "retrying":
            return Delivery(name, folded.outcome, folded.attempts, _latency(folded, published_at), folded.reason)
        admitted: bool | None = True if own else _admitted(subscription, evidence)
        if admitted is False:
            return Delivery(name, "filtered", None, None, None)
        look = evidence.letters.get(name) or self._look(name)
        letter = next((each for each in look.letters if each.is_about(evidence.event_id, *evidence.message_ids)), None)
        if letter:
            attempts = max(folded.attempts, letter.attempts or 0) or None
            return Delivery(name, letter.outcome, attempts, None, letter.reason or folded.reason)
        if folded.outcome:
            return Delivery(name, folded.outcome, folded.attempts, None, folded.reason)
        if own:
            return Delivery(name, "pending", folded.attempts, None, None)
        hidden = evidence.event_id is None and subscription.raw
        known = admitted and look.complete and not hidden
        return Delivery(name, "pending", 0, None, None) if known else Delivery(name, "unknown", None, None, None)

    def _look(self, subscriber: str) -> dead_letters.Look:
        """What lies in a subscriber's dead-letter queue, or lay there a moment ago: looking hides it from others."""
        url = self._topology.subscribers[subscriber].dead_letter_url
        at, look = self._looks.get(url, (0.0, dead_letters.Look((), complete=False)))
        if url and time.monotonic() - at > _LOOK_SECONDS:
            look = dead_letters.look(self._sqs, url)
            self._looks[url] = time.monotonic(), look
        return look


def _of_source(
    key: str, entries: Sequence[Entry], published: Sequence[Published], source: str | None
) -> tuple[Sequence[Entry], Sequence[Published]]:
    """Keep what is about one event: an id is unique only together with its source."""
    sources = sorted({entry.source for entry in entries if entry.source} | {each.source for each in published})
    if source is None and len(sources) > 1:
        raise UserError(
            f"{key} is the id of several events, from the sources {', '.join(sources)}", "Name one: --source SOURCE."
        )
    if source is None or not sources:
        return entries, published
    # Lines about attempts name no source: they count for every event of the id.
    return (
        [entry for entry in entries if entry.source in (source, None)],
        [each for each in published if each.source == source],
    )


def _admitted(subscription: Subscription, evidence: _Evidence) -> bool | None:
    if not subscription.filter_policy:
        return True
    if subscription.filter_scope != "MessageBody":
        return None  # message attributes are in no receipt
    published = evidence.published
    receipts = [entry for entry in evidence.entries if entry.outcome and entry.type]
    fields: Mapping[str, Any]
    if published:
        event_id, source, event_type, fields = published.event_id, published.source, published.type, published.fields
    elif receipts:
        known = max(receipts, key=lambda entry: len(entry.fields))
        event_id, source, event_type, fields = known.event_id or "", known.source or "", known.type or "", known.fields
    else:
        return None
    body = PartialBody.of_receipt(event_id=event_id, source=source, event_type=event_type, fields=fields)
    return admits(subscription.filter_policy, body)


def _latency(folded: Folded, published_at: datetime | None) -> int | None:
    if folded.at and published_at and folded.at >= published_at:
        return round((folded.at - published_at).total_seconds() * 1000)
    return round(folded.age_ms) if folded.age_ms is not None else None
