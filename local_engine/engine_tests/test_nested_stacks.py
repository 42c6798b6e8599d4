"""Nested stacks behave as on AWS: compat/nested_stacks.py and compat/get_template_urls.py."""

import json
from typing import Any

import pytest
from samcli.lib.utils.s3 import parse_s3_url

from engine_tests.aws import RUNTIME, Aws, zipped

SAM = "AWS::Serverless-2016-10-31"


def parent(url: str, **parameters: str) -> dict[str, Any]:
    return {
        "Resources": {
            "Child": {
                "Type": "AWS::CloudFormation::Stack",
                "Properties": {"TemplateURL": url, "Parameters": parameters},
            },
        },
        "Outputs": {"FromChild": {"Value": {"Fn::GetAtt": ["Child", "Outputs.Queue"]}}},
    }


def child(**queue: Any) -> dict[str, Any]:
    return {
        "Resources": {"Inbox": {"Type": "AWS::SQS::Queue", "Properties": queue}},
        "Outputs": {"Queue": {"Value": {"Fn::GetAtt": ["Inbox", "QueueName"]}}},
    }


def queues(aws: Aws, stack: str) -> list[str]:
    return [url.rsplit("/", 1)[-1] for url in aws.sqs.list_queues(QueueNamePrefix=stack).get("QueueUrls", [])]


def test_a_nested_sam_template_is_transformed_and_its_function_runs(aws: Aws) -> None:
    (package,) = aws.upload(zipped(app="def handler(event, context): return event['n'] + 1"))
    bucket, key = package.split("/")[-2:]
    (url,) = aws.upload(
        {
            "Transform": SAM,
            "Resources": {
                "Adder": {
                    "Type": "AWS::Serverless::Function",
                    "Properties": {
                        "Runtime": RUNTIME,
                        "Handler": "app.handler",
                        "CodeUri": f"s3://{bucket}/{key}",
                    },
                }
            },
            "Outputs": {"Queue": {"Value": {"Ref": "Adder"}}},
        }
    )
    stack = aws.deploy(parent(url))
    answer = aws.client("lambda").invoke(FunctionName=aws.outputs(stack)["FromChild"], Payload=b'{"n": 41}')
    assert answer["Payload"].read() == b"42"


def test_an_update_reaches_a_nested_stack_two_levels_down(aws: Aws) -> None:
    before, after = aws.upload(child(VisibilityTimeout=10), child(VisibilityTimeout=20))
    output = {"Outputs": {"Queue": {"Value": {"Fn::GetAtt": ["Child", "Outputs.Queue"]}}}}
    old_middle, new_middle = aws.upload(parent(before) | output, parent(after) | output)
    stack = aws.deploy(parent(old_middle))
    queue = aws.outputs(stack)["FromChild"]
    aws.deploy(parent(new_middle), stack=stack)
    assert aws.outputs(stack)["FromChild"] == queue
    url = aws.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    attributes = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert attributes["Attributes"]["VisibilityTimeout"] == "20"


def test_a_nested_stack_that_fails_to_create_leaves_nothing_and_has_a_reason(aws: Aws) -> None:
    broken = child()
    broken["Resources"]["Broken"] = {
        "Type": "AWS::SQS::Queue",
        "DependsOn": "Inbox",
        "Properties": {"VisibilityTimeout": 99999},
    }
    (url,) = aws.upload(broken)
    stack = aws.name("stack")
    aws.cloudformation.create_stack(
        StackName=stack, TemplateBody=json.dumps(parent(url)), Capabilities=["CAPABILITY_IAM"]
    )
    assert aws.settled(stack) == "ROLLBACK_COMPLETE"
    assert any("Broken" in reason and "VisibilityTimeout" in reason for reason in aws.failures(stack)), aws.failures(
        stack
    )
    assert queues(aws, stack) == []


def test_an_update_that_fails_two_levels_down_leaves_everything_as_it_was(aws: Aws) -> None:
    before, after = aws.upload(child(VisibilityTimeout=10), child(VisibilityTimeout=99999))
    output = {"Outputs": {"Queue": {"Value": {"Fn::GetAtt": ["Child", "Outputs.Queue"]}}}}
    old_middle, new_middle = aws.upload(parent(before) | output, parent(after) | output)
    stack = aws.deploy(parent(old_middle))
    queue = aws.outputs(stack)["FromChild"]
    aws.cloudformation.update_stack(StackName=stack, TemplateBody=json.dumps(parent(new_middle)))
    assert aws.settled(stack) == "UPDATE_ROLLBACK_COMPLETE"
    assert any("Inbox: " in reason for reason in aws.failures(stack))
    nested = aws.resources(stack)["Child"]
    assert aws.stack(nested)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert queues(aws, stack) == [queue]
    aws.deploy({**parent(old_middle), "Description": "works again"}, stack=stack)


def test_deleting_the_parent_deletes_the_nested_stack_but_keeps_what_is_retained(aws: Aws) -> None:
    retaining = child()
    retaining["Resources"]["Kept"] = {"Type": "AWS::SQS::Queue", "DeletionPolicy": "Retain"}
    (url,) = aws.upload(retaining)
    stack = aws.deploy(parent(url))
    nested = aws.resources(stack)["Child"]
    stack_id = aws.stack(stack)["StackId"]
    assert len(queues(aws, stack)) == 2
    aws.cloudformation.delete_stack(StackName=stack)
    assert aws.settled(stack_id) == "DELETE_COMPLETE"
    assert aws.stack(nested)["StackStatus"] == "DELETE_COMPLETE"
    (kept,) = queues(aws, stack)
    assert "Kept" in kept


def test_upstream_still_ignores_the_transform_of_a_nested_template(upstream: Aws) -> None:
    (url,) = upstream.upload(
        {
            "Transform": SAM,
            "Resources": {"Table": {"Type": "AWS::Serverless::SimpleTable"}},
            "Outputs": {"Queue": {"Value": {"Ref": "Table"}}},
        }
    )
    stack = upstream.name("stack")
    upstream.cloudformation.create_stack(
        StackName=stack, TemplateBody=json.dumps(parent(url)), Capabilities=["CAPABILITY_AUTO_EXPAND"]
    )
    assert upstream.settled(stack) == "ROLLBACK_COMPLETE"


@pytest.mark.parametrize("stage", ["Original", "Processed"])
def test_get_template_shows_urls_that_sam_delete_can_read(aws: Aws, stage: str) -> None:
    (url,) = aws.upload(child())
    stack = aws.deploy(parent(url))
    shown = aws.cloudformation.get_template(StackName=stack, TemplateStage=stage)["TemplateBody"]
    shown_url = shown["Resources"]["Child"]["Properties"]["TemplateURL"]
    assert parse_s3_url(shown_url)["Bucket"] == url.split("/")[-2]


def test_upstream_still_shows_urls_that_sam_delete_cannot_read(upstream: Aws) -> None:
    (url,) = upstream.upload(child())
    stack = upstream.deploy(parent(url))
    shown = upstream.cloudformation.get_template(StackName=stack)["TemplateBody"]
    with pytest.raises(ValueError, match="not a valid S3 url"):
        parse_s3_url(shown["Resources"]["Child"]["Properties"]["TemplateURL"])
