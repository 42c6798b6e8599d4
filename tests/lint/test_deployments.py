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


def test_few_combinations_are_all_built_and_the_defaults_come_first() -> None:
    rows = combinations({"A": ["x", "y"], "B": ["1", "2", "3"]})
    assert rows[0] == {}
    assert len(rows) == 6


def test_of_many_any_three_choices_meet() -> None:
    choices = {name: ["no", "yes"] for name in "ABCDEFGHIJKL"} | {"Stage": ["dev", "prod", "local"]}
    rows = combinations(choices)
    assert len(rows) < FEW
    full = [{name: row.get(name, values[0]) for name, values in choices.items()} for row in rows]
    for three in itertools.combinations(choices, 3):
        met = {tuple(row[name] for name in three) for row in full}
        assert met == set(itertools.product(*(choices[name] for name in three)))


def test_what_a_nested_condition_or_a_mapping_asks_is_a_choice_of_the_parameter_handed_down() -> None:
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


def test_a_parameter_is_only_what_it_may_be() -> None:
    allowed = {"Type": "String", "Default": "dev", "AllowedValues": ["dev", "test", "prod"]}
    asked = {"Conditions": {"C": {"Fn::Equals": [{"Ref": "P"}, "prod"]}}, "Resources": {}}
    assert Choices({PARENT: {**asked, "Parameters": {"P": allowed}}}).of(PARENT) == {"P": ["dev", "prod"]}


def test_a_number_keeps_its_bounds_on_the_way_down_and_the_narrower_ones_hold() -> None:
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


def test_a_nested_default_is_fixed_because_nobody_can_give_another_value() -> None:
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
def test_a_wildcard_is_wide_where_account_or_name_belongs(resource: str, wide: bool) -> None:
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
def test_an_action_knows_resources_unless_the_list_of_aws_says_it_does_not(action: str, known: bool) -> None:
    assert knows_resources(action) is known
