"""CloudWatch Logs: what functions print, how it is found, who gets it."""

import base64
import gzip
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from engine_tests.aws import RUNTIME, Aws, allow
from tests.waiting import until

TO_QUEUE = """
import boto3, json
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl={url!r}, MessageBody=json.dumps(event))
"""


def log(aws: Aws, *lines: str) -> str:
    """A new log group with these lines."""
    group = aws.name("group")
    aws.logs.create_log_group(logGroupName=group)
    if lines:
        put(aws, group, *lines)
    return group


def put(aws: Aws, group: str, *lines: str) -> None:
    stream = aws.name("stream")
    aws.logs.create_log_stream(logGroupName=group, logStreamName=stream)
    events = [{"timestamp": 1_700_000_000_000 + number, "message": line} for number, line in enumerate(lines)]
    aws.logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def found(aws: Aws, group: str, pattern: str) -> list[str]:
    events = aws.logs.filter_log_events(logGroupName=group, filterPattern=pattern)["events"]
    return [event["message"] for event in events]


def consumer(aws: Aws, group: str | None) -> tuple[str, str]:
    """ARN of a function that sends its input to a queue; the queue's URL. group: the log group that may invoke it."""
    url, arn = aws.queue()
    name = aws.function(TO_QUEUE.format(url=url), allow("sqs:SendMessage", arn))
    if group:
        aws.client("lambda").add_permission(
            FunctionName=name,
            StatementId="logs",
            Action="lambda:InvokeFunction",
            Principal="logs.amazonaws.com",
            SourceArn=f"arn:aws:logs:us-east-1:000000000000:log-group:{group}:*",
        )
    return aws.function_arn(name), url


def delivered(aws: Aws, queue: str) -> dict[str, Any]:
    event = json.loads(aws.receive(queue)["Body"])
    payload: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    return payload


JSON = [
    '{"level": "ERROR", "n": 7, "a": {"b": [1, 2]}}',
    '{"level": "INFO", "n": 3, "x": null}',
    "no json ERROR",
]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", [0, 1, 2]),
        ('"ERROR"', [0, 2]),
        ("error", []),
        ('"no json"', [2]),
        ('"json no"', []),
        ("no json", [2]),
        ('"\\"level\\": \\"INFO\\""', [1]),
        ("ERROR -json", [0]),
        ("?INFO ?json", [1, 2]),
        ('{ $.level = "ERROR" }', [0]),
        ('{ $.level != "ERROR" }', [1]),
        ('{ $.level = "*R*" }', [0]),
        ("{ $.n > 3 }", [0]),
        ("{ $.n >= 3 && $.n < 7 }", [1]),
        ('{ ($.level = "INFO") || ($.a.b[1] = 2) }', [0, 1]),
        ("{ $.x IS NULL }", [1]),
        ("{ $.a.b[0] EXISTS }", [0]),
        ("{ $.x NOT EXISTS }", [0]),
    ],
)
def test_a_pattern_finds_the_lines_it_should(aws: Aws, pattern: str, expected: list[int]) -> None:
    group = log(aws, *JSON)
    assert found(aws, group, pattern) == [JSON[index] for index in expected]


@pytest.mark.parametrize("pattern", ["{ $.a = }", "{ level = 1 }", "{ $.a = 1", "[a, b]", "%regex%", '"open'])
def test_a_pattern_that_is_not_understood_is_refused(aws: Aws, pattern: str) -> None:
    group = log(aws)
    with pytest.raises(ClientError, match="InvalidParameterException"):
        found(aws, group, pattern)


def test_upstream_still_takes_a_phrase_for_words_and_every_json_pattern_for_all(upstream: Aws) -> None:
    group = log(upstream, "json no", '{"level": "INFO"}')
    assert found(upstream, group, '"no json"') == ["json no"]
    assert len(found(upstream, group, '{ $.level = "ERROR" }')) == 2


def test_what_a_function_prints_is_in_its_own_log_group_one_event_per_line(aws: Aws) -> None:
    template = {
        "Resources": {
            "G": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}},
            "F": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Runtime": RUNTIME,
                    "Handler": "index.handler",
                    "Role": aws.role(),
                    "LoggingConfig": {"LogGroup": {"Ref": "G"}, "LogFormat": "JSON"},
                    "Code": {"ZipFile": "def handler(event, context):\n  print('one two')\n  print('three')\n"},
                },
            },
        },
    }
    stack = aws.deploy(template)
    resources = aws.resources(stack)
    (group,) = aws.logs.describe_log_groups(logGroupNamePrefix=resources["G"])["logGroups"]
    assert group["retentionInDays"] == 7
    aws.client("lambda").invoke(FunctionName=resources["F"])
    assert found(aws, resources["G"], '"one two"') == ["one two"]
    assert found(aws, resources["G"], "three") == ["three"]
    groups = aws.logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/" + resources["F"])["logGroups"]
    assert groups == []


def test_a_subscription_filter_delivers_matching_lines_to_a_function(aws: Aws) -> None:
    group = log(aws)
    function, seen = consumer(aws, group)
    aws.logs.put_subscription_filter(
        logGroupName=group, filterName="errors", filterPattern="ERROR", destinationArn=function
    )
    put(aws, group, "ERROR one", "INFO two")
    payload = delivered(aws, seen)
    assert payload["messageType"] == "DATA_MESSAGE"
    assert payload["logGroup"] == group
    assert payload["subscriptionFilters"] == ["errors"]
    assert [event["message"] for event in payload["logEvents"]] == ["ERROR one"]


def test_a_subscription_filter_of_a_template_delivers_what_a_function_prints(aws: Aws) -> None:
    group = aws.name("group")
    function, seen = consumer(aws, group)
    template = {
        "Resources": {
            "G": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": group}},
            "S": {
                "Type": "AWS::Logs::SubscriptionFilter",
                "Properties": {
                    "LogGroupName": {"Ref": "G"},
                    "FilterPattern": '"a line"',
                    "DestinationArn": function,
                },
            },
        }
    }
    aws.deploy(template)
    source = "def handler(event, context): print('a line')"
    printer = aws.function(source, LoggingConfig={"LogGroup": group, "LogFormat": "JSON"})
    aws.client("lambda").invoke(FunctionName=printer)
    assert [event["message"] for event in delivered(aws, seen)["logEvents"]] == ["a line"]


def test_a_subscription_filter_without_permission_is_refused(aws: Aws) -> None:
    group = log(aws)
    function, _ = consumer(aws, None)
    with pytest.raises(ClientError, match="CloudWatch Logs permission"):
        aws.logs.put_subscription_filter(
            logGroupName=group, filterName="all", filterPattern="", destinationArn=function
        )


def test_upstream_still_delivers_lines_without_permission(upstream: Aws) -> None:
    group = log(upstream)
    function, seen = consumer(upstream, None)
    upstream.logs.put_subscription_filter(
        logGroupName=group, filterName="all", filterPattern="", destinationArn=function
    )
    put(upstream, group, "line")
    until(lambda: upstream.depth(seen) == 1, "the delivery")
