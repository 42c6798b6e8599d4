"""What is deployed: use cases, their topics, subscriptions and subscribers, read from CloudFormation and the services.

Nothing is read from the checkout's templates, so the answer is the same for the local engine and for AWS, for the
root stack and for a use case that was deployed alone.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, overload

from fanout_cli.errors import UserError
from fanout_cli.stack import stack_tree
from fanout_cli.stack.stack_tree import Stack

_THREADS = 8


@dataclass(frozen=True)
class Subscriber:
    """One function that handles one topic's events for one purpose."""

    name: str
    """use case / function, as in receipts: team_events/team_a"""
    function_name: str
    log_group: str
    inbox_url: str
    dead_letter_url: str
    environment: Mapping[str, str] = field(repr=False)

    @property
    def use_case(self) -> str:
        """The use case it belongs to."""
        return self.name.partition("/")[0]


@dataclass(frozen=True)
class Subscription:
    """What leads from a topic to an endpoint."""

    arn: str
    topic_arn: str
    protocol: str
    endpoint: str
    raw: bool
    """Whether the body arrives without SNS's envelope, and so without the MessageId of its publishing."""
    filter_policy: Mapping[str, Any] | None
    filter_scope: str
    subscriber: str | None
    """The name of the function behind it; None for e-mail, SMS, Firehose and queues that no function reads."""


@dataclass(frozen=True)
class Topic:
    """A topic with everything subscribed to it."""

    name: str
    """its name in the stack's output <Topic>Arn: TeamEvents"""
    arn: str
    use_case: str
    subscriptions: Sequence[Subscription]


@dataclass(frozen=True)
class Topology:
    """The deployed application."""

    stack_name: str
    topics: tuple[Topic, ...]
    subscribers: Mapping[str, Subscriber]
    outputs: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """{use case: what its own stack gives out}"""

    @property
    def use_cases(self) -> list[str]:
        """The deployed use cases, sorted."""
        return sorted({topic.use_case for topic in self.topics})

    def of_use_case(self, use_case: str) -> list[Subscriber]:
        """Return the use case's subscribers, sorted by name."""
        return [self.subscribers[name] for name in sorted(self.subscribers) if name.split("/")[0] == use_case]

    def topic(self, *, name: str | None = None, arn: str | None = None) -> Topic | None:
        """Return the deployed topic of this name or ARN."""
        return next((topic for topic in self.topics if topic.arn == arn or topic.name == name), None)

    def topics_of(self, subscriber: str) -> list[Topic]:
        """Return the topics that a subscriber is subscribed to."""
        return [topic for topic in self.topics if any(each.subscriber == subscriber for each in topic.subscriptions)]


def discover(client: Callable[[str], Any], stack_name: str, folder: Path | None = None) -> Topology:
    """Return what the stack `stack_name` and the stacks nested in it have deployed.

    client: returns the AWS client of a service. folder: see `stack_tree.read`. The subscriptions are read when they
    are first used. Raises UserError if the stack does not exist, has no subscriber, or a function was deleted.
    """
    stacks, configurations = _functions(client, stack_name, folder)
    subscribers: dict[str, Subscriber] = {}
    use_cases: dict[str, Stack] = {}
    for stack, _, configuration in configurations:
        subscriber = _subscriber(configuration)
        if subscriber is not None:
            subscribers[subscriber.name] = subscriber
            use_cases[subscriber.use_case] = stack
    if not subscribers:
        raise UserError(
            f"stack {stack_name} has no subscriber", "Deploy a use case: fanout up locally, sam deploy on AWS."
        )
    topics = [
        (use_case, _topic_name(composing, stack, logical_id, arn), arn)
        for use_case, composing in use_cases.items()
        for stack in stacks
        if stack.path.startswith(composing.path)
        for logical_id, arn in stack.topics
    ]

    lock = Lock()  # two threads that use them first must not both read them

    @cache
    def read() -> Mapping[str, Sequence[Subscription]]:
        sns, arns = client("sns"), [arn for _, _, arn in topics]
        with ThreadPoolExecutor(_THREADS) as pool:
            found = pool.map(lambda arn: _subscriptions(sns, arn, subscribers), arns)
            return dict(zip(arns, found, strict=True))

    def subscriptions(arn: str) -> Sequence[Subscription]:
        with lock:
            return read()[arn]

    return Topology(
        stack_name,
        tuple(Topic(name, arn, use_case, _Subscriptions(arn, subscriptions)) for use_case, name, arn in topics),
        subscribers,
        {use_case: stack.outputs for use_case, stack in use_cases.items()},
    )


def environments(client: Callable[[str], Any], stack_name: str) -> dict[str, dict[str, str]]:
    """Return {path: environment variables} of every function of the stack and of the stacks nested in it.

    The path is the one by which SAM CLI knows the function: TeamEvents/TeamAFunction. Raises UserError if there is no
    such stack, or no function in it.
    """
    _, configurations = _functions(client, stack_name)
    if not configurations:
        raise UserError(f"stack {stack_name} has no functions", "Deploy a use case: fanout up.")
    return {
        f"{stack.path}{logical_id}": dict(configuration.get("Environment", {}).get("Variables", {}))
        for stack, logical_id, configuration in configurations
    }


def _functions(
    client: Callable[[str], Any], stack_name: str, folder: Path | None = None
) -> tuple[list[Stack], list[tuple[Stack, str, Mapping[str, Any]]]]:
    """Return the stacks, and of each function its stack, its logical id and its configuration."""
    with ThreadPoolExecutor(_THREADS) as pool:
        stacks = stack_tree.read(client("cloudformation"), stack_name, pool, folder)
    functions = [(stack, logical_id, name) for stack in stacks for logical_id, name in stack.functions.items()]
    # One request for 50 functions: Lambda throttles GetFunctionConfiguration at 15 requests per second.
    pages = client("lambda").get_paginator("list_functions").paginate() if functions else ()
    configurations = {each["FunctionName"]: each for page in pages for each in page["Functions"]}
    if missing := [name for _, _, name in functions if name not in configurations]:
        raise UserError(
            f"function {missing[0]} of stack {stack_name} does not exist", "Delete its use case and deploy it again."
        )
    return stacks, [(stack, logical_id, configurations[name]) for stack, logical_id, name in functions]


def _topic_name(use_case: Stack, stack: Stack, logical_id: str, arn: str) -> str:
    """Return the name of a topic in a use case's stack or in one nested in it.

    It is the name of the output with its ARN, else the logical id of the topic, or of the nested stack with it.
    """
    names = [key.removesuffix("Arn") for key, value in use_case.outputs.items() if value == arn]
    nested = stack.path.removeprefix(use_case.path).rstrip("/").rpartition("/")[2]
    return names[0] if names else nested or logical_id


class _Subscriptions(Sequence[Subscription]):
    """The subscriptions of a topic, read from SNS when they are first used: most commands need none."""

    def __init__(self, topic_arn: str, read: Callable[[str], Sequence[Subscription]]) -> None:
        self._topic_arn = topic_arn
        self._read = read

    @overload
    def __getitem__(self, index: int) -> Subscription: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Subscription]: ...
    def __getitem__(self, index: int | slice) -> Subscription | Sequence[Subscription]:
        return self._read(self._topic_arn)[index]

    def __len__(self) -> int:
        return len(self._read(self._topic_arn))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(self._topic_arn)


def _subscriber(configuration: Mapping[str, Any]) -> Subscriber | None:
    """Return the subscriber that a function is; None if it has another job (a stream's capture, a schedule)."""
    environment = configuration.get("Environment", {}).get("Variables", {})
    if not environment.get("FANOUT_SUBSCRIBER") or not environment.get("FANOUT_QUEUE_URL"):
        return None
    name = configuration["FunctionName"]
    return Subscriber(
        name=environment["FANOUT_SUBSCRIBER"],
        function_name=name,
        log_group=configuration.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{name}",
        inbox_url=environment["FANOUT_QUEUE_URL"],
        dead_letter_url=environment.get("FANOUT_DEAD_LETTER_URL", ""),
        environment=environment,
    )


def _subscriptions(sns: Any, topic_arn: str, subscribers: Mapping[str, Subscriber]) -> list[Subscription]:
    by_endpoint = {_queue_of(each.inbox_url): name for name, each in subscribers.items()}
    by_endpoint |= {each.function_name: name for name, each in subscribers.items()}
    found = []
    for page in sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn):
        for each in page["Subscriptions"]:
            attributes = _attributes(sns, each["SubscriptionArn"])
            policy = attributes.get("FilterPolicy")
            endpoint = each["Endpoint"]
            key = endpoint.split(":")[6] if each["Protocol"] == "lambda" else endpoint.split(":")[-1]
            found.append(
                Subscription(
                    arn=each["SubscriptionArn"],
                    topic_arn=topic_arn,
                    protocol=each["Protocol"],
                    endpoint=endpoint,
                    raw=attributes.get("RawMessageDelivery", "false").lower() == "true",
                    filter_policy=json.loads(policy) if policy else None,
                    filter_scope=attributes.get("FilterPolicyScope", "MessageAttributes"),
                    subscriber=by_endpoint.get(key) if each["Protocol"] in ("lambda", "sqs") else None,
                )
            )
    return found


def _attributes(sns: Any, arn: str) -> Mapping[str, str]:
    if not arn.startswith("arn:"):
        return {}  # "PendingConfirmation": an e-mail address that has not clicked yet
    attributes: Mapping[str, str] = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    return attributes


def _queue_of(url: str) -> str:
    """Return the name of a queue: unique in an account and Region, which are those of the topic."""
    return url.rstrip("/").rsplit("/", 1)[-1]
