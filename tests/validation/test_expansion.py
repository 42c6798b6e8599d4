"""An expansion is what CloudFormation receives: translated, resolved, and with an error for what cannot be."""

import copy
from pathlib import Path
from typing import Any

import pytest

from fanout_wiring import load
from validation.expansion import ExpandedResource, Expansion, ExpansionError
from validation.findings import Explanation, Finding, stale, unexplained

FILE = Path(__file__).parent / "sound.yaml"


def expanded(**outputs: Any) -> dict[str, ExpandedResource]:
    """The resources of sound.yaml by path, with more environment variables for its function."""
    template = copy.deepcopy(load(FILE))
    template["Resources"]["Function"]["Properties"]["Environment"] = {"Variables": outputs}
    return {each.path: each for each in Expansion(FILE, {}, {FILE: template}).resources}


def test_a_function_becomes_its_version_alias_and_mapping() -> None:
    types = [each.type for each in expanded().values()]
    kinds = ("Function", "Version", "Alias", "EventSourceMapping")
    assert [types.count(f"AWS::Lambda::{kind}") for kind in kinds] == [1, 1, 1, 1]
    assert not [kind for kind in types if kind.startswith("AWS::Serverless::")]


def test_a_reference_has_the_shape_that_aws_gives_it() -> None:
    resources = expanded()
    queue, mapping = resources["Queue"], resources["FunctionMessages"].properties
    assert queue.ref == f"https://sqs.us-east-1.amazonaws.com/123456789012/{queue.name}"
    assert mapping["EventSourceArn"] == f"arn:aws:sqs:us-east-1:123456789012:{queue.name}"
    function = resources["Function"].name
    assert mapping["FunctionName"] == f"arn:aws:lambda:us-east-1:123456789012:function:{function}:live"


def test_values_pass_into_and_out_of_a_nested_stack_and_its_conditions_decide() -> None:
    resources = expanded()
    assert resources["Nested/Queue"].properties["VisibilityTimeout"] == 60
    assert "Nested/ShortQueue" not in resources
    target = resources["Queue"].properties["RedrivePolicy"]["deadLetterTargetArn"]
    assert target == f"arn:aws:sqs:us-east-1:123456789012:{resources['Nested/Queue'].name}"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"Ref": "Nothing"}, "refers to Nothing, which is not there"),
        ({"Fn::GetAtt": ["Table", "Nothing"]}, "no shape is known for AWS::DynamoDB::Table.Nothing"),
        ({"Fn::GetAtt": ["Nested", "Outputs.Nothing"]}, "has no output Nothing"),
        ({"Fn::ImportValue": "elsewhere"}, "cannot be resolved"),
    ],
    ids=["a resource", "an attribute", "an output", "a value of another stack"],
)
def test_an_unresolvable_reference_is_an_error(value: Any, message: str) -> None:
    with pytest.raises(ExpansionError, match=message):
        expanded(VALUE=value)


def test_an_explanation_covers_exactly_the_finding_it_names() -> None:
    finding = Finding("moto", "CreateTable", "Orders/Table", "AWS::DynamoDB::Table", "no key")
    other = Finding("moto", "CreateTable", "Orders/Table", "AWS::DynamoDB::Table", "no attribute")
    explained = [Explanation("moto", "CreateTable", "*/Table", "why", message="no key")]
    assert unexplained([finding, other, other], explained) == [other]


def test_an_explanation_that_no_finding_needs_is_stale() -> None:
    needless = Explanation("moto", "CreateTable", "*", "why", type="AWS::SQS::*")
    assert stale([Finding("moto", "CreateTable", "Table", "AWS::DynamoDB::Table", "no key")], [needless]) == [needless]
