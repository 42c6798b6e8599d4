"""Publishing: what a role may do (compat/publish_batch.py), and message groups on standard topics."""

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from engine_tests.aws import REGION, Aws, allow
from tests.waiting import until


def publisher(aws: Aws, *actions: str, topic: str) -> Any:
    """An SNS client of a user that may do these on a topic."""
    user = aws.name("user")
    aws.iam.create_user(UserName=user)
    policy = json.dumps(allow([*actions], topic))
    aws.iam.put_user_policy(UserName=user, PolicyName="publish", PolicyDocument=policy)
    key = aws.iam.create_access_key(UserName=user)["AccessKey"]
    return boto3.client(
        "sns",
        endpoint_url=aws.engine.endpoint,
        region_name=REGION,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )


def publish_batch(client: Any, topic: str) -> int:
    entries = [{"Id": "1", "Message": "one"}, {"Id": "2", "Message": "two"}]
    return len(client.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)["Successful"])


def message_groups(aws: Aws, url: str) -> list[str]:
    messages = aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["MessageGroupId"])
    return [message["Attributes"]["MessageGroupId"] for message in messages.get("Messages", [])]


def test_who_may_publish_may_publish_a_batch_to_that_topic_only(aws: Aws) -> None:
    topic, other = aws.topic(), aws.topic()
    allowed = publisher(aws, "sns:Publish", topic=topic)
    assert publish_batch(allowed, topic) == 2
    with pytest.raises(ClientError, match="sns:Publish"):
        publish_batch(allowed, other)
    with pytest.raises(ClientError, match="sns:Publish"):
        publish_batch(publisher(aws, "sns:Subscribe", topic=topic), topic)


def test_upstream_still_asks_for_an_action_that_does_not_exist(upstream: Aws) -> None:
    topic = upstream.topic()
    with pytest.raises(ClientError, match="sns:PublishBatch"):
        publish_batch(publisher(upstream, "sns:Publish", topic=topic), topic)


def test_a_standard_topic_passes_the_message_group_to_standard_queues(aws: Aws) -> None:
    """https://docs.aws.amazon.com/sns/latest/dg/fifo-message-grouping.html: what fair queues need."""
    topic = aws.topic()
    url, arn = aws.topic_queue(topic)
    aws.subscribe(topic, "sqs", arn)
    entries = [{"Id": "1", "Message": "one", "MessageGroupId": "tenant-1"}]
    aws.sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    aws.sns.publish(TopicArn=topic, Message="two", MessageGroupId="tenant-2")
    groups: set[str] = set()
    until(lambda: groups.update(message_groups(aws, url)) or len(groups) == 2, "both messages are in the queue")
    assert groups == {"tenant-1", "tenant-2"}
