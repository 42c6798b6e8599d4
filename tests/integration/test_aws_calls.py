"""`fanout.aws_calls` on the local engine: the same calls through it and through boto3 have the same results."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from fanout import aws_calls
from fanout.aws_signing import ONLY_BOTOCORE
from tests.integration.application import Application

IGNORED = {"RequestId", "HTTPHeaders", "MessageId", "MD5OfMessageBody", "MD5OfMessageAttributes", "SequenceNumber"}
ABSENT = "attribute_not_exists(pk)"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    made = Application(tmp_path_factory.mktemp("state"))
    made.start_engine()
    try:
        yield made
    finally:
        made.fanout("down", "--purge", check=None)


def comparable(value: Any) -> Any:
    """A result without what differs from call to call."""
    if isinstance(value, dict):
        return {name: comparable(part) for name, part in value.items() if name not in IGNORED}
    return [comparable(part) for part in value] if isinstance(value, list) else value


def test_the_engine_answers_as_it_answers_boto3(engine: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*ONLY_BOTOCORE, "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": engine.endpoint,
    }.items():
        monkeypatch.setenv(name, value)

    def lean(service: str) -> Any:
        made = aws_calls.make(service, dict, connect_timeout=2, read_timeout=10, attempts=3)
        assert made is not None
        return made

    results = [story(engine, name, client) for name, client in (("ours", lean), ("theirs", boto3.client))]
    assert results[0] == results[1]


def story(engine: Application, name: str, client: Callable[[str], Any]) -> list[Any]:
    """Carry out each operation, some of them to be refused, on a table, a queue and a topic of their own."""
    engine.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    queue = engine.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    topic = engine.client("sns").create_topic(Name=name)["TopicArn"]
    results: list[Any] = []

    def call(service: str, operation: str, **parameters: Any) -> None:
        try:
            results.append(comparable(getattr(client(service), operation)(**parameters)))
        except Exception as error:
            results.append((type(error).__name__, comparable(getattr(error, "response", {}))))

    item = {"pk": {"S": "é"}, "blob": {"B": b"\x00\xff"}, "all": {"L": [{"BS": [b"1"]}, {"M": {"n": {"N": "1.5"}}}]}}
    key = {"pk": item["pk"]}
    for _ in range(2):  # the second is refused
        call("dynamodb", "put_item", TableName=name, Item=item, ConditionExpression=ABSENT)
    call("dynamodb", "get_item", TableName=name, Key=key, ConsistentRead=True)
    call("dynamodb", "get_item", TableName=name, Key={"pk": {"S": "no"}})
    change = {
        "UpdateExpression": "SET n = :n",
        "ExpressionAttributeValues": {":n": {"N": "7"}},
        "ReturnValues": "ALL_NEW",
    }
    call("dynamodb", "update_item", TableName=name, Key=key, **change)
    other = {"Put": {"TableName": name, "Item": {"pk": {"S": "2"}}, "ConditionExpression": ABSENT}}
    for _ in range(2):
        call("dynamodb", "transact_write_items", TransactItems=[other, {"Delete": {"TableName": name, "Key": key}}])
    call("dynamodb", "delete_item", TableName=name, Key={"pk": {"S": "2"}}, ReturnValues="ALL_OLD")
    call("dynamodb", "get_item", TableName="missing", Key=key)
    call("dynamodb", "batch_write_item", RequestItems={name: [{"PutRequest": {"Item": item}}]})
    call("dynamodb", "batch_get_item", RequestItems={name: {"Keys": [key]}})
    condition = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": item["pk"]}}
    call("dynamodb", "query", TableName=name, **condition)
    call("sqs", "send_message", QueueUrl=queue, MessageBody='é"\n', DelaySeconds=0)
    call(
        "sqs",
        "send_message_batch",
        QueueUrl=queue,
        Entries=[{"Id": "a", "MessageBody": "1"}, {"Id": "b", "MessageBody": "2"}],
    )
    received = engine.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    results.append(sorted(message["Body"] for message in received))
    handle = received[0]["ReceiptHandle"]
    call("sqs", "change_message_visibility", QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=30)
    entries = [{"Id": "a", "ReceiptHandle": handle, "VisibilityTimeout": 0}]
    call("sqs", "change_message_visibility_batch", QueueUrl=queue, Entries=entries)
    call("sqs", "change_message_visibility", QueueUrl=queue, ReceiptHandle="wrong", VisibilityTimeout=30)
    call("sqs", "send_message", QueueUrl=f"{queue}-missing", MessageBody="1")
    published = [{"Id": "a", "Message": "é & <1>"}, {"Id": "b", "Message": "2", "Subject": "s"}]
    call("sns", "publish_batch", TopicArn=topic, PublishBatchRequestEntries=published)
    call("sns", "publish_batch", TopicArn=f"{topic}-missing", PublishBatchRequestEntries=published)
    return [anonymous(result, name) for result in results]


def anonymous(value: Any, name: str) -> Any:
    """A result without the names of its own table, queue and topic."""
    if isinstance(value, dict):
        return {part.replace(name, "NAME"): anonymous(inner, name) for part, inner in value.items()}
    if isinstance(value, list | tuple):
        return [anonymous(part, name) for part in value]
    return value.replace(name, "NAME") if isinstance(value, str) else value
