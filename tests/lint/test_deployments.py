"""Every combination of what conditions ask is a deployment that the rules judge."""

import itertools
from pathlib import Path

import pytest

from fanout_wiring import Composition
from fanout_wiring._deployments import FEW, Choices, combinations
from fanout_wiring._parameters import Bounded, highest, lowest, number
from fanout_wiring._permissions import is_wide, knows_resources

PARENT, CHILD = Path("/templates/parent.yaml"), Path("/templates/child.yaml")


def nested(
    parent: dict[str, object], child: dict[str, object], given: dict[str, object]
) -> dict[Path, dict[str, object]]:
    stack = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "child.yaml", "Parameters": given}}
    return {PARENT: {"Resources": {"Child": stack}, **parent}, CHILD: {"Resources": {}, **child}}


def test_a_small_number_of_combinations_is_built_completely_with_the_defaults_first() -> None:
    rows = combinations({"A": ["x", "y"], "B": ["1", "2", "3"]})
    assert rows[0] == {}
    assert len(rows) == 6


def test_of_many_combinations_any_three_choices_are_covered() -> None:
    choices = {name: ["no", "yes"] for name in "ABCDEFGHIJKL"} | {"Stage": ["dev", "prod", "local"]}
    rows = combinations(choices)
    assert len(rows) < FEW
    full = [{name: row.get(name, values[0]) for name, values in choices.items()} for row in rows]
    for three in itertools.combinations(choices, 3):
        met = {tuple(row[name] for name in three) for row in full}
        assert met == set(itertools.product(*(choices[name] for name in three)))


def test_a_nested_condition_or_mapping_adds_choices_to_the_parameter_it_depends_on() -> None:
    sources = nested(
        {
            "Parameters": {"Stage": {"Type": "String", "Default": "dev"}, "Unused": {"Type": "String", "Default": ""}},
            "Mappings": {"Sizes": {"dev": {"Size": 1}, "huge": {"Size": 9}}},
            "Metadata": {"Size": {"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "Size"]}},
        },
        {
            "Parameters": {"Level": {"Type": "String"}},
            "Conditions": {"IsProd": {"Fn::Equals": [{"Ref": "Level"}, "prod"]}},
        },
        {"Level": {"Ref": "Stage"}},
    )
    assert Choices(sources).of(PARENT) == {"Stage": ["dev", "huge", "prod", "<parameter Stage>"]}


def test_a_parameter_takes_only_allowed_values() -> None:
    allowed = {"Type": "String", "Default": "dev", "AllowedValues": ["dev", "test", "prod"]}
    asked = {"Conditions": {"C": {"Fn::Equals": [{"Ref": "P"}, "prod"]}}, "Resources": {}}
    assert Choices({PARENT: {**asked, "Parameters": {"P": allowed}}}).of(PARENT) == {"P": ["dev", "prod"]}


def test_a_number_keeps_its_bounds_in_nested_stacks_and_the_narrower_ones_apply() -> None:
    sources = nested(
        {"Parameters": {"Seconds": {"Type": "Number", "Default": 60, "MaxValue": 900}}},
        {
            "Parameters": {"Window": {"Type": "Number", "MinValue": 10, "MaxValue": 300}},
            "Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": {"Ref": "Window"}}}},
        },
        {"Window": {"Ref": "Seconds"}},
    )
    [queue] = Composition(PARENT, {}, sources).of("AWS::SQS::Queue")
    delay = queue.properties["DelaySeconds"]
    assert (delay, lowest(delay), highest(delay)) == (60, 10, 300)


def test_a_nested_default_is_fixed_because_no_other_value_can_be_passed() -> None:
    child = {
        "Parameters": {"Window": {"Type": "Number", "Default": 10, "MaxValue": 300}},
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": {"Ref": "Window"}}}},
    }
    [queue] = Composition(PARENT, {}, nested({}, child, {})).of("AWS::SQS::Queue")
    assert not isinstance(queue.properties["DelaySeconds"], Bounded)


def test_only_numbers_are_numbers() -> None:
    assert [number(value) for value in (5, "5", True, None, "five", "<parameter Five>", [5])] == [5, 5, *[None] * 5]


@pytest.mark.parametrize(
    ("resource", "wide"),
    [
        ("*", True),
        ("arn:aws:sqs:*:*:orders", True),
        ("arn:aws:sqs:us-east-1:111122223333:*", True),
        ("arn:aws:sqs:us-east-1:111122223333:orders", False),
        ("arn:aws:dynamodb:us-east-1:111122223333:table/*", True),
        ("arn:aws:dynamodb:us-east-1:111122223333:table/orders-*", True),
        ("arn:aws:dynamodb:us-east-1:111122223333:table/orders/index/*", False),
        ("arn:aws:s3:::*", True),
        ("arn:aws:s3:::orders*", True),
        ("arn:aws:s3:::orders/*", False),
        ("arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/*", True),
        ("arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/orders:*", False),
        ("arn:aws:secretsmanager:us-east-1:111122223333:secret:orders-??????", False),
        ("<Table.Arn>/index/*", False),
        ("<Table.Arn>*", True),
        ("<Table.Arn>", False),
    ],
)
def test_a_wildcard_in_place_of_account_or_name_is_wide(resource: str, wide: bool) -> None:
    assert is_wide(resource) is wide


@pytest.mark.parametrize(
    ("action", "known"),
    [
        ("xray:PutTraceSegments", False),
        ("xray:PutTelemetry*", False),
        ("xray:*", True),
        ("sqs:ListQueues", False),
        ("sqs:List*", True),
        ("sns:Publish", True),
        ("cloudwatch:PutMetricData", False),
        ("brandnew:Action", True),
    ],
)
def test_an_action_supports_resources_unless_the_list_of_aws_says_otherwise(action: str, known: bool) -> None:
    assert knows_resources(action) is known
