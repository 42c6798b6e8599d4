"""What is deployed: use cases, their topics, subscriptions and subscribers, as CloudFormation and the services tell it.

Nothing is read from the checkout's templates, so the answer is the same for the local engine and for AWS, for the
root stack and for a use case that was deployed alone.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from fanout_cli.errors import UserError

T = TypeVar("T")
R = TypeVar("R")

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
    subscriptions: tuple[Subscription, ...]


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
        """The use case's subscribers, sorted by name."""
        return [self.subscribers[name] for name in sorted(self.subscribers) if name.split("/")[0] == use_case]

    def topic(self, *, name: str | None = None, arn: str | None = None) -> Topic | None:
        """The deployed topic of this name or ARN."""
        return next((topic for topic in self.topics if topic.arn == arn or topic.name == name), None)

    def topics_of(self, subscriber: str) -> list[Topic]:
        """The topics that a subscriber is subscribed to."""
        return [topic for topic in self.topics if any(each.subscriber == subscriber for each in topic.subscriptions)]


def discover(client: Callable[[str], Any], stack_name: str) -> Topology:
    """Return what the stack `stack_name` and the stacks nested in it have deployed.

    client: gives the AWS client of a service. Raises UserError if there is no such stack, or no subscriber in it.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        stacks = _stacks(client("cloudformation"), stack_name, pool)
        functions = [(stack, name) for stack in stacks for name in stack.functions.values()]
        configurations = _gather(pool, lambda pair: _configuration(client("lambda"), pair[1]), functions)
        subscribers: dict[str, Subscriber] = {}
        use_cases: dict[str, _Stack] = {}
        for (stack, _), configuration in zip(functions, configurations, strict=True):
            subscriber = _subscriber(configuration)
            if subscriber is not None:
                subscribers[subscriber.name] = subscriber
                use_cases[subscriber.use_case] = stack
        if not subscribers:
            raise UserError(
                f"stack {stack_name} has no subscriber", "Deploy a use case: fanout up locally, sam deploy on AWS."
            )
        topics = [
            (use_case, composing.topic_name(stack, logical_id, arn), arn)
            for use_case, composing in use_cases.items()
            for stack in stacks
            if stack.path.startswith(composing.path)
            for logical_id, arn in stack.topics
        ]
        subscriptions = _gather(pool, lambda topic: _subscriptions(client("sns"), topic[2], subscribers), topics)
    return Topology(
        stack_name,
        tuple(
            Topic(name, arn, use_case, tuple(found))
            for (use_case, name, arn), found in zip(topics, subscriptions, strict=True)
        ),
        subscribers,
        {use_case: stack.outputs for use_case, stack in use_cases.items()},
    )


def environments(client: Callable[[str], Any], stack_name: str) -> dict[str, dict[str, str]]:
    """Return {path: environment variables} of every function of the stack and of the stacks nested in it.

    The path is the one by which SAM CLI knows the function: TeamEvents/TeamAFunction. Raises UserError if there is no
    such stack, or no function in it.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        stacks = _stacks(client("cloudformation"), stack_name, pool)
        functions = {f"{stack.path}{each}": name for stack in stacks for each, name in stack.functions.items()}
        if not functions:
            raise UserError(f"stack {stack_name} has no functions", "Deploy a use case: fanout up.")
        configurations = _gather(pool, lambda name: _configuration(client("lambda"), name), functions.values())
    return {
        path: dict(configuration.get("Environment", {}).get("Variables", {}))
        for path, configuration in zip(functions, configurations, strict=True)
    }


@dataclass(frozen=True)
class _Stack:
    arn: str
    path: str
    """The logical ids that lead to it from the root, a slash after each; empty for the root."""
    outputs: Mapping[str, str]
    functions: Mapping[str, str]
    """{logical id: name}"""
    topics: Sequence[tuple[str, str]]
    nested: Mapping[str, str]
    """{logical id: ARN}"""

    def topic_name(self, holder: "_Stack", logical_id: str, arn: str) -> str:
        """Return what a topic of this stack, or of one nested in it, is called.

        It is the name of the output with its ARN, else the logical id of the topic, or of the nested stack with it.
        """
        names = [key.removesuffix("Arn") for key, value in self.outputs.items() if value == arn]
        nested = holder.path.removeprefix(self.path).rstrip("/").rpartition("/")[2]
        return names[0] if names else nested or logical_id


def _stacks(cloudformation: Any, name: str, pool: ThreadPoolExecutor) -> list[_Stack]:
    found: list[_Stack] = []
    level = {"": name}
    while level:
        stacks = _gather(pool, lambda each: _stack(cloudformation, path=each[0], name=each[1]), level.items())
        found.extend(stacks)
        level = {f"{stack.path}{each}/": arn for stack in stacks for each, arn in stack.nested.items()}
    return found


def _stack(cloudformation: Any, *, path: str, name: str) -> _Stack:
    try:
        description = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except (ClientError, IndexError) as error:
        missing = isinstance(error, IndexError) or "does not exist" in str(error)
        if missing and not path:
            raise UserError(
                f"there is no stack {name}",
                "Deploy it (fanout up, or sam deploy on AWS), or name another: --stack-name.",
            ) from None
        raise
    functions, topics, nested = {}, [], {}
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=name):
        for resource in page["StackResourceSummaries"]:
            logical_id, physical_id = resource["LogicalResourceId"], resource.get("PhysicalResourceId")
            if not physical_id or resource["ResourceStatus"] == "DELETE_COMPLETE":
                continue
            match resource["ResourceType"]:
                case "AWS::Lambda::Function":
                    functions[logical_id] = physical_id
                case "AWS::SNS::Topic":
                    topics.append((logical_id, physical_id))
                case "AWS::CloudFormation::Stack":
                    nested[logical_id] = physical_id
    outputs = {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])}
    return _Stack(description["StackId"], path, outputs, functions, topics, nested)


def _configuration(functions: Any, name: str) -> Mapping[str, Any]:
    configuration: Mapping[str, Any] = functions.get_function_configuration(FunctionName=name)
    return configuration


def _subscriber(configuration: Mapping[str, Any]) -> Subscriber | None:
    """The subscriber that a function is; None if it has another job (a stream's capture, a schedule)."""
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
    """The name of a queue. Names are unique in an account and Region, and an inbox lies where its topic does."""
    return url.rstrip("/").rsplit("/", 1)[-1]


def _gather(pool: ThreadPoolExecutor, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    return list(pool.map(function, items))
