"""How a use case is wired, as its template says: which function each subscription of each topic leads to, and how."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

Delivery = Literal["direct", "envelope", "raw"]


@dataclass(frozen=True)
class Wire:
    """One subscription that leads to a function."""

    subscriber: str
    """as in receipts: team_events/team_a"""
    topic: str
    """the topic's logical id, which is its name: TeamEvents"""
    delivery: Delivery
    queue: str
    """the name that the inbox's template is given, with the ending that a FIFO queue's has: QueueA, QueueA.fifo"""
    filter_policy: Mapping[str, Any] | None


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms: `!Ref X` as {"Ref": "X"}, `!GetAtt X.Y` as {"GetAtt": "X.Y"}."""


def _short_form(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.MappingNode):
        return {suffix: loader.construct_mapping(node, deep=True)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    return {suffix: node.value}


_Loader.add_multi_constructor("!", _short_form)


@dataclass(frozen=True)
class Exit:
    """One subscription that leads elsewhere: to a queue that no function reads, to e-mail, to a stream."""

    name: str
    """the subscription's logical id without its ending: Unrouted"""
    topic: str
    protocol: str
    filter_policy: Mapping[str, Any] | None


@dataclass(frozen=True)
class Publication:
    """One function that publishes to one topic."""

    function: str
    """the handler's module: payment"""
    topic: str
    """the topic's logical id, or the parameter that names a topic of another stack"""


def wires(root: Path, use_case: str) -> list[Wire]:
    """Return the use case's subscriptions to functions, sorted by subscriber. Raises OSError if it has no template."""
    resources = _resources(root, use_case)
    found = []
    for subscription in _subscriptions(resources).values():
        name = _function(resources, subscription["Endpoint"])
        if not name:
            continue  # a queue that no function reads
        function = resources[name]["Properties"]
        inbox = _inbox(resources, name)
        raw = subscription.get("RawMessageDelivery", False)
        delivery: Delivery = "direct" if subscription["Protocol"] == "lambda" else "raw" if raw else "envelope"
        found.append(
            Wire(
                subscriber=function["Environment"]["Variables"]["FANOUT_SUBSCRIBER"],
                topic=subscription["TopicArn"]["Ref"],
                delivery=delivery,
                queue=inbox or name,
                filter_policy=subscription.get("FilterPolicy"),
            )
        )
    return sorted(found, key=lambda wire: (wire.subscriber, wire.topic))


def parameter_defaults(root: Path) -> dict[str, str]:
    """Return the parameters of the root template that have a default."""
    text = (root / "template.yaml").read_text(encoding="utf-8")
    parameters: dict[str, Any] = yaml.load(text, Loader=_Loader)["Parameters"]  # noqa: S506 - a SafeLoader
    return {name: str(each["Default"]) for name, each in parameters.items() if "Default" in each}


def exits(root: Path, use_case: str) -> list[Exit]:
    """Return the use case's other subscriptions, sorted by name. Raises OSError if it has no template."""
    resources = _resources(root, use_case)
    return sorted(
        (
            Exit(
                name=name.removesuffix("Subscription"),
                topic=each["TopicArn"]["Ref"],
                protocol=each["Protocol"],
                filter_policy=each.get("FilterPolicy"),
            )
            for name, each in _subscriptions(resources).items()
            if not _function(resources, each["Endpoint"])
        ),
        key=lambda each: each.name,
    )


def publications(root: Path, use_case: str) -> list[Publication]:
    """Return which functions publish to which topics, as their environments say, sorted. Raises OSError likewise."""
    resources = _resources(root, use_case)
    found = {
        Publication(function=function["Properties"]["Handler"].split(".")[-2], topic=value["Ref"])
        for function in resources.values()
        if function["Type"] == "AWS::Serverless::Function"
        for name, value in function["Properties"].get("Environment", {}).get("Variables", {}).items()
        if name.endswith("TOPIC_ARN") and isinstance(value, Mapping) and "Ref" in value
    }
    return sorted(found, key=lambda each: (each.function, each.topic))


def _resources(root: Path, use_case: str) -> dict[str, Any]:
    text = (root / "usecases" / use_case / "template.yaml").read_text(encoding="utf-8")
    resources: dict[str, Any] = yaml.load(text, Loader=_Loader)["Resources"]  # noqa: S506 - a SafeLoader
    return resources


def _subscriptions(resources: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each["Properties"] for name, each in resources.items() if each["Type"] == "AWS::SNS::Subscription"}


def _function(resources: Mapping[str, Any], endpoint: Mapping[str, Any]) -> str:
    """The logical id of the function that an endpoint leads to, itself or through the queue it reads; "" for none."""
    mapping = next((each for each in _mappings(resources) if each["EventSourceArn"] == endpoint), None)
    return _invoked(mapping["FunctionName"] if mapping else endpoint)


def _invoked(target: Mapping[str, Any]) -> str:
    """The function in `!If [InvokesLatest, !GetAtt XFunction.Arn, !Ref XFunction.Alias]`; "" for anything else."""
    choice = target.get("If", ["", {}, {}])
    return str(choice[2].get("Ref", "")).removesuffix(".Alias")


def _mappings(resources: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each["Properties"] for each in resources.values() if each["Type"] == "AWS::Lambda::EventSourceMapping"]


def _inbox(resources: Mapping[str, Any], function: str) -> str:
    """The name of the queue that the function reads, as given to the inbox's template."""
    for mapping in _mappings(resources):
        source = resources[mapping["EventSourceArn"]["GetAtt"].split(".")[0]]["Properties"]
        if _invoked(mapping["FunctionName"]) == function and "Name" in source.get("Parameters", {}):
            given = source["Parameters"]
            return f"{given['Name']}{'.fifo' if given.get('Fifo') == 'true' else ''}"
    return ""
