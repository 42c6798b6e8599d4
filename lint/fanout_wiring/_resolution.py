"""Reports what cannot be resolved, and is therefore not checked by the other rules."""

from collections.abc import Iterator
from typing import Any

from fanout_wiring._graph import ALARMS, QUEUE, TOPIC, Graph
from fanout_wiring._intrinsics import UNRESOLVED
from fanout_wiring._parameters import is_open
from fanout_wiring._rule import PAGE, Finding, WiringRule, nesting
from fanout_wiring._stack import Resource
from fanout_wiring._values import as_list

_Wire = tuple[Resource, tuple[str | int, ...], Any]


def _wires(graph: Graph) -> Iterator[_Wire]:
    """Every value that leads from one resource to another, or decides who may go there."""
    for subscription in graph.subscriptions:
        yield subscription.resource, subscription.keys, subscription.topic
        if subscription.protocol in ("sqs", "lambda"):
            yield subscription.resource, subscription.keys, subscription.endpoint
    for failure in graph.failures:
        yield failure.resource, failure.keys, failure.target
    for mapping in graph.mappings:
        yield mapping.resource, mapping.keys, mapping.queue
        yield mapping.resource, mapping.keys, mapping.function
    for alarm in graph.of(*ALARMS):
        for action in as_list(alarm.properties.get("AlarmActions")):
            yield alarm, ("Properties", "AlarmActions"), action
    for topic in graph.of(TOPIC):
        if "KmsMasterKeyId" in topic.properties:
            yield topic, ("Properties", "KmsMasterKeyId"), topic.properties["KmsMasterKeyId"]
    for queue in graph.of(QUEUE):
        for name in ("VisibilityTimeout", "MessageRetentionPeriod", "FifoQueue"):
            if name in queue.properties:
                yield queue, ("Properties", name), queue.properties[name]


def _problems(graph: Graph, *, outside: bool) -> Iterator[Finding]:
    for problem in graph.composition.problems:
        resource = nesting(graph.composition.root, problem.path)
        if resource is not None and problem.outside == outside:
            yield Finding(resource, ("Properties",), f"{resource.logical_id}: {problem.message}")


class Unresolved(WiringRule):
    """A template that cannot be read, a parameter or output that is not there, a value that cannot be computed."""

    id = "E9101"
    shortdesc = "Nested templates fit together, and every wire can be followed"
    description = "No other rule can check what cannot be resolved"
    page = source_url = f"{PAGE}AWSCloudFormation/latest/UserGuide/using-cfn-nested-stacks.html"

    def findings(self, graph: Graph) -> Iterator[Finding]:
        yield from _problems(graph, outside=False)
        for resource, keys, value in _wires(graph):
            if isinstance(value, str) and UNRESOLVED in value:
                reason = value[value.index(UNRESOLVED) + len(UNRESOLVED) :].rstrip(">")
                message = f"{resource.logical_id}: {reason} cannot be followed, so what it leads to is not judged"
                yield Finding(resource, keys, f"{message}; hand it down as a parameter or output of a local template")


class ExternalResource(WiringRule):
    """For information: where the templates end."""

    id = "I9117"
    shortdesc = "A wire leads out of the templates"
    description = "It leads to a parameter, import, macro, or template elsewhere, or to what an account holds already"
    page = source_url = Unresolved.page

    def findings(self, graph: Graph) -> Iterator[Finding]:
        yield from _problems(graph, outside=True)
        for resource, keys, value in _wires(graph):
            if (is_open(value) or str(value).startswith("arn:")) and graph.find(value) is None:
                yield Finding(resource, keys, f"{resource.logical_id}: {value} is outside, and not judged")
