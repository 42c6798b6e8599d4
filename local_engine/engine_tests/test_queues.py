"""Queues: who may poll them, how batches are gathered, how dead letters go back."""

import json
import threading
import time
import urllib.parse
import urllib.request

import pytest
from botocore.exceptions import ClientError

from engine_tests.aws import Aws, allow
from tests.waiting import until

POLL = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
SIZES = """
import boto3
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl={url!r}, MessageBody=str(len(event["Records"])))
"""


def mapped(aws: Aws, *actions: str, **mapping: object) -> tuple[str, str, str]:
    """A queue with a function that sends the sizes of its batches to another queue: URLs, and mapping id."""
    work, work_arn = aws.queue()
    sizes, sizes_arn = aws.queue()
    policies = [allow("sqs:SendMessage", sizes_arn), *([allow(list(actions), work_arn)] if actions else [])]
    function = aws.function(SIZES.format(url=sizes), *policies)
    made = aws.client("lambda").create_event_source_mapping(FunctionName=function, EventSourceArn=work_arn, **mapping)
    return work, sizes, made["UUID"]


def send(aws: Aws, url: str, count: int, body: str = "x") -> None:
    for start in range(0, count, 10):
        numbers = range(start, min(start + 10, count))
        entries = [{"Id": str(number), "MessageBody": body} for number in numbers]
        aws.sqs.send_message_batch(QueueUrl=url, Entries=entries)


def redrive_to(arn: str) -> str:
    return json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5})


def with_dead_letters(aws: Aws) -> tuple[str, str, str, str]:
    """URL and ARN of a queue, URL and ARN of its dead-letter queue."""
    graveyard, graveyard_arn = aws.queue()
    policy = json.dumps({"deadLetterTargetArn": graveyard_arn, "maxReceiveCount": "1"})
    url, arn = aws.queue(RedrivePolicy=policy, VisibilityTimeout="0")
    return url, arn, graveyard, graveyard_arn


@pytest.mark.parametrize("missing", POLL)
def test_a_role_that_loses_a_permission_gets_no_messages(aws: Aws, missing: str) -> None:
    work, sizes, mapping = mapped(aws, *POLL)
    functions = aws.client("lambda")
    name = functions.get_event_source_mapping(UUID=mapping)["FunctionArn"].rpartition(":")[2]
    aws.revoke(name, missing)
    until(
        lambda: missing in functions.get_event_source_mapping(UUID=mapping).get("LastProcessingResult", ""),
        "the mapping's complaint",
    )
    send(aws, work, 1)
    assert aws.depth(work) == 1
    assert aws.depth(sizes) == 0


def test_a_role_with_the_permissions_gets_the_messages(aws: Aws) -> None:
    work, sizes, _ = mapped(aws, *POLL)
    send(aws, work, 1)
    assert aws.receive(sizes)["Body"] == "1"
    until(lambda: aws.depth(work) == 0, "the empty queue")


def test_a_mapping_with_numbers_from_parameters_polls_and_can_be_led_from_an_alias_to_the_function(aws: Aws) -> None:
    work, work_arn = aws.queue()
    sizes, sizes_arn = aws.queue()
    function = aws.function(SIZES.format(url=sizes), allow("sqs:SendMessage", sizes_arn), allow(POLL, work_arn))
    functions = aws.client("lambda")
    version = functions.publish_version(FunctionName=function)["Version"]
    functions.create_alias(FunctionName=function, Name="live", FunctionVersion=version)
    mapping = {
        "FunctionName": {"Ref": "Invoked"},
        "EventSourceArn": work_arn,
        "BatchSize": {"Ref": "Limit"},
        "ScalingConfig": {"MaximumConcurrency": {"Ref": "Limit"}},
    }
    template = {
        "Parameters": {"Limit": {"Type": "Number"}, "Invoked": {"Type": "String"}},
        "Resources": {"Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": mapping}},
    }
    stack = aws.deploy(template, Limit="2", Invoked=f"{aws.function_arn(function)}:live")
    send(aws, work, 1)
    assert aws.receive(sizes)["Body"] == "1"
    functions.delete_alias(FunctionName=function, Name="live")
    aws.deploy(template, stack=stack, Limit="3", Invoked=aws.function_arn(function))
    send(aws, work, 1)
    assert aws.receive(sizes)["Body"] == "1"


def test_a_batch_is_gathered_for_the_window(aws: Aws) -> None:
    work, sizes, _ = mapped(aws, *POLL, BatchSize=10, MaximumBatchingWindowInSeconds=2)
    began = time.monotonic()
    for _ in range(4):
        send(aws, work, 1)
    assert aws.receive(sizes)["Body"] == "4"
    assert time.monotonic() - began > 1.5


def test_a_full_batch_does_not_wait_for_the_window(aws: Aws) -> None:
    work, sizes, _ = mapped(aws, *POLL, BatchSize=10, MaximumBatchingWindowInSeconds=300)
    send(aws, work, 10)
    assert aws.receive(sizes)["Body"] == "10"


def test_a_batch_can_have_more_than_ten_messages(aws: Aws) -> None:
    work, sizes, _ = mapped(aws, *POLL, BatchSize=100, MaximumBatchingWindowInSeconds=2)
    send(aws, work, 60)
    assert aws.receive(sizes)["Body"] == "60"


def test_a_batch_stays_within_six_megabytes(aws: Aws) -> None:
    work, sizes, _ = mapped(aws, *POLL, BatchSize=100, MaximumBatchingWindowInSeconds=1)
    for _ in range(8):
        aws.sqs.send_message(QueueUrl=work, MessageBody="x" * 1_000_000)
    counts = [int(aws.receive(sizes)["Body"]) for _ in range(2)]
    assert max(counts) <= 5
    until(lambda: aws.depth(work) == 0, "the empty queue")


def test_nothing_is_lost_between_many_senders_and_the_poller(aws: Aws) -> None:
    work, sizes, _ = mapped(aws, *POLL, BatchSize=10)
    senders = [threading.Thread(target=send, args=(Aws(aws.engine), work, 200)) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    until(lambda: aws.depth(work) == 0, "the empty queue", seconds=30)
    done = 0
    while found := aws.messages(sizes):
        done += sum(int(message["Body"]) for message in found)
    assert done == 800


def test_dead_letters_go_back_to_where_they_came_from(aws: Aws) -> None:
    url, _, graveyard, graveyard_arn = with_dead_letters(aws)
    sent = aws.sqs.send_message(QueueUrl=url, MessageBody="try me")["MessageId"]
    aws.sqs.receive_message(QueueUrl=url)
    aws.sqs.receive_message(QueueUrl=url)  # the second receive finds it used up
    assert aws.depth(graveyard) == 1
    aws.sqs.start_message_move_task(SourceArn=graveyard_arn)
    (task,) = aws.sqs.list_message_move_tasks(SourceArn=graveyard_arn)["Results"]
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 1)
    message = aws.receive(url)
    assert message["Body"] == "try me"
    assert message["MessageId"] != sent
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert aws.depth(graveyard) == 0


def test_a_dead_letter_without_a_source_queue_stays_and_fails_the_task(aws: Aws) -> None:
    _, _, graveyard, graveyard_arn = with_dead_letters(aws)
    aws.sqs.send_message(QueueUrl=graveyard, MessageBody="from a subscription")
    aws.sqs.start_message_move_task(SourceArn=graveyard_arn)
    (task,) = aws.sqs.list_message_move_tasks(SourceArn=graveyard_arn)["Results"]
    assert task["Status"] == "FAILED"
    assert aws.depth(graveyard) == 1


def test_a_queue_that_is_not_a_dead_letter_queue_cannot_be_moved(aws: Aws) -> None:
    _, arn = aws.queue()
    with pytest.raises(ClientError, match="must be configured as a Dead Letter Queue"):
        aws.sqs.start_message_move_task(SourceArn=arn)


def test_the_sources_of_a_dead_letter_queue_are_listed(aws: Aws) -> None:
    url, arn = aws.queue()
    _, other = aws.queue()
    expected = {aws.queue(RedrivePolicy=redrive_to(arn))[0] for _ in range(3)}
    aws.queue(RedrivePolicy=redrive_to(other))
    answer = aws.sqs.list_dead_letter_source_queues(QueueUrl=url)
    assert set(answer["queueUrls"]) == expected
    assert "NextToken" not in answer


def test_the_sources_of_a_dead_letter_queue_come_in_pages(aws: Aws) -> None:
    url, arn = aws.queue()
    expected = {aws.queue(RedrivePolicy=redrive_to(arn))[0] for _ in range(5)}
    first = aws.sqs.list_dead_letter_source_queues(QueueUrl=url, MaxResults=2)
    second = aws.sqs.list_dead_letter_source_queues(QueueUrl=url, MaxResults=2, NextToken=first["NextToken"])
    third = aws.sqs.list_dead_letter_source_queues(QueueUrl=url, MaxResults=2, NextToken=second["NextToken"])
    assert [len(page["queueUrls"]) for page in (first, second, third)] == [2, 2, 1]
    assert {source for page in (first, second, third) for source in page["queueUrls"]} == expected
    assert "NextToken" not in third
    assert "NextToken" not in aws.sqs.list_dead_letter_source_queues(QueueUrl=url, MaxResults=5)


def test_a_queue_without_sources_has_an_empty_list_and_a_missing_queue_none(aws: Aws) -> None:
    url, _ = aws.queue()
    assert aws.sqs.list_dead_letter_source_queues(QueueUrl=url)["queueUrls"] == []
    with pytest.raises(aws.sqs.exceptions.QueueDoesNotExist):
        aws.sqs.list_dead_letter_source_queues(QueueUrl=f"{url}-missing")


def test_a_client_of_the_query_protocol_lists_sources_too(aws: Aws) -> None:
    url, arn = aws.queue()
    sources = sorted(aws.queue(RedrivePolicy=redrive_to(arn))[0] for _ in range(2))
    form = {"Action": "ListDeadLetterSourceQueues", "Version": "2012-11-05", "QueueUrl": url, "MaxResults": "1"}
    headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request"}
    request = urllib.request.Request(url, urllib.parse.urlencode(form).encode(), headers)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - loopback
        answer = response.read().decode()
    assert f"<QueueUrl>{sources[0]}</QueueUrl><NextToken>" in answer
    assert f"<QueueUrl>{sources[1]}" not in answer


def test_upstream_still_lists_no_sources_of_a_dead_letter_queue(upstream: Aws) -> None:
    url, _ = upstream.queue()
    with pytest.raises(ClientError, match="InvalidAction"):
        upstream.sqs.list_dead_letter_source_queues(QueueUrl=url)


def test_upstream_still_polls_without_permission_and_without_a_window(upstream: Aws) -> None:
    work, sizes, _ = mapped(upstream, BatchSize=100, MaximumBatchingWindowInSeconds=300)
    send(upstream, work, 1)
    assert upstream.receive(sizes)["Body"] == "1"


def test_upstream_still_has_no_batch_above_ten(upstream: Aws) -> None:
    work, sizes, mapping = mapped(upstream, BatchSize=100, MaximumBatchingWindowInSeconds=1, Enabled=False)
    send(upstream, work, 20)
    upstream.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=True)
    assert {upstream.receive(sizes)["Body"] for _ in range(2)} == {"10"}


def test_upstream_still_cannot_move_dead_letters(upstream: Aws) -> None:
    _, _, _, graveyard_arn = with_dead_letters(upstream)
    with pytest.raises(ClientError, match="StartMessageMoveTask is not valid"):
        upstream.sqs.start_message_move_task(SourceArn=graveyard_arn)
