"""What SNS delivers, and what it does with what it cannot deliver."""

import json
from typing import Any

import pytest

from engine_tests.aws import REGION, Aws, allow
from tests.waiting import until

TO_QUEUE = """
import boto3, json
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl={url!r}, MessageBody=json.dumps(event))
"""
BUSY = """
import boto3, json, time
def handler(event, context):
    time.sleep(0.5)
    boto3.client("sqs").send_message(QueueUrl={url!r}, MessageBody=json.dumps(event))
"""
FAILING = """
import boto3
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl={url!r}, MessageBody="attempt")
    raise RuntimeError("out of order")
"""


def echo(aws: Aws, source: str = TO_QUEUE) -> tuple[str, str]:
    """A function that sends its input to a queue; its name, and the queue's URL."""
    url, arn = aws.queue()
    return aws.function(source.format(url=url), allow("sqs:SendMessage", arn)), url


def dead_letters(aws: Aws, topic: str) -> tuple[str, dict[str, str]]:
    url, arn = aws.inbox(topic)
    return url, {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn})}


def deployed_topic(aws: Aws, **properties: Any) -> dict[str, str]:
    stack = aws.deploy({"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": properties}}})
    arn = aws.resources(stack)["Topic"]
    attributes: dict[str, str] = aws.sns.get_topic_attributes(TopicArn=arn)["Attributes"]
    return attributes


def test_a_function_gets_the_record_that_aws_sends(aws: Aws) -> None:
    topic = aws.topic()
    function, seen = echo(aws)
    subscription = aws.subscribe_function(topic, function)
    message_id = aws.sns.publish(TopicArn=topic, Message="hello")["MessageId"]
    event = json.loads(aws.receive(seen)["Body"])
    (record,) = event["Records"]
    assert record["EventSource"] == "aws:sns"
    assert record["EventSubscriptionArn"] == subscription
    assert set(record["Sns"]) == {
        "Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion", "Signature",
        "SigningCertUrl", "UnsubscribeUrl", "MessageAttributes",
    }  # fmt: skip
    assert record["Sns"]["MessageId"] == message_id
    assert record["Sns"]["Subject"] is None
    assert record["Sns"]["MessageAttributes"] == {}


def test_a_function_without_permission_is_not_invoked_and_the_message_is_a_dead_letter(aws: Aws) -> None:
    topic = aws.topic()
    function, seen = echo(aws)
    graveyard, redrive = dead_letters(aws, topic)
    aws.subscribe(topic, "lambda", aws.function_arn(function), **redrive)
    aws.sns.publish(TopicArn=topic, Message="hello")
    assert json.loads(aws.receive(graveyard)["Body"])["Message"] == "hello"
    assert aws.depth(seen) == 0


def test_a_permission_for_another_topic_does_not_count(aws: Aws) -> None:
    topic, other = aws.topic(), aws.topic()
    function, seen = echo(aws)
    aws.subscribe_function(other, function)
    graveyard, redrive = dead_letters(aws, topic)
    aws.subscribe(topic, "lambda", aws.function_arn(function), **redrive)
    aws.sns.publish(TopicArn=topic, Message="hello")
    aws.receive(graveyard)
    assert aws.depth(seen) == 0


def test_a_failing_function_is_tried_three_times_and_then_its_destination_gets_the_event(aws: Aws) -> None:
    topic = aws.topic()
    seen, seen_arn = aws.queue()
    failed, failed_arn = aws.queue()
    policy = allow("sqs:SendMessage", [seen_arn, failed_arn])
    function = aws.function(FAILING.format(url=seen), policy)
    aws.client("lambda").put_function_event_invoke_config(
        FunctionName=function, DestinationConfig={"OnFailure": {"Destination": failed_arn}}
    )
    aws.subscribe_function(topic, function)
    aws.sns.publish(TopicArn=topic, Message="hello")
    record = json.loads(aws.receive(failed)["Body"])
    assert aws.depth(seen) == 3
    assert record["version"] == "1.0"
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestContext"]["functionArn"].endswith(":$LATEST")
    assert record["requestPayload"]["Records"][0]["Sns"]["Message"] == "hello"
    assert record["responsePayload"]["errorMessage"] == "out of order"


def test_the_settings_of_an_alias_count_for_the_alias(aws: Aws) -> None:
    topic = aws.topic()
    seen, seen_arn = aws.queue()
    failed, failed_arn = aws.queue()
    function = aws.function(FAILING.format(url=seen), allow("sqs:SendMessage", [seen_arn, failed_arn]))
    functions = aws.client("lambda")
    version = functions.publish_version(FunctionName=function)["Version"]
    alias = functions.create_alias(FunctionName=function, Name="live", FunctionVersion=version)["AliasArn"]
    functions.put_function_event_invoke_config(
        FunctionName=function,
        Qualifier="live",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": failed_arn}},
    )
    functions.add_permission(
        FunctionName=function,
        Qualifier="live",
        StatementId="sns",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic,
    )
    aws.subscribe(topic, "lambda", alias)
    aws.sns.publish(TopicArn=topic, Message="hello")
    record = json.loads(aws.receive(failed)["Body"])
    assert aws.depth(seen) == 1
    assert record["requestContext"]["functionArn"] == alias
    assert record["responseContext"]["executedVersion"] == version


def test_a_destination_that_the_role_may_no_longer_use_gets_nothing(aws: Aws) -> None:
    seen, seen_arn = aws.queue()
    failed, failed_arn = aws.queue()
    function = aws.function(FAILING.format(url=seen), allow("sqs:SendMessage", [seen_arn, failed_arn]))
    aws.client("lambda").put_function_event_invoke_config(
        FunctionName=function,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": failed_arn}},
    )
    aws.revoke(function, "sqs:SendMessage", on=failed_arn)
    aws.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=b"{}")
    until(lambda: "may not sqs:SendMessage on " + failed_arn in aws.log(), "the refusal in the engine's log")
    assert aws.depth(failed) == 0


def test_the_dead_letter_queue_of_a_function_gets_the_event_itself(aws: Aws) -> None:
    seen, seen_arn = aws.queue()
    failed, failed_arn = aws.queue()
    function = aws.function(
        FAILING.format(url=seen),
        allow("sqs:SendMessage", [seen_arn, failed_arn]),
        DeadLetterConfig={"TargetArn": failed_arn},
    )
    aws.client("lambda").put_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=0)
    aws.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=b'{"n": 1}')
    message = aws.receive(failed)
    assert json.loads(message["Body"]) == {"n": 1}
    assert message["MessageAttributes"]["ErrorMessage"]["StringValue"] == "out of order"


def test_a_throttled_event_waits_instead_of_failing(aws: Aws) -> None:
    function, seen = echo(aws, BUSY)
    functions = aws.client("lambda")
    functions.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=1)
    functions.put_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=0)
    for number in range(3):
        functions.invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps({"n": number}).encode())
    assert sorted(json.loads(aws.receive(seen)["Body"])["n"] for _ in range(3)) == [0, 1, 2]


def test_settings_of_latest_are_those_of_the_function_itself(aws: Aws) -> None:
    functions, function = aws.client("lambda"), aws.function("def handler(event, context): pass")
    functions.put_function_event_invoke_config(FunctionName=function, Qualifier="$LATEST", MaximumRetryAttempts=1)
    assert functions.get_function_event_invoke_config(FunctionName=function)["MaximumRetryAttempts"] == 1
    functions.put_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=0)
    found = functions.get_function_event_invoke_config(FunctionName=function, Qualifier="$LATEST")
    assert found["MaximumRetryAttempts"] == 0


@pytest.mark.parametrize("qualifier", ["", "live"])
def test_an_event_for_a_function_with_no_concurrency_goes_to_its_destination_untried(aws: Aws, qualifier: str) -> None:
    """As Lambda documents it: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""
    failed, failed_arn = aws.queue()
    function = aws.function(TO_QUEUE.format(url=failed), allow("sqs:SendMessage", failed_arn))
    functions = aws.client("lambda")
    version = functions.publish_version(FunctionName=function)["Version"]
    functions.create_alias(FunctionName=function, Name="live", FunctionVersion=version)
    functions.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    addressed = {"FunctionName": function} | ({"Qualifier": qualifier} if qualifier else {})
    functions.put_function_event_invoke_config(
        **addressed, DestinationConfig={"OnFailure": {"Destination": failed_arn}}
    )
    functions.invoke(**addressed, InvocationType="Event", Payload=b'{"n": 1}')
    record = json.loads(aws.receive(failed)["Body"])
    assert record["requestContext"]["condition"] == "ZeroReservedConcurrency"
    assert record["requestContext"]["approximateInvokeCount"] == 0
    assert record["requestPayload"] == {"n": 1}
    assert "responsePayload" not in record


def test_a_message_for_a_missing_queue_is_a_dead_letter_with_its_attributes(aws: Aws) -> None:
    topic = aws.topic()
    gone, gone_arn = aws.inbox(topic)
    graveyard, redrive = dead_letters(aws, topic)
    aws.subscribe(topic, "sqs", gone_arn, RawMessageDelivery="true", **redrive)
    aws.sqs.delete_queue(QueueUrl=gone)
    attributes = {"kind": {"DataType": "String", "StringValue": "greeting"}}
    aws.sns.publish(TopicArn=topic, Message="hello", MessageAttributes=attributes)
    message = aws.receive(graveyard)
    assert message["Body"] == "hello"
    assert message["MessageAttributes"]["kind"]["StringValue"] == "greeting"


def test_a_message_that_the_queue_policy_keeps_out_is_a_dead_letter(aws: Aws) -> None:
    topic = aws.topic()
    closed, closed_arn = aws.queue()
    graveyard, redrive = dead_letters(aws, topic)
    aws.subscribe(topic, "sqs", closed_arn, **redrive)
    aws.sns.publish(TopicArn=topic, Message="hello")
    assert json.loads(aws.receive(graveyard)["Body"])["Message"] == "hello"
    assert aws.depth(closed) == 0


def test_a_fifo_topic_delivers_in_order_with_sequence_numbers(aws: Aws) -> None:
    topic = aws.topic(FifoTopic="true", ContentBasedDeduplication="true")
    inbox, inbox_arn = aws.inbox(topic, FifoQueue="true")
    aws.subscribe(topic, "sqs", inbox_arn, RawMessageDelivery="true")
    for number in range(3):
        aws.sns.publish(TopicArn=topic, Message=str(number), MessageGroupId="one")
    messages = [aws.receive(inbox) for _ in range(3)]
    assert [message["Body"] for message in messages] == ["0", "1", "2"]
    numbers = [message["Attributes"]["SequenceNumber"] for message in messages]
    assert numbers == sorted(set(numbers))


def test_mail_and_sms_subscriptions_can_be_read_in_the_outbox(aws: Aws) -> None:
    topic = aws.topic()
    aws.subscribe(topic, "email", "ops@example.com")
    important = json.dumps({"severity": ["critical"]})
    aws.subscribe(topic, "sms", "+15550100", FilterPolicy=important, FilterPolicyScope="MessageBody")
    aws.sns.publish(TopicArn=topic, Subject="Disk", Message='{"severity": "low"}')
    aws.sns.publish(TopicArn=topic, Message='{"severity": "critical"}')
    mails = aws.get(f"/_fanout/outbox?topic={topic}&protocol=email")["messages"]
    assert [(mail["to"], mail["subject"]) for mail in mails] == [
        ("ops@example.com", "Disk"),
        ("ops@example.com", "AWS Notification Message"),
    ]
    (sms,) = aws.get(f"/_fanout/outbox?topic={topic}&protocol=sms")["messages"]
    assert sms["message"] == '{"severity": "critical"}'


def test_a_template_sets_the_properties_of_a_topic(aws: Aws) -> None:
    attributes = deployed_topic(aws, KmsMasterKeyId="alias/any", FifoTopic=True, ContentBasedDeduplication=True)
    assert attributes["TopicArn"].endswith(".fifo")
    assert attributes["FifoTopic"] == "true"
    assert attributes["ContentBasedDeduplication"] == "true"
    assert attributes["KmsMasterKeyId"] == "alias/any"


def test_a_property_that_leaves_the_template_leaves_the_topic(aws: Aws) -> None:
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"KmsMasterKeyId": "alias/any"}}}}
    stack = aws.deploy(template)
    template["Resources"]["Topic"]["Properties"] = {}
    aws.deploy(template, stack=stack)
    arn = aws.resources(stack)["Topic"]
    assert "KmsMasterKeyId" not in aws.sns.get_topic_attributes(TopicArn=arn)["Attributes"]


BINARY = {"key": {"DataType": "Binary", "BinaryValue": b"\x00\xff"}}


def publish_binary(aws: Aws, topic: str) -> None:
    """Publish one message by itself and one in a batch, each with a Binary attribute."""
    aws.sns.publish(TopicArn=topic, Message="one", MessageAttributes=BINARY)
    aws.sns.publish_batch(
        TopicArn=topic, PublishBatchRequestEntries=[{"Id": "1", "Message": "two", "MessageAttributes": BINARY}]
    )


def test_a_notification_has_binary_attributes_in_base64(aws: Aws) -> None:
    topic = aws.topic()
    url, arn = aws.inbox(topic)
    aws.subscribe(topic, "sqs", arn)
    publish_binary(aws, topic)
    for _ in range(2):
        notification = json.loads(aws.receive(url)["Body"])
        assert notification["MessageAttributes"] == {"key": {"Type": "Binary", "Value": "AP8="}}


def test_raw_delivery_keeps_binary_attributes(aws: Aws) -> None:
    topic = aws.topic()
    url, arn = aws.inbox(topic)
    aws.subscribe(topic, "sqs", arn, RawMessageDelivery="true")
    publish_binary(aws, topic)
    for _ in range(2):
        assert aws.receive(url)["MessageAttributes"] == BINARY


def test_a_function_gets_binary_attributes_in_base64(aws: Aws) -> None:
    topic = aws.topic()
    function, seen = echo(aws)
    aws.subscribe_function(topic, function)
    aws.sns.publish(TopicArn=topic, Message="hello", MessageAttributes=BINARY)
    (record,) = json.loads(aws.receive(seen)["Body"])["Records"]
    assert record["Sns"]["MessageAttributes"] == {"key": {"Type": "Binary", "Value": "AP8="}}


def test_raw_delivery_of_more_than_ten_attributes_fails_for_its_subscription_alone(aws: Aws) -> None:
    topic = aws.topic()
    raw, raw_arn = aws.inbox(topic)
    wrapped, wrapped_arn = aws.inbox(topic)
    graveyard, redrive = dead_letters(aws, topic)
    aws.subscribe(topic, "sqs", raw_arn, RawMessageDelivery="true", **redrive)
    aws.subscribe(topic, "sqs", wrapped_arn)
    for count in (10, 11):
        attributes = {f"a{number}": {"DataType": "String", "StringValue": "x"} for number in range(count)}
        aws.sns.publish(TopicArn=topic, Message=f"with {count}", MessageAttributes=attributes)
    # The fan-out is over when SNS answers.
    assert [message["Body"] for message in aws.messages(raw)] == ["with 10"]
    assert [message["Body"] for message in aws.messages(graveyard)] == ["with 11"]
    counts = [len(json.loads(message["Body"])["MessageAttributes"]) for message in aws.messages(wrapped)]
    assert sorted(counts) == [10, 11]


def test_upstream_still_loses_binary_attributes_and_sends_eleven_raw(upstream: Aws) -> None:
    topic = upstream.topic()
    wrapped, wrapped_arn = upstream.inbox(topic)
    raw, raw_arn = upstream.inbox(topic)
    upstream.subscribe(topic, "sqs", wrapped_arn)
    upstream.subscribe(topic, "sqs", raw_arn, RawMessageDelivery="true")
    many = {f"a{number}": {"DataType": "String", "StringValue": "x"} for number in range(10)}
    upstream.sns.publish(TopicArn=topic, Message="hello", MessageAttributes=many | BINARY)
    assert json.loads(upstream.receive(wrapped)["Body"])["MessageAttributes"]["key"]["Value"] == ""
    assert len(upstream.receive(raw)["MessageAttributes"]) == 11


def test_upstream_still_invokes_a_function_without_permission_and_with_other_keys(upstream: Aws) -> None:
    topic = upstream.topic()
    function, seen = echo(upstream)
    upstream.subscribe(topic, "lambda", upstream.function_arn(function))
    upstream.sns.publish(TopicArn=topic, Message="hello")
    (record,) = json.loads(upstream.receive(seen)["Body"])["Records"]
    assert "SigningCertURL" in record["Sns"]
    assert "MessageAttributes" not in record["Sns"]


def test_upstream_still_ignores_the_dead_letter_queue_of_a_subscription(upstream: Aws) -> None:
    topic = upstream.topic()
    _, closed_arn = upstream.queue()
    graveyard, redrive = dead_letters(upstream, topic)
    upstream.subscribe(topic, "sqs", closed_arn, **redrive)
    upstream.sns.publish(TopicArn=topic, Message="hello")  # the fan-out is over when it answers
    assert upstream.depth(graveyard) == 0


def test_upstream_still_sends_a_record_without_request_id_to_a_destination(upstream: Aws) -> None:
    seen, seen_arn = upstream.queue()
    failed, failed_arn = upstream.queue()
    function = upstream.function(FAILING.format(url=seen), allow("sqs:SendMessage", seen_arn))
    upstream.client("lambda").put_function_event_invoke_config(
        FunctionName=function,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": failed_arn}},
    )
    upstream.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=b"{}")
    # Sent although the role may not, too.
    assert "requestId" not in json.loads(upstream.receive(failed)["Body"])["requestContext"]


def test_upstream_still_has_no_outbox_for_subscriptions(upstream: Aws) -> None:
    topic = upstream.topic()
    upstream.subscribe(topic, "sms", "+15550100")
    upstream.sns.publish(TopicArn=topic, Message="hello")
    assert upstream.get("/_ministack/sns/sms-messages")["sms_messages"] == {}


def test_upstream_still_drops_the_properties_of_a_topic(upstream: Aws) -> None:
    attributes = deployed_topic(upstream, KmsMasterKeyId="alias/any", FifoTopic=True)
    assert "KmsMasterKeyId" not in attributes
    assert "FifoTopic" not in attributes
    assert attributes["TopicArn"].startswith(f"arn:aws:sns:{REGION}:")
