"""What AWS itself measures and traces; the engine makes none of it."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.cloud.stack import Stack


@pytest.mark.cloud("xray")
def test_an_event_leaves_a_trace_of_the_function_that_handled_it(stack: Stack) -> None:
    event = stack.message()
    stack.publish("TeamEvents", [event])
    function = stack.subscriber("team_events/team_b").function_name

    def traces() -> list[object]:
        now = datetime.now(UTC)
        found = stack.client("xray").get_trace_summaries(
            StartTime=now - timedelta(minutes=10), EndTime=now, FilterExpression=f'service("{function}")'
        )
        return list(found["TraceSummaries"])

    assert stack.eventually(traces, f"a trace with {function} in it", minutes=5)


@pytest.mark.cloud("emf")
def test_a_metric_in_a_log_line_reaches_cloudwatch(stack: Stack) -> None:
    """The functions log JSON (LoggingConfig) and print their metrics as lines of JSON of their own."""
    event = stack.message()
    stack.publish("TeamEvents", [event])
    assert stack.outcomes(event.id, within=120)["team_events/team_a"] == "processed"
    stack.eventually(
        lambda: sum(stack.values("Fanout", "processed", service="team_events/team_a")),
        "the metric `processed` of team_events/team_a",
        minutes=10,
        every=15,
    )


@pytest.mark.cloud("sns-lambda-metrics")
def test_a_body_that_no_filter_can_read_raises_its_alarm(stack: Stack) -> None:
    topic = stack.topic("UserInteractions")
    name = topic.rsplit(":", 1)[-1]
    metric = "NumberOfNotificationsFilteredOut-InvalidMessageBody"
    [alarm] = stack.alarms("AWS/SNS", metric, TopicName=name)
    stack.publish_text("UserInteractions", "no JSON object")

    def fired() -> bool:
        found = stack.client("cloudwatch").describe_alarm_history(
            AlarmName=alarm["AlarmName"],
            HistoryItemType="StateUpdate",
            StartDate=datetime.now(UTC) - timedelta(minutes=20),
        )["AlarmHistoryItems"]
        return any("to ALARM" in each["HistorySummary"] for each in found)

    stack.eventually(fired, f"the alarm on {metric}", minutes=15, every=15)


@pytest.mark.cloud("sns-lambda-metrics")
def test_lambda_counts_invocations_by_sns(stack: Stack) -> None:
    """The alarm on what it cannot write to the on-failure queue names the same function in the same dimension."""
    stack.publish("TeamEvents", [stack.message()])
    function = stack.subscriber("team_events/broadcast").function_name
    assert stack.alarms("AWS/Lambda", "DestinationDeliveryFailures", FunctionName=function)
    stack.eventually(
        lambda: sum(stack.values("AWS/Lambda", "AsyncEventsReceived", FunctionName=function)),
        "AsyncEventsReceived of the function",
        minutes=10,
        every=15,
    )


@pytest.mark.cloud("stream-metrics")
def test_a_change_of_the_table_shows_in_the_age_of_the_stream(stack: Stack) -> None:
    table = stack.of("database_changes", "PrimaryTableName")
    described = stack.client("dynamodb").describe_table(TableName=table)["Table"]["KeySchema"]
    names = {each["KeyType"]: each["AttributeName"] for each in described}
    row = {name: {"S": f"cloud-test-{time.time_ns()}"} for name in names.values()}
    stack.client("dynamodb").put_item(TableName=table, Item=row)
    try:
        alarms = [
            each
            for page in stack.client("cloudwatch").get_paginator("describe_alarms").paginate()
            for each in page["MetricAlarms"]
            if each.get("MetricName") == "IteratorAge" and stack.stack_name in each["AlarmName"]
        ]
        [function] = {each["Value"] for alarm in alarms for each in alarm["Dimensions"]}
        stack.eventually(
            lambda: stack.values("AWS/Lambda", "IteratorAge", FunctionName=function),
            "IteratorAge of the stream's function",
            minutes=10,
            every=15,
        )
    finally:
        stack.client("dynamodb").delete_item(TableName=table, Key=row)
