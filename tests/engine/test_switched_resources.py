"""A parameter that switches a resource switches it, with nothing else changed: compat/switched_resources.py."""

from typing import Any

import pytest
from botocore.exceptions import WaiterError
from tests.engine.aws import Aws

TEMPLATE = {
    "Parameters": {"Extra": {"Type": "String", "Default": "true"}},
    "Conditions": {"HasExtra": {"Fn::Equals": [{"Ref": "Extra"}, "true"]}},
    "Resources": {
        "Always": {"Type": "AWS::SQS::Queue"},
        "Extra": {"Type": "AWS::SQS::Queue", "Condition": "HasExtra"},
    },
}


def switch(aws: Aws, stack: str, value: str) -> list[tuple[str, str]]:
    """Change only the parameter, the way `sam deploy` does; return what the change set says it will do."""
    cloudformation: Any = aws.client("cloudformation")
    change_set = cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName=f"extra-{value}",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "Extra", "ParameterValue": value}],
    )["Id"]
    cloudformation.get_waiter("change_set_create_complete").wait(
        ChangeSetName=change_set, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )
    changes = [
        each["ResourceChange"] for each in cloudformation.describe_change_set(ChangeSetName=change_set)["Changes"]
    ]
    cloudformation.execute_change_set(ChangeSetName=change_set)
    cloudformation.get_waiter("stack_update_complete").wait(
        StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 20}
    )
    return [(each["Action"], each["LogicalResourceId"]) for each in changes]


def resources(aws: Aws, stack: str) -> set[str]:
    found = aws.client("cloudformation").list_stack_resources(StackName=stack)["StackResourceSummaries"]
    return {each["LogicalResourceId"] for each in found}


def test_a_resource_goes_and_comes_with_its_condition(aws: Aws) -> None:
    stack = aws.deploy(TEMPLATE)
    assert switch(aws, stack, "false") == [("Remove", "Extra")]
    assert resources(aws, stack) == {"Always"}
    assert switch(aws, stack, "true") == [("Add", "Extra")]
    assert resources(aws, stack) == {"Always", "Extra"}


def test_upstream_still_takes_it_for_no_change(upstream: Aws) -> None:
    stack = upstream.deploy(TEMPLATE)
    with pytest.raises(WaiterError):
        switch(upstream, stack, "false")
    assert resources(upstream, stack) == {"Always", "Extra"}
