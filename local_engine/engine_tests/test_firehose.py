"""What a topic hands to Firehose, and what Firehose makes of it."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

from engine_tests.aws import ACCOUNT, REGION, Aws, allow
from local_engine import process
from tests.waiting import until

# Lines with a day of their own; what is not JSON is refused, "drop" is dropped.
LINES = """
import base64, json
def handler(batch, context):
    return {"records": [answer(record) for record in batch["records"]]}
def answer(record):
    text = base64.b64decode(record["data"]).decode().rstrip("\\n")
    if text == "drop":
        return {"recordId": record["recordId"], "result": "Dropped", "data": ""}
    try:
        day = json.loads(text)["day"]
    except ValueError:
        return {"recordId": record["recordId"], "result": "ProcessingFailed", "data": record["data"]}
    data = base64.b64encode(f"<{text}>\\n".encode()).decode()
    return {"recordId": record["recordId"], "result": "Ok", "data": data, "metadata": {"partitionKeys": {"dt": day}}}
"""
BROKEN = "def handler(batch, context): raise RuntimeError('out of order')"


class Stream:
    """A stream into a bucket of its own."""

    def __init__(self, aws: Aws, function: str | None = None, *, may_invoke: bool = True, **config: Any) -> None:
        self.aws = aws
        self.bucket = aws.name("lake")
        self.name = aws.name("stream")
        self.arn = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{self.name}"
        aws.s3.create_bucket(Bucket=self.bucket)
        policies = [allow("s3:PutObject", f"arn:aws:s3:::{self.bucket}/*")]
        policies += [allow("lambda:InvokeFunction", aws.function_arn(function))] if function and may_invoke else []
        if function:
            parameters = [{"ParameterName": "LambdaArn", "ParameterValue": aws.function_arn(function)}]
            processors = [{"Type": "Lambda", "Parameters": parameters}]
            config["ProcessingConfiguration"] = {"Enabled": True, "Processors": processors}
        aws.firehose.create_delivery_stream(
            DeliveryStreamName=self.name,
            ExtendedS3DestinationConfiguration={
                "BucketARN": f"arn:aws:s3:::{self.bucket}",
                "RoleARN": aws.role(*policies),
                "BufferingHints": {"IntervalInSeconds": 1, "SizeInMBs": 64},
                "ErrorOutputPrefix": "rejected/!{firehose:error-output-type}/!{timestamp:yyyy}/",
                **config,
            },
        )

    def put(self, *texts: str) -> None:
        """Put records."""
        records = [{"Data": f"{text}\n".encode()} for text in texts]
        self.aws.firehose.put_record_batch(DeliveryStreamName=self.name, Records=records)

    def objects(self) -> dict[str, bytes]:
        """The objects in the bucket."""
        found = self.aws.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return {
            each["Key"]: self.aws.s3.get_object(Bucket=self.bucket, Key=each["Key"])["Body"].read() for each in found
        }

    def wait(self, number: int) -> dict[str, bytes]:
        """The objects, once there are N of them."""
        return until(lambda: found if len(found := self.objects()) >= number else {}, f"{number} objects", seconds=20)


def subscribed(aws: Aws, stream: Stream, *, may_put: bool = True, **attributes: str) -> str:
    """A topic with a subscription to the stream."""
    topic = aws.topic()
    role = aws.role(*([allow("firehose:PutRecord", stream.arn)] if may_put else []))
    aws.subscribe(topic, "firehose", stream.arn, SubscriptionRoleArn=role, **attributes)
    return topic


def test_records_wait_for_each_other_and_become_one_compressed_object(aws: Aws) -> None:
    stream = Stream(aws, Prefix="events/!{timestamp:yyyy}/", CompressionFormat="GZIP", FileExtension=".jsonl.gz")
    stream.put("one", "two")
    stream.put("three")
    assert stream.objects() == {}
    ((key, body),) = stream.wait(1).items()
    assert gzip.decompress(body) == b"one\ntwo\nthree\n"
    assert key.startswith("events/20")
    assert key.endswith(".jsonl.gz")


def test_what_waits_in_a_buffer_survives_a_stop_of_the_engine(tmp_path: Path) -> None:
    stream = Stream(
        Aws(process.start(tmp_path, 0)), Prefix="events/", BufferingHints={"IntervalInSeconds": 6, "SizeInMBs": 64}
    )
    try:
        stream.put("one")
        process.stop(tmp_path)
        stream.aws = Aws(process.start(tmp_path, 0))
        ((_, body),) = stream.wait(1).items()
        assert body == b"one\n"
    finally:
        process.stop(tmp_path, purge=True)


def test_a_full_buffer_does_not_wait(aws: Aws) -> None:
    stream = Stream(aws, Prefix="events/", BufferingHints={"IntervalInSeconds": 900, "SizeInMBs": 1})
    stream.put("x" * 600_000, "y" * 600_000)
    ((_, body),) = stream.wait(1).items()
    assert len(body) == 1_200_002


def test_a_function_gives_records_their_folder_and_refuses_some(aws: Aws) -> None:
    stream = Stream(
        aws,
        aws.function(LINES),
        Prefix="events/dt=!{partitionKeyFromLambda:dt}/",
        DynamicPartitioningConfiguration={"Enabled": True},
    )
    stream.put('{"day": "monday"}', "no json", "drop", '{"day": "tuesday", "n": 1}', '{"day": "monday", "n": 2}')
    objects = stream.wait(3)
    folders = {key.rpartition("/")[0]: body for key, body in objects.items()}
    assert folders["events/dt=monday"] == b'<{"day": "monday"}>\n<{"day": "monday", "n": 2}>\n'
    assert folders["events/dt=tuesday"] == b'<{"day": "tuesday", "n": 1}>\n'
    (rejected,) = (folder for folder in folders if folder.startswith("rejected/processing-failed/20"))
    document = json.loads(folders[rejected])
    assert base64.b64decode(document["rawData"]) == b"no json\n"
    assert document["errorCode"] == "Lambda.ProcessingFailedStatus"
    assert len(objects) == 3


def test_what_a_broken_or_forbidden_function_should_have_made_goes_to_the_error_prefix(aws: Aws) -> None:
    broken = Stream(aws, aws.function(BROKEN), Prefix="events/")
    forbidden = Stream(aws, aws.function(LINES), may_invoke=False, Prefix="events/")
    for stream, code in ((broken, "Lambda.FunctionError"), (forbidden, "Lambda.InvokeAccessDenied")):
        stream.put('{"day": "monday"}')
        ((key, body),) = stream.wait(1).items()
        assert key.startswith("rejected/processing-failed/")
        assert json.loads(body)["errorCode"] == code


def test_a_topic_delivers_to_a_stream_what_the_filter_admits(aws: Aws) -> None:
    stream = Stream(aws, Prefix="events/")
    policy = {"FilterPolicy": '{"kind": ["a"]}', "FilterPolicyScope": "MessageBody"}
    topic = subscribed(aws, stream, RawMessageDelivery="true", **policy)
    for kind in "abab":
        aws.sns.publish(TopicArn=topic, Message=json.dumps({"kind": kind}))
    ((_, body),) = stream.wait(1).items()
    assert body == b'{"kind": "a"}\n{"kind": "a"}\n'


def test_without_raw_delivery_a_record_is_the_notification_on_one_line(aws: Aws) -> None:
    stream = Stream(aws, Prefix="events/")
    topic = subscribed(aws, stream)
    aws.sns.publish(TopicArn=topic, Message="two\nlines")
    ((_, body),) = stream.wait(1).items()
    assert body.count(b"\n") == 1
    assert (json.loads(body)["Type"], json.loads(body)["Message"]) == ("Notification", "two\nlines")


def test_what_the_role_may_not_put_or_no_stream_takes_is_a_dead_letter(aws: Aws) -> None:
    for may_put, gone in ((False, False), (True, True)):
        stream = Stream(aws, Prefix="events/")
        topic = subscribed(aws, stream, may_put=may_put, RawMessageDelivery="true")
        url, arn = aws.inbox(topic)
        (subscription,) = aws.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        aws.sns.set_subscription_attributes(
            SubscriptionArn=subscription["SubscriptionArn"],
            AttributeName="RedrivePolicy",
            AttributeValue=json.dumps({"deadLetterTargetArn": arn}),
        )
        if gone:
            aws.firehose.delete_delivery_stream(DeliveryStreamName=stream.name)
        aws.sns.publish(TopicArn=topic, Message="hello")
        assert aws.receive(url)["Body"] == "hello"


def test_upstream_still_delivers_nothing_to_a_stream(upstream: Aws) -> None:
    stream, (marker, marker_arn) = Stream(upstream, Prefix="events/"), upstream.queue()
    topic = subscribed(upstream, stream, RawMessageDelivery="true")
    upstream.subscribe(topic, "sqs", marker_arn)
    upstream.sqs.set_queue_attributes(
        QueueUrl=marker,
        Attributes={
            "Policy": json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "sns.amazonaws.com"},
                            "Action": "sqs:SendMessage",
                            "Resource": "*",
                            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
                        }
                    ],
                }
            )
        },
    )
    upstream.sns.publish(TopicArn=topic, Message="hello")
    upstream.receive(marker)  # the other subscription has it: delivery is over
    assert stream.objects() == {}


def test_upstream_still_writes_an_object_per_record_uncompressed(upstream: Aws) -> None:
    stream = Stream(upstream, Prefix="events/", CompressionFormat="GZIP")
    stream.put("one", "two")
    assert sorted(stream.wait(2).values()) == [b"one\n", b"two\n"]
