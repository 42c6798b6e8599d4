"""The deployments that the template tests look at, and what they look for in them."""

import copy
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from fanout_wiring import FUNCTION, Composition, Graph, Resource, load, metrics
from tests.template.application import EVERY_OPTION, ROOT, STAGES, overrides

ROOT_TEMPLATE = ROOT / "template.yaml"
USE_CASES = sorted(path.parent for path in ROOT.glob("usecases/*/template.yaml"))

QUEUE = "AWS::SQS::Queue"
TOPIC = "AWS::SNS::Topic"
TABLE = "AWS::DynamoDB::Table"
SUBSCRIPTION = "AWS::SNS::Subscription"
ALARM = "AWS::CloudWatch::Alarm"
DEPTH = "ApproximateNumberOfMessagesVisible"

Change = Callable[[dict[str, Any]], object]
Rule = Callable[[Composition], None]
"""A test of one deployment."""
Mistake = tuple[Rule, Path, Change]


# ---------------------------------------------------------------------------------------------------------- deployments
@cache
def whole(stage: str) -> Composition:
    """The whole application, as samconfig.toml deploys it."""
    return Composition(ROOT_TEMPLATE, overrides(stage))


@cache
def alone(folder: Path, stage: str) -> Composition:
    """One use case without the root, as samconfig.toml deploys it: SAM CLI leaves out parameters it does not have."""
    template = folder / "template.yaml"
    known = load(template)["Parameters"]
    return Composition(template, {name: value for name, value in overrides(stage).items() if name in known})


@cache
def with_every_option() -> Composition:
    """The whole application in production, with everything switched on that a parameter switches on."""
    return Composition(ROOT_TEMPLATE, overrides("prod") | EVERY_OPTION)


DEPLOYMENTS: dict[str, Callable[[], Composition]] = {
    **{stage: lambda stage=stage: whole(stage) for stage in STAGES},  # type: ignore[misc]
    "every option": with_every_option,
    **{
        f"{folder.name} alone, {stage}": lambda folder=folder, stage=stage: alone(folder, stage)  # type: ignore[misc]
        for folder in USE_CASES
        for stage in ("default", "local")
    },
}
"""By what they are called in the ids of tests."""


# ------------------------------------------------------------------------------------------------------------- mistakes
def changed(file: Path, change: Change) -> Composition:
    """The whole application with one template changed."""
    template = copy.deepcopy(load(file))
    change(template)
    return Composition(ROOT_TEMPLATE, overrides("prod") | _PEOPLE, {file: template})


_PEOPLE = {"AlertEmail": "oncall@example.com", "AlertPhoneNumber": "+15550100"}


def properties(template: dict[str, Any], name: str) -> dict[str, Any]:
    """The properties of one resource of a template, to be changed."""
    properties: dict[str, Any] = template["Resources"][name]["Properties"]
    return properties


def rules(names: dict[str, Any]) -> set[Rule]:
    """Return the tests of deployments among the names of a module."""
    return {
        found
        for name, found in names.items()
        if name.startswith("test_") and list(getattr(found, "__annotations__", ())) == ["deployment", "return"]
    }


# -------------------------------------------------------------------------------------------------------------- helpers
def as_list(value: Any) -> list[Any]:
    """What may be given as one or as several, as several."""
    return value if isinstance(value, list) else [value]


def dead_letter_arns(composition: Composition) -> dict[str, str]:
    """Every queue that takes what failed, with one that sends there."""
    found: dict[str, str] = {}
    for resource in composition.resources:
        policy = resource.properties.get("RedrivePolicy") or {}
        if "deadLetterTargetArn" in policy:
            found[policy["deadLetterTargetArn"]] = resource.path
        failure = on_failure(resource)
        if failure:
            found[failure] = resource.path
    return found


def on_failure(resource: Resource) -> str | None:
    """The on-failure destination that Lambda has for asynchronous invocations."""
    if resource.type != "AWS::Lambda::EventInvokeConfig":
        return None
    destinations = resource.properties.get("DestinationConfig") or {}
    arn: str | None = (destinations.get("OnFailure") or {}).get("Destination")
    return arn


def asynchronous(composition: Composition) -> Iterator[tuple[Resource, Resource]]:
    """Every function with its settings for asynchronous invocations."""
    graph = Graph(composition)
    for settings in composition.of("AWS::Lambda::EventInvokeConfig"):
        function = graph.find(settings.properties["FunctionName"], FUNCTION)
        if function is not None:
            yield function, settings


def mappings(composition: Composition) -> Iterator[tuple[Resource, dict[str, Any]]]:
    """Every function that reads a queue, with its mapping."""
    graph = Graph(composition)
    for mapping in graph.mappings:
        function = graph.find(mapping.function, FUNCTION)
        if function is not None:
            yield function, mapping.settings


def alarms_on(composition: Composition, metric: str, **dimensions: str) -> list[Resource]:
    return [
        alarm
        for alarm in composition.of(ALARM)
        for watched in metrics(alarm)
        if watched.name == metric and watched.dimensions == dimensions
    ]


def statements(composition: Composition) -> Iterator[tuple[Resource, dict[str, Any]]]:
    """What roles and managed policies allow."""
    for resource in composition.of("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"):
        documents = [policy["PolicyDocument"] for policy in resource.properties.get("Policies", [])]
        if "PolicyDocument" in resource.properties:
            documents.append(resource.properties["PolicyDocument"])
        for document in documents:
            for statement in document["Statement"]:
                yield resource, statement
