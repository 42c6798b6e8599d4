"""Run the demo: publish, wait for every receipt, check every effect."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fanout import contracts, identity
from fanout_cli.demo.definition import Check, Event, UseCaseDemo, load, samples, topic_name
from fanout_cli.demo.unrouted import check_unrouted
from fanout_cli.errors import UserError
from fanout_cli.output import step
from fanout_cli.publishing.event_publisher import EventPublisher, Prepared, prepare
from fanout_cli.publishing.inputs import Document
from fanout_cli.publishing.journal import Journal
from fanout_cli.stack.topology import Subscription, Topology
from fanout_cli.tracing.tracer import FINAL, Delivery, Trace, Tracer
from local_engine.filter_policy import PartialBody, admits

# The time all deliveries together may take; a cold engine needs a fraction of it.
_TIMEOUT_SECONDS = 90.0
_POLL_SECONDS = 0.2
# A receipt is written after its effect, but stores like S3 through Firehose follow on their own time.
_EFFECT_SECONDS = 5.0
_SLACK = timedelta(minutes=1)


@dataclass(frozen=True)
class Expected:
    """One delivery that must happen."""

    event: Event
    subscriber: str
    addressed: bool
    """False: the event's data is for others, so the subscriber must discard it; no row in the result"""


@dataclass(frozen=True)
class Row:
    """One delivery with its effect."""

    event: Event
    delivery: Delivery
    effect: str

    @property
    def ok(self) -> bool:
        """Whether it was processed and its effect found."""
        return self.delivery.outcome == "processed" and bool(self.effect)

    def to_json(self) -> dict[str, Any]:
        """Return the row as `fanout demo --json` shows it."""
        use_case = self.delivery.subscriber.partition("/")[0]
        return {
            "use_case": use_case,
            "event_id": self.event["id"],
            **self.delivery.to_json(),
            "effect": self.effect,
        }


@dataclass
class Report:
    """What the demo found."""

    rows: list[Row] = field(default_factory=list)
    checks: list[tuple[str, Check]] = field(default_factory=list)
    """(use case, check)"""

    @property
    def ok(self) -> bool:
        """Whether nothing is missing."""
        return bool(self.rows) and all(row.ok for row in self.rows) and all(check.found for _, check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Return the report as `fanout demo --json` shows it."""
        return {
            "ok": self.ok,
            "deliveries": [row.to_json() for row in self.rows],
            "checks": [
                {"use_case": use_case, "what": check.what, "ok": bool(check.found), "found": check.found}
                for use_case, check in self.checks
            ],
        }


def run(client: Callable[[str], Any], topology: Topology, journal: Journal, root: Path) -> Report:
    """Send every ordinary sample of every deployed use case through the application and return what was found.

    Raises UserError if a use case has no demo or no sample.
    """
    demos = {use_case: load(root, use_case, client, topology) for use_case in topology.use_cases}
    for use_case in contracts.use_cases():
        contracts.load(use_case)
    with ExitStack() as needed:
        for demo in demos.values():
            needed.enter_context(demo.prepare())
        return _run(client, topology, journal, root, demos)


def _run(
    client: Callable[[str], Any], topology: Topology, journal: Journal, root: Path, demos: dict[str, UseCaseDemo]
) -> Report:
    started = datetime.now(UTC)
    published: list[Event] = []
    prepared: list[Prepared] = []
    for use_case, demo in demos.items():
        events = _fresh(demo, samples(root, use_case))
        brought_about = demo.bring_about(events)
        if brought_about is None:
            prepared += prepare([Document(f"sample of {use_case}", event) for event in events], use_case)
        published += events if brought_about is None else brought_about
    with step(f"Publishing {len(prepared)} samples") as progress:
        publisher = EventPublisher(client, topology, journal)
        publisher.check(prepared)
        result = publisher.publish(prepared, progress)
    if result.failed:
        failures = "\n".join(f"{each.event_id}: {each.code}: {each.message}" for each in result.failed)
        raise UserError(
            f"{len(result.failed)} samples were not published:\n{failures}", "See the engine's log: fanout status"
        )
    expected = _expected(published, topology, demos)
    deliveries = _wait(Tracer(client, topology, journal), expected, started)
    report = Report()
    with step("Checking every effect in its store") as progress:
        for number, each in enumerate(expected, 1):
            progress.update(each.subscriber, done=number, total=len(expected))
            _judge(each, deliveries, demos, report)
        _check_rest(topology, demos, expected, client, report)
    return report


def _fresh(demo: UseCaseDemo, events: Sequence[Event]) -> list[Event]:
    """Return the samples as new events: new ids and times, new business keys."""
    fresh = []
    for event in events:
        event_id = identity.new_id()
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        # The end of a UUIDv7 is random; its beginning is the time.
        run_id = event_id.replace("-", "")[-12:]
        fresh.append(demo.fresh({**event, "id": event_id, "time": now}, run_id))
    return fresh


def _expected(published: Sequence[Event], topology: Topology, demos: dict[str, UseCaseDemo]) -> list[Expected]:
    """Return every delivery that must come of the published events, those of the events they cause included."""
    expected: list[Expected] = []
    waiting = list(published)
    while waiting:
        event = waiting.pop(0)
        topic = topology.topic(name=topic_name(event["type"]))
        if topic is None:
            continue  # a derived event of a use case that is not deployed
        for subscription in topic.subscriptions:
            if subscription.subscriber and _passes(subscription, event):
                use_case, _, name = subscription.subscriber.partition("/")
                addressed = demos[use_case].is_for(event, name)
                expected.append(Expected(event, subscription.subscriber, addressed))
        waiting += demos[topic.use_case].derived(event)
    return expected


def _passes(subscription: Subscription, event: Event) -> bool:
    return admits(subscription.filter_policy, PartialBody.complete(event)) is not False


def _wait(tracer: Tracer, expected: Sequence[Expected], started: datetime) -> dict[tuple[str, str], Delivery]:
    """Trace until every expected delivery is final or time is up; return them by event id and subscriber."""
    wanted = {(each.event["id"], each.subscriber) for each in expected}
    ids = sorted({event_id for event_id, _ in wanted})
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    with step(f"Waiting for {len(wanted)} receipts") as progress:
        while True:
            found = _by_subscriber(tracer.trace_all(ids, started - _SLACK))
            final = {key for key in wanted if key in found and found[key].outcome in FINAL}
            missing = ", ".join(sorted({subscriber for _, subscriber in wanted - final}))
            progress.update(f"waiting for {missing}" if missing else "", done=len(final), total=len(wanted))
            if final == wanted or time.monotonic() > deadline:
                return found
            time.sleep(_POLL_SECONDS)


def _by_subscriber(traces: Sequence[Trace]) -> dict[tuple[str, str], Delivery]:
    return {(str(trace.event_id), each.subscriber): each for trace in traces for each in trace.deliveries}


def _judge(
    expected: Expected, deliveries: dict[tuple[str, str], Delivery], demos: dict[str, UseCaseDemo], report: Report
) -> None:
    """Add the outcome of one expected delivery to the report."""
    delivery = deliveries.get(
        (expected.event["id"], expected.subscriber), Delivery(expected.subscriber, "pending", None, None, None)
    )
    use_case, _, name = expected.subscriber.partition("/")
    if not expected.addressed:
        discarded = delivery.outcome == "discarded"
        if not discarded:
            what = (
                f"{expected.subscriber} discards {expected.event['id']}, which is for others (it is {delivery.outcome})"
            )
            report.checks.append((use_case, Check(what, "")))
        return
    effect = _effect(demos[use_case], expected.event, name) if delivery.outcome == "processed" else ""
    report.rows.append(Row(expected.event, delivery, effect))


def _effect(demo: UseCaseDemo, event: Event, subscriber: str) -> str:
    deadline = time.monotonic() + _EFFECT_SECONDS
    while True:
        effect = demo.effect(event, subscriber)
        if effect or time.monotonic() > deadline:
            return effect
        time.sleep(_POLL_SECONDS)


def _check_rest(
    topology: Topology,
    demos: dict[str, UseCaseDemo],
    expected: Sequence[Expected],
    client: Callable[[str], Any],
    report: Report,
) -> None:
    """Check everything but deliveries to functions, and that no function was left out."""
    reached = {each.subscriber for each in expected if each.addressed}
    for name in sorted(
        {each.subscriber for topic in topology.topics for each in topic.subscriptions if each.subscriber}
    ):
        if name not in reached:
            check = Check(f"a sample reaches {name}", "")
            report.checks.append((name.partition("/")[0], check))
    for use_case, demo in demos.items():
        events = [each.event for each in expected if each.subscriber.startswith(f"{use_case}/")]
        unique = {event["id"]: event for event in events}
        report.checks += [(use_case, check) for check in demo.others(list(unique.values()))]
    report.checks += check_unrouted(client, topology)


def as_text(report: Report) -> str:
    """Return the report as one JSON document."""
    return json.dumps(report.to_json(), ensure_ascii=False, separators=(",", ":")) + "\n"
