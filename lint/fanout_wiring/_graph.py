"""What one deployment is wired of, whether its templates are SAM or plain CloudFormation: topics, subscriptions,
queues, mappings, functions, alarms and what policies allow."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from fanout_wiring._composition import Composition
from fanout_wiring._intrinsics import UNRESOLVED
from fanout_wiring._parameters import is_open
from fanout_wiring._policies import statements
from fanout_wiring._stack import FUNCTION, PSEUDO, Resource, random_suffix
from fanout_wiring._values import as_dict, as_list

QUEUE = "AWS::SQS::Queue"
TOPIC = "AWS::SNS::Topic"
KEY = "AWS::KMS::Key"
SUBSCRIPTION = "AWS::SNS::Subscription"
ALARMS = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
FUNCTIONS = (FUNCTION, "AWS::Lambda::Function")

# The resource policies of queues and topics, and the property of each that says what it is for.
_POLICIES = {
    QUEUE: {"AWS::SQS::QueuePolicy": "Queues", "AWS::SQS::QueueInlinePolicy": "Queue"},
    TOPIC: {"AWS::SNS::TopicPolicy": "Topics", "AWS::SNS::TopicInlinePolicy": "TopicArn"},
}
_ARN = re.compile(
    rf"arn:[^:]*:(sqs|sns|lambda|kms):[^:]*:{PSEUDO['AWS::AccountId']}:(?:function:|key/)?(.+)", re.DOTALL
)
_QUEUE_URL = re.compile(rf"https://(sqs)\.[^/]+/{PSEUDO['AWS::AccountId']}/(.+)")
_TOKEN = re.compile(r"<([^.>]+)(?:\.[^>]*)?>")
_NAMES = {
    QUEUE: ("sqs", "QueueName"),
    TOPIC: ("sns", "TopicName"),
    FUNCTION: ("lambda", "FunctionName"),
    "AWS::Lambda::Function": ("lambda", "FunctionName"),
    "AWS::KMS::Alias": ("kms", "AliasName"),
}


# Where resources and SAM's events name what takes their failures, and the keys below that hold its ARN.
_DEAD_LETTERS = {
    "RedrivePolicy": ("deadLetterTargetArn",),
    "DeadLetterConfig": ("Arn", "TargetArn"),
    "DeadLetterQueue": ("TargetArn",),
    "OnFailure": ("Destination",),
}


def _dead_letter_targets(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for inner in value:
            yield from _dead_letter_targets(inner)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (as_dict(inner).get(name) for name in _DEAD_LETTERS.get(key, ()))
            yield from _dead_letter_targets(inner)


@dataclass(frozen=True)
class Subscription:
    """One subscription, however it was declared."""

    resource: Resource
    keys: tuple[str | int, ...]
    """its position in its resource"""
    topic: Any
    protocol: str
    endpoint: Any
    settings: dict[str, Any]
    redrivable: bool = True
    """False: declared in a way that has no place for a redrive policy"""

    @property
    def dead_letters(self) -> Any:
        """Return the ARN of its dead-letter queue."""
        return as_dict(self.settings.get("RedrivePolicy")).get("deadLetterTargetArn")

    @property
    def label(self) -> str:
        """Return its name in messages."""
        return f"subscription {self.resource.logical_id}"


@dataclass(frozen=True)
class Mapping:
    """One event source mapping from a queue to a function, however it was declared."""

    resource: Resource
    keys: tuple[str | int, ...]
    queue: Any
    function: Any
    settings: dict[str, Any]
    complete: bool = True
    """False: declared in a way that has no place for FunctionResponseTypes"""


@dataclass(frozen=True)
class Failure:
    """A destination of failures."""

    resource: Resource
    """who sends there"""
    keys: tuple[str | int, ...]
    target: Any
    kind: str
    """queue, subscription, or function: who gave up on it"""


class Graph:
    """One deployment, seen as topics, queues, functions and what leads from one to the other."""

    def __init__(self, composition: Composition) -> None:
        self.composition = composition
        self.resources = composition.resources
        self._by_path = {resource.path: resource for resource in self.resources}
        self._found: dict[str, Resource | None] = {}

    def of(self, *types: str) -> list[Resource]:
        """The resources of the given types."""
        return self.composition.of(*types)

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], Resource]:
        return {
            (service, str(resource.properties[name])): resource
            for kind, (service, name) in _NAMES.items()
            for resource in self.of(kind)
            if name in resource.properties
        }

    def find(self, value: Any, *types: str) -> Resource | None:
        """Return what an ARN, id, name or URL leads to, if that is part of the deployment and of one of the types."""
        if not isinstance(value, str):
            return None
        if value not in self._found:
            self._found[value] = self._lookup(value)
        resource = self._found[value]
        return resource if resource is not None and (not types or resource.type in types) else None

    def name_of(self, topic: Resource) -> str:
        """Return what a topic is called: its logical id, or that of the nested stack of which it is the only topic."""
        stack = topic.stack
        alone = sum(other.stack is stack for other in self.of(TOPIC)) == 1
        return stack.path.rpartition("/")[2] if alone and stack.parent is not None else topic.logical_id

    def queue_named(self, name: Any) -> Resource | None:
        """Return the queue with that name, as an alarm's dimension gives it."""
        return self.find(name, QUEUE) or self._by_name.get(("sqs", str(name)))

    def _lookup(self, text: str) -> Resource | None:
        service = ""
        for pattern in (_ARN, _QUEUE_URL):
            if found := pattern.fullmatch(text):
                service, text = found.groups()
        resource: Resource | None = None
        if (token := _TOKEN.match(text)) and token[1] in self._by_path:
            resource = self._by_path[token[1]]
        elif service in ("", "lambda"):  # a function may be named with its alias behind it
            names = (("lambda", text.split(":")[0]), ("kms", text))
            resource = next((self._by_name[name] for name in names if name in self._by_name), None)
        else:
            resource = self._by_name.get((service, text))
        if resource is not None and resource.type in ("AWS::Lambda::Alias", "AWS::Lambda::Version"):
            return self.find(resource.properties.get("FunctionName"))
        return resource

    def covers(self, pattern: Any, resource: Resource) -> bool:
        """Whether an ARN of a policy, which may have wildcards, is that of a topic or queue."""
        if not isinstance(pattern, str) or not set("*?") & set(pattern):
            return self.find(pattern) is resource
        service, key = _NAMES[resource.type]
        stack = resource.stack
        generated = f"{stack.stack_name}-{resource.logical_id}-{random_suffix(resource.path)}"
        name = resource.properties.get(key, generated)
        place = [stack.ref(f"AWS::{each}") for each in ("Partition", "Region", "AccountId")]
        return pattern == "*" or fnmatchcase(f"arn:{place[0]}:{service}:{place[1]}:{place[2]}:{name}", pattern)

    # ------------------------------------------------------------------------------------------- topics, queues
    @cached_property
    def subscriptions(self) -> list[Subscription]:
        """Every subscription: the resource, a topic's own list, and SAM's event."""
        return [*self._resources(), *self._lists(), *self._events()]

    def _resources(self) -> Iterator[Subscription]:
        for resource in self.of(SUBSCRIPTION):
            own = resource.properties
            yield Subscription(
                resource, ("Properties",), own.get("TopicArn"), str(own.get("Protocol")), own.get("Endpoint"), own
            )

    def _lists(self) -> Iterator[Subscription]:
        for topic in self.of(TOPIC):
            for index, own in enumerate(as_list(topic.properties.get("Subscription"))):
                yield Subscription(
                    topic,
                    ("Properties", "Subscription", index),
                    topic.arn,
                    str(as_dict(own).get("Protocol")),
                    as_dict(own).get("Endpoint"),
                    {},
                    redrivable=False,
                )

    def _events(self) -> Iterator[Subscription]:
        for function, keys, event in self._sam_events("SNS"):
            queue = event.get("SqsSubscription")
            if queue is None or queue is False:
                yield Subscription(function, keys, event.get("Topic"), "lambda", function.arn, event)
            else:
                # Without a queue of ours SAM makes one, which nothing can name.
                endpoint = as_dict(queue).get("QueueArn", f"<{function.path}Queue.Arn>")
                yield Subscription(function, keys, event.get("Topic"), "sqs", endpoint, event)

    def _sam_events(self, kind: str) -> Iterator[tuple[Resource, tuple[str | int, ...], dict[str, Any]]]:
        for function in self.of(FUNCTION):
            for name, event in as_dict(function.properties.get("Events")).items():
                if as_dict(event).get("Type") == kind:
                    keys = ("Properties", "Events", name, "Properties")
                    yield function, keys, as_dict(as_dict(event).get("Properties"))

    @cached_property
    def mappings(self) -> list[Mapping]:
        """Every event source mapping that reads from a queue."""
        found = []
        for resource in self.of("AWS::Lambda::EventSourceMapping"):
            own = resource.properties
            if self._reads_a_queue(own):
                found.append(
                    Mapping(resource, ("Properties",), own.get("EventSourceArn"), own.get("FunctionName"), own)
                )
        for function, keys, event in self._sam_events("SQS"):
            found.append(Mapping(function, keys, event.get("Queue"), function.arn, event))
        for function, keys, event in self._sam_events("SNS"):
            queue = event.get("SqsSubscription")
            if queue is not None and queue is not False:
                source = as_dict(queue).get("QueueArn", f"<{function.path}Queue.Arn>")
                found.append(Mapping(function, keys, source, function.arn, as_dict(queue), complete=False))
        return found

    def _reads_a_queue(self, settings: dict[str, Any]) -> bool:
        source = settings.get("EventSourceArn")
        if self.find(source, QUEUE) or re.match(r"arn:[^:]*:sqs:", str(source)):
            return True
        # A source from outside the templates: streams and brokers need what a queue does not.
        outside = is_open(source) or str(source).startswith(UNRESOLVED)
        needs = ("StartingPosition", "Topics", "Queues", "SelfManagedEventSource")
        return outside and not any(name in settings for name in needs)

    @cached_property
    def failures(self) -> list[Failure]:
        """Return every destination of failures."""
        found = []
        for subscription in self.subscriptions:
            keys = (*subscription.keys, "RedrivePolicy")
            found.append(Failure(subscription.resource, keys, subscription.dead_letters, "subscription"))
        for resource in self.resources:
            own = resource.properties
            if resource.type == QUEUE:
                target = as_dict(own.get("RedrivePolicy")).get("deadLetterTargetArn")
                found.append(Failure(resource, ("Properties", "RedrivePolicy"), target, "queue"))
            elif resource.type in (*FUNCTIONS, "AWS::Lambda::EventInvokeConfig"):
                for keys in (
                    ("EventInvokeConfig", "DestinationConfig", "OnFailure", "Destination"),
                    ("DestinationConfig", "OnFailure", "Destination"),
                    ("DeadLetterQueue", "TargetArn"),
                    ("DeadLetterConfig", "TargetArn"),
                ):
                    value: Any = own
                    for key in keys:
                        value = as_dict(value).get(key)
                    found.append(Failure(resource, ("Properties", *keys), value, "function"))
        return [failure for failure in found if failure.target is not None]

    @cached_property
    def dead_letter_queues(self) -> set[str]:
        """The paths of the queues that take what failed anywhere: rules, schedules and streams name them, too.

        A queue whose RedriveAllowPolicy admits other queues takes the dead letters of another stack.
        """
        targets = [target for resource in self.resources for target in _dead_letter_targets(resource.properties)]
        found = {queue.path for target in targets if (queue := self.find(target, QUEUE)) is not None}
        for queue in self.of(QUEUE):
            permission = as_dict(queue.properties.get("RedriveAllowPolicy")).get("redrivePermission")
            if permission in ("allowAll", "byQueue"):
                found.add(queue.path)
        return found

    # --------------------------------------------------------------------------------------------------- policies
    def policies(self, resource: Resource) -> list[list[dict[str, Any]]]:
        """Return the statements of each resource policy of one queue or topic."""
        return [
            statements(policy.properties)
            for kind, attached in _POLICIES[resource.type].items()
            for policy in self.of(kind)
            if any(self.find(target) is resource for target in as_list(policy.properties.get(attached)))
        ]

    def key_of(self, value: Any) -> Resource | str | None:
        """Return the key that an ARN, id or alias names: a resource of the deployment, else the text, None for none."""
        alias = self.find(value, "AWS::KMS::Alias") or next(
            (each for each in self.of("AWS::KMS::Alias") if each.properties.get("AliasName") == value), None
        )
        if alias is not None:
            value = alias.properties.get("TargetKeyId")
        return self.find(value, KEY) or (str(value) if value else None)
