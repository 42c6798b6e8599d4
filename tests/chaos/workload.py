"""What is published: the ordinary samples of every use case, each time with business keys of their own.

A key of its own makes every effect countable: a counter that only one event adds to must show that event once.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any

from fanout import contracts
from fanout.event import Event as TypedEvent
from fanout_cli.demo.definition import Event, UseCaseDemo, load, samples, topic_name
from fanout_cli.publishing.event_publisher import prepare
from fanout_cli.publishing.inputs import Document
from local_engine.filter_policy import PartialBody, admits
from tests.integration.application import ROOT, Application

# How many of a thousand events a use case gets. A job or an order takes many functions, a message one.
SHARES = {
    "team_events": 160,
    "user_registration": 110,
    "user_interactions": 200,
    "application_logs": 140,
    "order_workflow": 50,
    "database_changes": 60,
    "order_processing": 80,
    "data_aggregation": 110,
    "system_alerts": 50,
    "batch_jobs": 5,
    "audit_logs": 35,
}
# The sample of an ended window makes dispatch read its store; no producer publishes it.
_NOT_PUBLISHED = {"alert.window.ended.v1"}
_TENANTS = 3


@dataclass(frozen=True)
class Due:
    """One event that a subscriber's filter lets through."""

    event_id: str
    subscriber: str
    """team_events/team_a"""
    event: Event = field(compare=False, repr=False)

    @property
    def use_case(self) -> str:
        """The subscriber's."""
        return self.subscriber.partition("/")[0]

    @property
    def name(self) -> str:
        """The subscriber's name within its use case."""
        return self.subscriber.partition("/")[2]


class Workload:
    """Make events of every use case, with the subscribers that are due to handle them."""

    def __init__(self, application: Application, chance: random.Random) -> None:
        self._chance = chance
        self._application = application
        for use_case in contracts.use_cases():
            contracts.load(use_case)
        topology = application.topology
        self.demos: Mapping[str, UseCaseDemo] = {
            use_case: load(ROOT, use_case, application.client, topology) for use_case in SHARES
        }
        found = {
            use_case: [each for each in samples(ROOT, use_case) if each["type"] not in _NOT_PUBLISHED]
            for use_case in SHARES
        }
        # Small waves, too, come round to every sample in time.
        self._samples = {use_case: cycle(each) for use_case, each in found.items()}
        self._unpublished = {(use_case, each["id"]) for use_case, all_of_it in found.items() for each in all_of_it}

    def events(self, use_case: str, count: int, moments: Sequence[datetime] | None = None) -> list[Event]:
        """Return `count` new events that happened at one of the moments (just now, unless given)."""
        made: list[Event] = []
        while len(made) < count:
            at = self._chance.choice(moments) if moments else datetime.now(UTC)
            event = self._fresh(use_case, next(self._samples[use_case]), at)
            made.append(event)
            if event["type"] == "post.liked.v1" and self._chance.random() < 1 / 2 and len(made) < count:
                made.append(self._taken_back(event, at + timedelta(seconds=1)))
        return made

    def unpublished(self) -> list[str]:
        """Return the samples that no event was made of yet."""
        return sorted(f"{use_case} {sample_id}" for use_case, sample_id in self._unpublished)

    def _fresh(self, use_case: str, sample: Event, at: datetime) -> Event:
        self._unpublished.discard((use_case, sample["id"]))
        event_id = self._new_id()
        event = {**sample, "id": event_id, "time": _text(at)}
        made = self.demos[use_case].fresh(event, event_id.replace("-", "")[-12:])
        if use_case == "audit_logs":  # few tenants, so that many events want the next place of one chain
            tenant = f"chaos-{self._chance.randrange(_TENANTS)}"
            made = {**made, "data": {**made["data"], "tenant": tenant}}
        return made

    def _taken_back(self, liked: Event, at: datetime) -> Event:
        """The same user takes the like back a second later."""
        data = {**liked["data"], "occurred_at": _text(at)}
        return {**liked, "id": self._new_id(), "type": "post.unliked.v1", "time": _text(at), "data": data}

    def _new_id(self) -> str:
        digits = f"{self._chance.getrandbits(128):032x}"
        return "-".join((digits[:8], digits[8:12], f"4{digits[13:16]}", f"8{digits[17:20]}", digits[20:]))

    def due(self, events: Sequence[Event]) -> list[Due]:
        """Return every delivery that must come of the events themselves."""
        topology = self._application.topology
        found = []
        for event in events:
            topic = topology.topic(name=topic_name(event["type"]))
            assert topic is not None, f"{event['type']} has no deployed topic"
            body = PartialBody.complete(event)
            found += [
                Due(event["id"], subscription.subscriber, event)
                for subscription in topic.subscriptions
                if subscription.subscriber and admits(subscription.filter_policy, body) is not False
            ]
        return found

    def derived(self, handled: Due) -> list[Event]:
        """Return the events that the subscriber publishes about the event it has handled."""
        topology = self._application.topology
        published = [
            event
            for event in self.demos[handled.use_case].derived(handled.event)
            if event["source"] == f"urn:fanout:{handled.subscriber}"
        ]
        return [event for event in published if topology.topic(name=topic_name(event["type"]))]


def typed(use_case: str, events: Sequence[Event]) -> Iterator[tuple[str, list[TypedEvent[Any]]]]:
    """Return the events as the publisher takes them, by the topic that their contracts name."""
    by_topic: dict[str, list[TypedEvent[Any]]] = {}
    for prepared in prepare([Document(f"{use_case} {event['id']}", event) for event in events], use_case):
        by_topic.setdefault(prepared.topic_name, []).append(prepared.typed)
    yield from by_topic.items()


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
