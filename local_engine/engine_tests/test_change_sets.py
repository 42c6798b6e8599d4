"""Change sets see what conditions switch: compat/change_sets.py."""

import json
from typing import Any

from engine_tests.aws import Aws

TEMPLATE: dict[str, Any] = {
    "Parameters": {"Extra": {"Type": "String"}},
    "Conditions": {"HasExtra": {"Fn::Equals": [{"Ref": "Extra"}, "true"]}},
    "Resources": {
        "Always": {"Type": "AWS::SQS::Queue"},
        "Sometimes": {"Type": "AWS::SQS::Queue", "Condition": "HasExtra"},
    },
}


def changes(aws: Aws, stack: str, extra: str) -> list[tuple[str, str]]:
    """What a change set with that parameter would do."""
    name = aws.name("change")
    aws.cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName=name,
        TemplateBody=json.dumps(TEMPLATE),
        Parameters=[{"ParameterKey": "Extra", "ParameterValue": extra}],
    )
    found = aws.cloudformation.describe_change_set(StackName=stack, ChangeSetName=name)["Changes"]
    return [(each["ResourceChange"]["Action"], each["ResourceChange"]["LogicalResourceId"]) for each in found]


def test_a_resource_that_a_condition_takes_away_is_removed(aws: Aws) -> None:
    stack = aws.deploy(TEMPLATE, Extra="true")
    assert changes(aws, stack, "false") == [("Remove", "Sometimes")]
    assert changes(aws, stack, "true") == []


def test_a_resource_that_a_condition_brings_is_added(aws: Aws) -> None:
    stack = aws.deploy(TEMPLATE, Extra="false")
    assert changes(aws, stack, "true") == [("Add", "Sometimes")]
    assert changes(aws, stack, "false") == []


def test_upstream_still_sees_no_change_in_what_a_condition_switches(upstream: Aws) -> None:
    stack = upstream.deploy(TEMPLATE, Extra="true")
    assert changes(upstream, stack, "false") == []
