"""The clients of the layer, against a real server."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from fanout import aws
from tests.sink import Reply, sink

PUBLISHED = b"<PublishBatchResponse><PublishBatchResult/></PublishBatchResponse>"


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "body"),
    [
        ("dynamodb", "get_item", {"TableName": "table", "Key": {"pk": {"S": "1"}}}, b"{}"),
        ("s3", "list_objects_v2", {"Bucket": "bucket"}, b"<ListBucketResult/>"),
        ("secretsmanager", "get_secret_value", {"SecretId": "secret"}, b"{}"),
        ("sns", "publish_batch", {"TopicArn": "topic", "PublishBatchRequestEntries": []}, PUBLISHED),
        ("sqs", "send_message", {"QueueUrl": "queue", "MessageBody": "{}"}, b"{}"),
        ("ssm", "get_parameter", {"Name": "parameter"}, b"{}"),
        ("stepfunctions", "describe_execution", {"executionArn": "execution"}, b"{}"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_client_that_retries_survives_a_connection_that_was_closed_while_idle(
    endpoint: Callable[[str], None], service: str, operation: str, parameters: dict[str, Any], body: bytes
) -> None:
    with sink() as server:
        endpoint(server.url)
        server.keeps_alive = True
        server.replies = [Reply(body=body), Reply(body=body)]
        answers = [getattr(aws.client(service), operation)(**parameters) for _ in range(2)]
        assert [answer["ResponseMetadata"]["RetryAttempts"] for answer in answers] == [0, 1]
        assert len(server.calls) == 2


def test_a_client_is_made_early_on_lambda_only(
    endpoint: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint("http://127.0.0.1:1")
    made: list[str] = []
    monkeypatch.setattr(aws, "client", cache(lambda service, **_: made.append(service)))
    aws.prepare("sqs")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    aws.prepare("dynamodb")
    aws.prepare("s3", if_set="UNSET")
    monkeypatch.setenv("SET", "1")
    aws.prepare("ssm", if_set="SET")
    assert made == ["dynamodb", "ssm"]


def test_a_client_that_cannot_be_made_fails_at_its_use(
    endpoint: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint("no url")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    aws.prepare("sqs")
    with pytest.raises(ValueError, match="no url"):
        aws.client("sqs")
