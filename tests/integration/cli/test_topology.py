"""The kept result of reading the stacks is never older than what CloudFormation has deployed."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fanout_cli.stack import stack_tree
from tests.integration.application import Application

BUCKET, NAME = "templates-of-kept-stacks", "kept-stacks"
SAMPLE = "events/team_events/valid/ordinary.json"


def template(*topics: str) -> str:
    return json.dumps({"Resources": {name: {"Type": "AWS::SNS::Topic"} for name in topics}})


@pytest.fixture
def cloudformation(application: Application) -> Iterator[Any]:
    """CloudFormation with a stack of the test's own: a root with one nested stack of one topic."""
    client, s3 = application.client("cloudformation"), application.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="nested.json", Body=template("First"))
    url = f"https://s3.amazonaws.com/{BUCKET}/nested.json"
    nested = {"Nested": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}}
    client.create_stack(StackName=NAME, TemplateBody=json.dumps({"Resources": nested}))
    client.get_waiter("stack_create_complete").wait(StackName=NAME, WaiterConfig={"Delay": 1})
    yield client
    client.delete_stack(StackName=NAME)
    s3.delete_object(Bucket=BUCKET, Key="nested.json")
    s3.delete_bucket(Bucket=BUCKET)


def test_an_update_of_a_nested_stack_alone_is_seen(cloudformation: Any, tmp_path: Path) -> None:
    def topics() -> list[str]:
        with ThreadPoolExecutor(2) as pool:
            stacks = stack_tree.read(cloudformation, NAME, pool, tmp_path)
        assert list(tmp_path.iterdir()), "the result is kept"
        return [logical_id for stack in stacks for logical_id, _ in stack.topics]

    assert topics() == topics() == ["First"]
    resources = cloudformation.describe_stack_resources(StackName=NAME)["StackResources"]
    arn = resources[0]["PhysicalResourceId"]
    cloudformation.update_stack(StackName=arn, TemplateBody=template("First", "Second"))
    cloudformation.get_waiter("stack_update_complete").wait(StackName=arn, WaiterConfig={"Delay": 1})
    assert sorted(topics()) == ["First", "Second"]


def test_a_filter_that_was_edited_outside_of_the_stack_is_seen(application: Application) -> None:
    def published() -> str:
        printed = application.fanout("publish", "team_events", SAMPLE, "--count", "1", "--json").stdout
        return str(json.loads(printed)["event_id"])

    def outcome_at_team_a(event_id: str) -> str:
        trace = json.loads(application.fanout("trace", event_id, "--wait", "60", "--json").stdout)
        return next(str(each["outcome"]) for each in trace["deliveries"] if each["subscriber"] == "team_events/team_a")

    assert outcome_at_team_a(published()) == "processed"
    assert list((application.state / "stacks").iterdir()), "the command keeps its result"
    topic = application.topology.topic(name="TeamEvents")
    assert topic is not None
    subscription = next(each for each in topic.subscriptions if each.subscriber == "team_events/team_a")
    before = json.dumps(subscription.filter_policy) if subscription.filter_policy else "{}"
    edit = application.client("sns").set_subscription_attributes
    attributes = {"FilterPolicyScope": "MessageBody", "FilterPolicy": '{"type": ["no.event.has.this.v1"]}'}
    for name, value in attributes.items():
        edit(SubscriptionArn=subscription.arn, AttributeName=name, AttributeValue=value)
    try:
        assert outcome_at_team_a(published()) == "filtered"
    finally:
        edit(SubscriptionArn=subscription.arn, AttributeName="FilterPolicy", AttributeValue=before)
        edit(
            SubscriptionArn=subscription.arn,
            AttributeName="FilterPolicyScope",
            AttributeValue=subscription.filter_scope,
        )
