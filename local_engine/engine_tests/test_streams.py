"""Functions on DynamoDB streams: partial batch responses, used-up retries, permissions, and a stop in between."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine_tests.aws import Aws, allow
from local_engine import process
from tests.waiting import until

READ = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
# Sends to a queue what it has done; fails the record "b", and so all after it, once.
WANTS_B_AGAIN = """
import boto3
wanted = set()
def handler(event, context):
    sqs = boto3.client("sqs")
    for record in event["Records"]:
        key = record["dynamodb"]["Keys"]["pk"]["S"]
        if key == "b" and key not in wanted:
            wanted.add(key)
            return {{"batchItemFailures": [{{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}}]}}
        sqs.send_message(QueueUrl={url!r}, MessageBody=key)
"""
FAILS = "def handler(event, context): raise RuntimeError"


def table(aws: Aws) -> tuple[str, str]:
    """A table with a stream: its name, and the stream's ARN."""
    name = aws.name()
    made = aws.dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    return name, made["TableDescription"]["LatestStreamArn"]


def write(aws: Aws, name: str, *keys: str) -> None:
    for key in keys:
        aws.dynamodb.put_item(TableName=name, Item={"pk": {"S": key}})


def mapped(aws: Aws, source: str, stream: str, *policies: dict[str, Any], **mapping: Any) -> str:
    function = aws.function(source, *policies)
    made = aws.client("lambda").create_event_source_mapping(
        FunctionName=function, EventSourceArn=stream, StartingPosition="TRIM_HORIZON", **mapping
    )
    return str(made["UUID"])


def reported(aws: Aws, url: str, count: int) -> list[str]:
    return [str(aws.receive(url)["Body"]) for _ in range(count)]


def wanting_b_again(aws: Aws) -> str:
    """Three records in one batch, of which the function fails the second once; returns the queue that it reports to."""
    name, stream = table(aws)
    url, arn = aws.queue()
    write(aws, name, "a", "b", "c")
    policies = [allow("sqs:SendMessage", arn), allow(READ, stream)]
    mapped(aws, WANTS_B_AGAIN.format(url=url), stream, *policies, FunctionResponseTypes=["ReportBatchItemFailures"])
    return url


def test_a_batch_continues_from_the_record_that_failed(aws: Aws) -> None:
    assert reported(aws, wanting_b_again(aws), 3) == ["a", "b", "c"]


def test_upstream_skips_what_a_function_wants_again(upstream: Aws) -> None:
    url = wanting_b_again(upstream)
    assert reported(upstream, url, 1) == ["a"]
    assert upstream.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=3).get("Messages", []) == []


@pytest.mark.parametrize("missing", READ)
def test_a_role_without_a_permission_gets_no_records(aws: Aws, missing: str) -> None:
    name, stream = table(aws)
    write(aws, name, "a")
    mapping = mapped(aws, FAILS, stream, allow([action for action in READ if action != missing], stream))
    functions = aws.client("lambda")
    until(
        lambda: missing in functions.get_event_source_mapping(UUID=mapping).get("LastProcessingResult", ""),
        "the mapping's complaint",
    )


def test_a_failed_batch_is_in_the_bucket_with_its_records_and_the_rest_continues(aws: Aws) -> None:
    name, stream = table(aws)
    bucket = aws.name()
    aws.s3.create_bucket(Bucket=bucket)
    write(aws, name, "a", "b")
    mapped(
        aws,
        FAILS,
        stream,
        allow(READ, stream),
        allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*"),
        BatchSize=1,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}},
    )
    found = until(
        lambda: (
            [each for each in (aws.s3.list_objects_v2(Bucket=bucket).get("Contents") or []) if each]
            if aws.s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 2
            else []
        ),
        "both records given up",
    )
    documents = [json.loads(aws.s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()) for each in found]
    assert {each["requestContext"]["condition"] for each in documents} == {"RetryAttemptsExhausted"}
    assert {each["requestContext"]["approximateInvokeCount"] for each in documents} == {2}
    keys = {
        record["dynamodb"]["Keys"]["pk"]["S"] for each in documents for record in json.loads(each["payload"])["Records"]
    }
    assert keys == {"a", "b"}


def test_records_that_wait_outlive_a_stop_of_the_engine(tmp_path: Path) -> None:
    aws = Aws(process.start(tmp_path, 0))
    try:
        name, stream = table(aws)
        url, arn = aws.queue()
        source = WANTS_B_AGAIN.format(url=url)
        mapping = mapped(aws, source, stream, allow("sqs:SendMessage", arn), allow(READ, stream))
        write(aws, name, "a")
        assert reported(aws, url, 1) == ["a"]
        aws.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=False)
        write(aws, name, "c")
        process.stop(tmp_path)
        again = Aws(process.start(tmp_path, 0))
        again.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=True)
        url = again.sqs.get_queue_url(QueueName=url.rsplit("/", 1)[-1])["QueueUrl"]
        write(again, name, "d")
        assert reported(again, url, 2) == ["c", "d"]
    finally:
        process.stop(tmp_path, purge=True)
