"""Metrics and alarms: of queues, and of what functions print."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from engine_tests.aws import ACCOUNT, Aws
from tests.waiting import until

EMF = """
import json
def handler(event, context):
    print(json.dumps({"_aws": {"Timestamp": 0, "CloudWatchMetrics": [{"Namespace": event["namespace"],
        "Dimensions": [["service"]], "Metrics": [{"Name": "Processed", "Unit": "Count"}]}]},
        "service": "a", "Processed": [1, 2]}))
"""


def statistics(aws: Aws, namespace: str, metric: str, **dimensions: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    points = aws.cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=1),
        Period=3600,
        Statistics=["Sum", "Maximum"],
    )["Datapoints"]
    return points[0] if points else {}


def alarm(aws: Aws, queue: str, *, topic: str | None = None, **settings: Any) -> str:
    name = aws.name("alarm")
    aws.cloudwatch.put_metric_alarm(
        **{
            "AlarmName": name,
            "Namespace": "AWS/SQS",
            "MetricName": "ApproximateNumberOfMessagesVisible",
            "Dimensions": [{"Name": "QueueName", "Value": queue}],
            "Statistic": "Maximum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
            "AlarmActions": [topic] if topic else [],
            **settings,
        }
    )
    return name


def state(aws: Aws, name: str) -> str:
    (found,) = aws.cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return str(found["StateValue"])


def announcements(aws: Aws) -> tuple[str, str]:
    """A topic that CloudWatch may publish to, and the URL of a queue that gets what is published there."""
    topic = aws.topic()
    inbox, inbox_arn = aws.inbox(topic)
    aws.subscribe(topic, "sqs", inbox_arn, RawMessageDelivery="true")
    aws.sns.set_topic_attributes(
        TopicArn=topic,
        AttributeName="Policy",
        AttributeValue=json.dumps(
            {
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "cloudwatch.amazonaws.com"},
                        "Action": "sns:Publish",
                        "Resource": topic,
                    }
                ]
            }
        ),
    )
    return topic, inbox


def test_an_alarm_fires_for_its_own_queue_only_and_notifies_its_topic(aws: Aws) -> None:
    full, _ = aws.queue()
    empty, _ = aws.queue()
    topic, inbox = announcements(aws)
    fires = alarm(aws, full.rsplit("/", 1)[-1], topic=topic, TreatMissingData="notBreaching")
    silent = alarm(aws, empty.rsplit("/", 1)[-1], topic=topic, TreatMissingData="notBreaching")
    aws.sqs.send_message(QueueUrl=full, MessageBody="x")
    message = json.loads(aws.receive(inbox)["Body"])
    assert (message["AlarmName"], message["NewStateValue"]) == (fires, "ALARM")
    assert state(aws, silent) == "OK"
    assert message["AlarmArn"] == f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:{fires}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", message["StateChangeTime"])
    assert message["Region"] == "US East (N. Virginia)"
    assert (message["AlarmActions"], message["OKActions"]) == ([topic], [])
    assert message["Trigger"]["Dimensions"] == [{"name": "QueueName", "value": full.rsplit("/", 1)[-1]}]


def query(queue: str, metric: str = "MAX(ApproximateNumberOfMessagesVisible)") -> list[dict[str, Any]]:
    expression = f"""SELECT {metric} FROM SCHEMA("AWS/SQS", QueueName) WHERE QueueName = '{queue}'"""
    return [{"Id": "found", "Expression": expression, "Period": 60, "ReturnData": True}]


def test_an_alarm_on_a_query_fires_for_the_queue_that_it_names_and_notifies_with_the_query(aws: Aws) -> None:
    full, _ = aws.queue()
    empty, _ = aws.queue()
    topic, inbox = announcements(aws)
    names = {}
    for url in (full, empty):
        names[url] = aws.name("alarm")
        aws.cloudwatch.put_metric_alarm(
            AlarmName=names[url],
            Metrics=query(url.rsplit("/", 1)[-1]),
            EvaluationPeriods=5,
            DatapointsToAlarm=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching",
            AlarmActions=[topic],
        )
    aws.sqs.send_message(QueueUrl=full, MessageBody="x")
    until(lambda: state(aws, names[full]) == "ALARM", "the alarm")
    assert state(aws, names[empty]) == "OK"
    message = json.loads(aws.receive(inbox)["Body"])
    assert message["AlarmName"] == names[full]
    assert message["Trigger"]["Metrics"] == query(full.rsplit("/", 1)[-1])
    assert "MetricName" not in message["Trigger"]


def test_a_stack_has_alarms_on_queries(aws: Aws) -> None:
    url, _ = aws.queue()
    name = aws.name("alarm")
    properties = {
        "AlarmName": name,
        "Metrics": query(url.rsplit("/", 1)[-1]),
        "EvaluationPeriods": 5,
        "DatapointsToAlarm": 1,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    aws.deploy({"Resources": {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}}})
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    until(lambda: state(aws, name) == "ALARM", "the alarm")


@pytest.mark.parametrize(
    "metrics",
    [
        [{"Id": "all", "Expression": 'SELECT MAX(Depth) FROM SCHEMA("AWS/SQS", QueueName)', "Period": 60}],
        [{"Id": "sum", "Expression": "SUM(METRICS())", "ReturnData": True}],
        [*query("a"), *query("b")],
    ],
    ids=["all queues", "math", "two queries"],
)
def test_an_expression_that_the_engine_cannot_evaluate_is_refused(aws: Aws, metrics: list[dict[str, Any]]) -> None:
    with pytest.raises(ClientError, match="ValidationError"):
        aws.cloudwatch.put_metric_alarm(
            AlarmName=aws.name("alarm"),
            Metrics=metrics,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
        )


def test_one_sample_of_five_raises_an_alarm_and_the_other_four_do_not_end_it(aws: Aws) -> None:
    """The breaching sample is the oldest of the five: what is visible no longer is still announced."""
    namespace = aws.name("Namespace")
    now = datetime.now(UTC)
    values = [(270, 1), (210, 0), (150, 0), (90, 0), (30, 0)]
    aws.cloudwatch.put_metric_data(
        Namespace=namespace,
        MetricData=[
            {"MetricName": "Depth", "Value": value, "Timestamp": now - timedelta(seconds=ago)} for ago, value in values
        ],
    )
    settings = {"Namespace": namespace, "MetricName": "Depth", "Dimensions": [], "EvaluationPeriods": 5}
    of_one = alarm(aws, "", **settings, DatapointsToAlarm=1)
    of_all = alarm(aws, "", **settings)
    until(lambda: state(aws, of_one) == "ALARM", "the alarm on one sample")
    assert state(aws, of_all) == "OK"


def test_an_alarm_does_not_notify_a_topic_whose_policy_refuses_cloudwatch(aws: Aws) -> None:
    full, _ = aws.queue()
    topic = aws.topic()
    inbox, inbox_arn = aws.inbox(topic)
    aws.subscribe(topic, "sqs", inbox_arn)
    aws.sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue='{"Statement": []}')
    fires = alarm(aws, full.rsplit("/", 1)[-1], topic=topic)
    aws.sqs.send_message(QueueUrl=full, MessageBody="x")
    until(lambda: state(aws, fires) == "ALARM", "the alarm")
    assert f"alarm {fires} may not publish" in aws.log()
    assert aws.depth(inbox) == 0


def test_missing_data_is_treated_as_the_alarm_says(aws: Aws) -> None:
    breaching = alarm(aws, "no-such-queue", TreatMissingData="breaching")
    missing = alarm(aws, "no-such-queue")
    until(lambda: state(aws, breaching) == "ALARM", "the alarm")
    assert state(aws, missing) == "INSUFFICIENT_DATA"


def test_a_queue_reports_depth_and_age(aws: Aws) -> None:
    url, _ = aws.queue()
    name = url.rsplit("/", 1)[-1]
    aws.sqs.send_message(QueueUrl=url, MessageBody="x")
    metric = "ApproximateNumberOfMessagesVisible"
    until(lambda: statistics(aws, "AWS/SQS", metric, QueueName=name).get("Maximum") == 1, "the depth")
    metric = "ApproximateAgeOfOldestMessage"
    until(lambda: statistics(aws, "AWS/SQS", metric, QueueName=name).get("Maximum", 0) > 1, "the age")


def test_a_printed_metric_is_recorded(aws: Aws) -> None:
    namespace = aws.name("Namespace")
    function = aws.function(EMF)
    payload = json.dumps({"namespace": namespace})
    aws.client("lambda").invoke(FunctionName=function, Payload=payload)
    assert statistics(aws, namespace, "Processed", service="a")["Sum"] == 3


def test_upstream_still_mixes_queues_and_evaluates_late(upstream: Aws) -> None:
    fires = alarm(upstream, "a")
    upstream.cloudwatch.put_metric_data(
        Namespace="AWS/SQS",
        MetricData=[
            {
                "MetricName": "ApproximateNumberOfMessagesVisible",
                "Value": 1,
                "Dimensions": [{"Name": "QueueName", "Value": "b"}],
            }
        ],
    )
    assert state(upstream, fires) == "ALARM"


def test_upstream_still_never_evaluates_a_query(upstream: Aws) -> None:
    name = upstream.name("alarm")
    upstream.cloudwatch.put_metric_alarm(
        AlarmName=name,
        Metrics=query("a"),
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="breaching",
    )
    assert state(upstream, name) == "INSUFFICIENT_DATA"


def test_upstream_still_records_no_printed_metric(upstream: Aws) -> None:
    namespace = upstream.name("Namespace")
    function = upstream.function(EMF)
    upstream.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"namespace": namespace}))
    assert upstream.cloudwatch.list_metrics(Namespace=namespace)["Metrics"] == []


def test_upstream_still_has_no_metrics_of_queues(upstream: Aws) -> None:
    url, _ = upstream.queue()
    upstream.sqs.send_message(QueueUrl=url, MessageBody="x")
    names = upstream.cloudwatch.list_metrics(
        Namespace="AWS/SQS", Dimensions=[{"Name": "QueueName", "Value": url.rsplit("/", 1)[-1]}]
    )["Metrics"]
    assert names == []


def test_upstream_still_writes_a_notification_of_its_own_form(upstream: Aws) -> None:
    topic = upstream.topic()
    inbox, inbox_arn = upstream.inbox(topic)
    upstream.subscribe(topic, "sqs", inbox_arn, RawMessageDelivery="true")
    alarm(upstream, "a", topic=topic)
    upstream.cloudwatch.put_metric_data(
        Namespace="AWS/SQS",
        MetricData=[
            {
                "MetricName": "ApproximateNumberOfMessagesVisible",
                "Value": 1,
                "Dimensions": [{"Name": "QueueName", "Value": "a"}],
            }
        ],
    )
    message = json.loads(upstream.receive(inbox)["Body"])
    assert "AlarmArn" not in message
