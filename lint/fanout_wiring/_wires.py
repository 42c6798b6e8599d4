"""How a use case is wired: the function or endpoint that each subscription of each topic leads to, and how."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fanout_wiring._composition import Composition
from fanout_wiring._graph import QUEUE, TOPIC, Graph, Subscription
from fanout_wiring._loading import load
from fanout_wiring._parameters import open_value
from fanout_wiring._stack import FUNCTION, Resource
from fanout_wiring._values import as_dict

Delivery = Literal["direct", "envelope", "raw"]


@dataclass(frozen=True)
class Wire:
    """One subscription that leads to a function."""

    subscriber: str
    """as in receipts: team_events/team_a"""
    topic: str
    """the topic's name: TeamEvents"""
    delivery: Delivery
    queue: str
    """the queue's name without the stack's id, with the suffix of a FIFO queue: QueueA, QueueA.fifo"""
    filter_policy: Mapping[str, Any] | None


@dataclass(frozen=True)
class Exit:
    """One subscription that leads elsewhere: to a queue that no function reads, to e-mail, to a stream."""

    name: str
    """the subscription's logical id without its suffix: Unrouted"""
    topic: str
    protocol: str
    filter_policy: Mapping[str, Any] | None


@dataclass(frozen=True)
class Publication:
    """One function that publishes to one topic."""

    function: str
    """as in receipts, without the use case: payment"""
    topic: str
    """the topic's name, or the parameter that names a topic of another stack"""


class Wiring:
    """The wiring of one use case, deployed alone with every optional subscription."""

    def __init__(self, root: Path, use_case: str) -> None:
        """root: the checkout. Raises UnreadableTemplateError if the use case has no template."""
        file = root / "usecases" / use_case / "template.yaml"
        # What is empty by default switches a part off; any value switches it on.
        parameters = load(file).get("Parameters") or {}
        options = {name: open_value(name) for name, about in parameters.items() if about.get("Default") == ""}
        self._graph = Graph(Composition(file, options))

    @property
    def wires(self) -> list[Wire]:
        """The subscriptions to functions, sorted by subscriber."""
        found = [
            Wire(_name(function), self._topic(each), _delivery(each), self._queue(function), _filter(each))
            for each, function in self._subscriptions()
            if function is not None
        ]
        return sorted(found, key=lambda wire: (wire.subscriber, wire.topic))

    @property
    def exits(self) -> list[Exit]:
        """The other subscriptions, sorted by name."""
        found = [
            Exit(each.resource.logical_id.removesuffix("Subscription"), self._topic(each), each.protocol, _filter(each))
            for each, function in self._subscriptions()
            if function is None
        ]
        return sorted(found, key=lambda each: each.name)

    @property
    def publications(self) -> list[Publication]:
        """Which functions publish to which topics, as their environments say, sorted."""
        found = {
            Publication(_name(function).partition("/")[2], self._topic_name(value))
            for function in self._graph.of(FUNCTION)
            for name, value in _environment(function).items()
            if name.endswith("TOPIC_ARN") and value
        }
        return sorted(found, key=lambda each: (each.function, each.topic))

    def _subscriptions(self) -> Iterator[tuple[Subscription, Resource | None]]:
        """Every subscription with the function that it leads to, itself or through the queue that it reads."""
        readers = {mapping.queue: mapping.function for mapping in self._graph.mappings}
        for each in self._graph.subscriptions:
            yield each, self._graph.find(readers.get(each.endpoint, each.endpoint), FUNCTION)

    def _topic(self, subscription: Subscription) -> str:
        return self._topic_name(subscription.topic)

    def _topic_name(self, arn: Any) -> str:
        topic = self._graph.find(arn, TOPIC)
        return self._graph.name_of(topic) if topic is not None else str(arn).strip("<>").rpartition(" ")[2]

    def _queue(self, function: Resource) -> str:
        sources = [each.queue for each in self._graph.mappings if self._graph.find(each.function) is function]
        queue = self._graph.find(sources[0], QUEUE) if sources else None
        if queue is None:
            return function.logical_id
        given = queue.stack.parameters.get("Name", queue.logical_id)
        return f"{given}.fifo" if queue.properties.get("FifoQueue") else str(given)


def _name(function: Resource) -> str:
    return str(_environment(function)["FANOUT_SUBSCRIBER"])


def _environment(function: Resource) -> dict[str, Any]:
    return as_dict(as_dict(function.properties.get("Environment")).get("Variables"))


def _delivery(subscription: Subscription) -> Delivery:
    if subscription.protocol == "lambda":
        return "direct"
    return "raw" if subscription.settings.get("RawMessageDelivery") else "envelope"


def _filter(subscription: Subscription) -> Mapping[str, Any] | None:
    return as_dict(subscription.settings.get("FilterPolicy")) or None
