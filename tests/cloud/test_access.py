"""Access: TLS, the key, and what Object Lock keeps. The engine uses plain HTTP and evaluates no key policy."""

import json
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from fanout.contracts.audit_logs import AuditRecorded
from fanout.event import Event
from tests.cloud.stack import SOURCE, Stack, code_of, role_of

REFUSED = {"AuthorizationError", "AccessDenied", "AccessDeniedException", "AuthorizationErrorException"}


@pytest.mark.cloud("RequiresTls")
def test_topics_queues_and_buckets_refuse_plain_http(stack: Stack) -> None:
    subscriber = stack.subscriber("team_events/team_a")
    queue = {"QueueUrl": subscriber.inbox_url, "AttributeNames": ["QueueArn"]}
    bucket = {"Bucket": stack.of("batch_jobs", "JobBucketName"), "MaxKeys": 1}
    assert code_of(stack.client("sqs").get_queue_attributes, **queue) == "", "over TLS it is answered"
    assert code_of(stack.client("s3").list_objects_v2, **bucket) == "", "over TLS it is answered"
    topic = {"TopicArn": stack.topic("TeamEvents"), "Message": "over plain HTTP"}
    codes = {
        "topic": code_of(stack.plain("sns").publish, **topic),
        "queue": code_of(stack.plain("sqs").get_queue_attributes, **queue),
        "bucket": code_of(stack.plain("s3").list_objects_v2, **bucket),
    }
    assert {name for name, code in codes.items() if code not in REFUSED} == set(), codes


@pytest.mark.cloud("RequiresTls")
def test_a_preserved_document_gets_no_second_version_and_no_delete_marker(stack: Stack) -> None:
    bucket, s3 = stack.of("audit_logs", "TrailBucketName"), stack.client("s3")
    data = AuditRecorded(tenant="cloud-test", actor="a", action="test.run", resource="r", outcome="success")
    event = Event.new(data, source=SOURCE)
    stack.publish("AuditLogs", [event])
    assert stack.outcomes(event.id, within=120)["audit_logs/preserve"] == "processed"
    listed = s3.list_object_versions(Bucket=bucket, Prefix="documents/cloud-test/")["Versions"]
    latest = max(listed, key=lambda each: each["LastModified"])
    known = {"Bucket": bucket, "Key": latest["Key"]}
    assert code_of(s3.put_object, **known, Body=b"changed") in REFUSED
    assert code_of(s3.put_object, **known, Body=b"changed", IfNoneMatch="*") == "PreconditionFailed"
    assert code_of(s3.delete_object, **known) in REFUSED, "no delete marker hides it"
    assert code_of(s3.delete_object, **known, VersionId=latest["VersionId"]) in REFUSED, "the lock keeps it"
    assert len(s3.list_object_versions(Bucket=bucket, Prefix=latest["Key"])["Versions"]) == 1


@pytest.mark.cloud("unsigned")
def test_a_caller_without_credentials_can_neither_read_nor_write_a_bucket(stack: Stack) -> None:
    bucket = stack.of("batch_jobs", "JobBucketName")
    unsigned = boto3.client(
        "s3", region_name=stack.client("s3").meta.region_name, config=Config(signature_version=UNSIGNED)
    )
    codes = {
        "list": code_of(unsigned.list_objects_v2, Bucket=bucket),
        "get": code_of(unsigned.get_object, Bucket=bucket, Key="inputs/any.csv"),
        "put": code_of(unsigned.put_object, Bucket=bucket, Key="inputs/unsigned.csv", Body=b""),
    }
    assert set(codes.values()) == {"AccessDenied"}, codes


@pytest.mark.cloud("kms")
def test_a_publisher_without_access_to_the_key_is_refused_until_the_publisher_policy_is_attached(stack: Stack) -> None:
    topic = stack.topic("TeamEvents")
    publish = [{"Effect": "Allow", "Action": "sns:Publish", "Resource": topic}]
    event = stack.message()
    message = json.dumps(
        {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type}
        | {"data": {"text": event.data.text, "author": event.data.author}}
    )
    with role_of(stack, publish) as (role, session):
        sns: Any = session.client("sns")

        def refused() -> str:
            # Until IAM has spread the role's right to publish, it is that which is missing.
            code = code_of(sns.publish, TopicArn=topic, Message=message)
            assert code, "published without the topic's key"
            return code if code.startswith("KMS") else ""

        assert stack.eventually(refused, "SNS refuses for want of the key", minutes=2)
        policy = stack.of("team_events", "PublisherPolicyArn")
        stack.client("iam").attach_role_policy(RoleName=role, PolicyArn=policy)
        stack.eventually(
            lambda: code_of(sns.publish, TopicArn=topic, Message=message) == "", "the policy is enough", minutes=3
        )
    assert set(stack.outcomes(event.id, within=120).values()) <= {"processed", "duplicate"}
