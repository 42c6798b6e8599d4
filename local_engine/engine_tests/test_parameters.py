"""Parameters of Systems Manager that a template gives no name are named as on AWS: compat/parameter_names.py."""

from typing import Any

from engine_tests.aws import Aws, allow

TEMPLATE = {
    "Resources": {"Words": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "one,two"}}},
    "Outputs": {
        "Name": {"Value": {"Ref": "Words"}},
        "Arn": {"Value": {"Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/${Words}"}},
    },
}
READER = """
import boto3

def handler(event, context):
    return boto3.client("ssm").get_parameter(**event)["Parameter"]["Value"]
"""


def test_a_role_for_the_arn_made_of_a_parameter_s_name_may_read_it(aws: Aws) -> None:
    outputs = aws.outputs(aws.deploy(TEMPLATE))
    assert outputs["Name"].startswith("CFN-Words-")
    reader = aws.function(READER, allow("ssm:GetParameter", outputs["Arn"]))
    payload = f'{{"Name": "{outputs["Name"]}"}}'.encode()
    answer = aws.client("lambda").invoke(FunctionName=reader, Payload=payload)
    assert answer["Payload"].read() == b'"one,two"'


def test_an_update_keeps_the_name_and_a_second_stack_gets_another(aws: Aws) -> None:
    stack = aws.deploy(TEMPLATE)
    name = aws.outputs(stack)["Name"]
    changed: dict[str, Any] = {**TEMPLATE, "Resources": {"Words": {**TEMPLATE["Resources"]["Words"]}}}
    changed["Resources"]["Words"]["Properties"] = {"Type": "String", "Value": "three"}
    aws.deploy(changed, stack=stack)
    assert aws.outputs(stack)["Name"] == name
    assert aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"] == "three"
    assert aws.outputs(aws.deploy(TEMPLATE))["Name"] != name


def test_upstream_still_names_it_with_a_path(upstream: Aws) -> None:
    assert upstream.outputs(upstream.deploy(TEMPLATE))["Name"].startswith("/")
