"""CloudWatch's own notifications, as AWS writes them."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from ..conftest import Queues
from .conftest import Listener, deliver, raised

Lines = Callable[[str], list[dict[str, Any]]]


def alarm(**changes: Any) -> str:
    """A notification of an alarm on a metric, every field that AWS sends included."""
    name = changes.get("AlarmName", "fanout-TeamEvents-9XYZ-TeamASubscriber-8XYZ-DeadLetterAlarm-7XYZ")
    notification = {
        "AlarmName": name,
        "AlarmDescription": "team_events/team_a: an event could not be handled and waits in the dead-letter queue",
        "AWSAccountId": "123456789012",
        "AlarmConfigurationUpdatedTimestamp": "2026-11-22T09:00:00.000+0000",
        "NewStateValue": "ALARM",
        "NewStateReason": "Threshold Crossed: 1 out of the last 1 datapoints [1.0 (22/11/26 11:59:00)] was greater than"
        " the threshold (0.0) (minimum 1 datapoint for OK -> ALARM transition).",
        "StateChangeTime": "2026-11-22T12:00:30.123+0000",
        "Region": "US East (N. Virginia)",
        "AlarmArn": f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}",
        "OldStateValue": "OK",
        "OKActions": ["arn:aws:sns:us-east-1:123456789012:operator"],
        "AlarmActions": ["arn:aws:sns:us-east-1:123456789012:operator"],
        "InsufficientDataActions": [],
        "Trigger": {
            "MetricName": "ApproximateNumberOfMessagesVisible",
            "Namespace": "AWS/SQS",
            "StatisticType": "Statistic",
            "Statistic": "MAXIMUM",
            "Unit": None,
            "Dimensions": [{"value": "dead-letters", "name": "QueueName"}],
            "Period": 60,
            "EvaluationPeriods": 1,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 0.0,
            "TreatMissingData": "notBreaching",
            "EvaluateLowSampleCountPercentile": "",
        },
    }
    return json.dumps({**notification, **changes})


def verdicts(lines: Lines) -> list[tuple[str, str | None]]:
    return [(line["outcome"], line["reason"]) for line in lines("receipt")]


def test_an_alarm_is_notified_with_its_own_description(dispatch: ModuleType, listener: Listener) -> None:
    deliver(dispatch, alarm(), topic="AlarmTopic")
    [published] = listener.notifications()
    data = published["data"]
    assert data["kind"] == "opened"
    assert data["severity"] == "HIGH"
    assert data["service"] == "AWS/SQS"
    assert "team_events/team_a: an event could not be handled" in data["subject"]
    assert "Threshold Crossed: 1 out of the last 1 datapoints" in data["text"]
    assert "2026-11-22T12:00:30.123000Z" in data["text"]
    assert data["runbook_url"] == (
        "https://us-east-1.console.aws.amazon.com/cloudwatch/deeplink.js?region=us-east-1"
        "#alarmsV2:alarm/fanout-TeamEvents-9XYZ-TeamASubscriber-8XYZ-DeadLetterAlarm-7XYZ"
    )


def test_an_alarm_that_is_ok_again_resolves_its_alert(dispatch: ModuleType, listener: Listener) -> None:
    deliver(dispatch, alarm(), alarm(NewStateValue="OK", StateChangeTime="2026-11-22T12:10:30.123+0000"))
    opened, over = listener.notifications()
    assert (opened["data"]["kind"], over["data"]["kind"]) == ("opened", "resolved")
    assert opened["data"]["incident"] == over["data"]["incident"]


def test_an_alarm_that_notifies_two_topics_alerts_once(dispatch: ModuleType, listener: Listener, lines: Lines) -> None:
    deliver(dispatch, alarm(), topic="AlarmTopic")
    deliver(dispatch, alarm(), topic="SystemAlerts")
    assert listener.kinds() == ["opened"]
    assert [outcome for outcome, _ in verdicts(lines)] == ["processed", "duplicate"]


def test_the_description_names_the_severity(dispatch: ModuleType, listener: Listener) -> None:
    deliver(dispatch, alarm(AlarmDescription="[CRITICAL] Payments\nare failing"))
    [published] = listener.notifications()
    assert published["data"]["severity"] == "CRITICAL"
    assert published["data"]["subject"] == "[CRITICAL] AWS/SQS: Payments are failing"


def metric(namespace: str | None, *dimensions: str) -> dict[str, Any]:
    found = {
        "MetricName": "Errors",
        "Namespace": namespace,
        "Dimensions": [{"value": v, "name": "n"} for v in dimensions],
    }
    return {"Id": "m1", "MetricStat": {"Metric": found, "Period": 60, "Stat": "Sum"}, "ReturnData": False}


RATE = {"Id": "rate", "Expression": "100 * m1 / m2", "Label": "error rate", "ReturnData": True}
BAND = {"Id": "ad1", "Expression": "ANOMALY_DETECTION_BAND(m1, 2)", "Label": "expected", "ReturnData": True}


@pytest.mark.parametrize(
    ("trigger", "service"),
    [
        pytest.param({"Metrics": [RATE, metric("AWS/Lambda"), metric("AWS/Lambda")]}, "AWS/Lambda", id="metric math"),
        pytest.param({"Metrics": [metric("Shop"), metric("AWS/SQS"), RATE]}, "Shop", id="math on two namespaces"),
        pytest.param({"Metrics": [metric("AWS/EC2"), BAND], "ThresholdMetricId": "ad1"}, "AWS/EC2", id="anomalies"),
        pytest.param(
            {"Metrics": [{"Expression": """SELECT MAX(Depth) FROM SCHEMA("AWS/SQS", QueueName) GROUP BY QueueName"""}]},
            "AWS/SQS",
            id="query of a schema",
        ),
        pytest.param(
            {"Metrics": [{"Expression": 'SELECT AVG(Load) FROM "AWS/EC2"', "Period": 60}]}, "AWS/EC2", id="query"
        ),
        pytest.param({"Metrics": [{"Expression": "SELECT SUM(rejected) FROM Fanout"}]}, "Fanout", id="query unquoted"),
        pytest.param({"Metrics": [{"Expression": 'select sum(x) from "Our Shop"'}]}, "Our Shop", id="query of a space"),
        pytest.param(
            {"Metrics": [{"Expression": """SELECT SUM("bytes from x") FROM "Shop" WHERE a = 'from y'"""}]},
            "Shop",
            id="query that quotes from",
        ),
        pytest.param({"Metrics": [RATE | {"MetricStat": None}, metric("AWS/SQS")]}, "AWS/SQS", id="math with nulls"),
        pytest.param({"Metrics": [metric(None, "checkout"), RATE]}, "checkout", id="math without a namespace"),
        pytest.param({"Namespace": "AWS/RDS"}, "AWS/RDS", id="namespace alone"),
        pytest.param({"Namespace": "AWS/RDS", "Dimensions": None, "Metrics": None}, "AWS/RDS", id="nulls beside it"),
        pytest.param({"Namespace": None, "Dimensions": [{"name": "n", "value": "db"}]}, "db", id="dimension alone"),
        pytest.param({"Namespace": " ", "Dimensions": [None, {"value": None}]}, "CloudWatch", id="nothing in them"),
        pytest.param({"Metrics": [None, {"MetricStat": {"Metric": None}}]}, "CloudWatch", id="nulls in the metrics"),
        pytest.param({"Metrics": [{"Expression": "SUM(METRICS())"}]}, "CloudWatch", id="math alone"),
        pytest.param({"Metrics": {}}, "CloudWatch", id="metrics that are not a list"),
        pytest.param({}, "CloudWatch", id="empty"),
        pytest.param(None, "CloudWatch", id="null"),
    ],
)
def test_an_alarm_s_service_is_the_namespace_of_the_first_metric_it_watches(
    dispatch: ModuleType, listener: Listener, trigger: dict[str, Any] | None, service: str
) -> None:
    deliver(dispatch, alarm(Trigger=trigger))
    [published] = listener.notifications()
    assert published["data"]["service"] == service


def test_a_composite_alarm_has_no_metric(dispatch: ModuleType, listener: Listener) -> None:
    body = json.loads(alarm(AlarmDescription=None))
    del body["Trigger"]
    children = [{"Arn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:a", "State": {"Value": "ALARM"}}]
    deliver(dispatch, json.dumps(body | {"AlarmRule": "ALARM(a) AND ALARM(b)", "TriggeringChildren": children}))
    [published] = listener.notifications()
    assert published["data"]["service"] == "CloudWatch"
    assert "DeadLetterAlarm" in published["data"]["subject"]


REQUIRED = {"AlarmName", "NewStateValue"}


@pytest.mark.parametrize("field", sorted(json.loads(alarm()).keys() - REQUIRED))
def test_an_alarm_is_accepted_with_any_field_null_or_missing(
    dispatch: ModuleType, listener: Listener, field: str
) -> None:
    body = json.loads(alarm(AlarmName="without-it"))
    deliver(dispatch, json.dumps(body | {field: None}))
    del body[field]
    deliver(dispatch, json.dumps(body | {"NewStateValue": "OK", "StateChangeTime": "2099-11-22T12:10:30.123+0000"}))
    opened, over = listener.notifications()
    assert (opened["data"]["kind"], over["data"]["kind"]) == ("opened", "resolved")
    assert "without-it" in opened["data"]["text"]
    assert "None" not in opened["data"]["text"] + opened["data"]["subject"]


def test_nothing_but_name_and_state_is_required(dispatch: ModuleType, listener: Listener) -> None:
    deliver(dispatch, '{"AlarmName": "bare", "NewStateValue": "ALARM"}')
    [published] = listener.notifications()
    assert published["data"]["subject"] == "[HIGH] CloudWatch: bare"


@pytest.mark.parametrize(
    ("partition", "console"),
    [
        ("aws-cn", "https://here-1.console.amazonaws.cn/"),
        ("aws-us-gov", "https://here-1.console.amazonaws-us-gov.com/"),
        ("aws-iso", None),
    ],
)
def test_an_alarm_s_link_leads_to_its_partition_s_console(
    dispatch: ModuleType, listener: Listener, partition: str, console: str | None
) -> None:
    deliver(dispatch, alarm(AlarmArn=f"arn:{partition}:cloudwatch:here-1:123456789012:alarm:a"))
    [published] = listener.notifications()
    assert str(published["data"].get("runbook_url")).startswith(str(console))


def test_an_alarm_without_an_arn_is_the_same_as_with_it(dispatch: ModuleType, listener: Listener) -> None:
    named = {"AlarmName": "old", "AlarmArn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:old"}
    deliver(dispatch, alarm(**named), alarm(**named | {"AlarmArn": None}), alarm(AlarmName="old", AlarmArn=7))
    [published] = listener.notifications()
    assert published["data"]["fingerprint"] == named["AlarmArn"]


def test_the_alarms_of_this_stack_are_discarded(
    dispatch: ModuleType, listener: Listener, lines: Lines, queues: Queues
) -> None:
    own = alarm(AlarmName="fanout-SystemAlerts-1ABC-DispatchSubscriber-2DEF-DeadLetterAlarm-3GHI")
    deliver(dispatch, own, topic="AlarmTopic")
    assert listener.kinds() == []
    [(outcome, reason)] = verdicts(lines)
    assert outcome == "discarded"
    assert str(reason).startswith("own-alarm")
    assert queues.dead() == []


def test_an_alarm_without_enough_data_is_discarded(dispatch: ModuleType, listener: Listener, lines: Lines) -> None:
    deliver(dispatch, alarm(NewStateValue="INSUFFICIENT_DATA"))
    assert listener.kinds() == []
    assert verdicts(lines) == [("discarded", "no-news: the alarm's state is 'INSUFFICIENT_DATA'")]


@pytest.mark.parametrize(
    "changes",
    [
        {"StateChangeTime": "yesterday"},
        {"StateChangeTime": "2026-11-22T12:00:30"},
        {"AlarmName": 7},
        {"AlarmName": None},
        {"NewStateValue": None},
    ],
)
def test_what_only_looks_like_an_alarm_is_rejected(dispatch: ModuleType, lines: Lines, changes: dict[str, Any]) -> None:
    deliver(dispatch, alarm(**changes))
    [(outcome, reason)] = verdicts(lines)
    assert outcome == "rejected"
    assert str(reason).startswith("invalid-event: not a CloudWatch alarm")


def test_an_event_that_quotes_an_alarm_is_an_event(dispatch: ModuleType, listener: Listener) -> None:
    deliver(dispatch, raised(description='"AlarmName" and "NewStateValue" were missing'))
    assert listener.kinds() == ["opened"]


def test_an_alarm_with_the_longest_name_and_texts_is_accepted(dispatch: ModuleType, listener: Listener) -> None:
    name = "ä" * 255
    deliver(dispatch, alarm(AlarmName=name, AlarmDescription="d" * 1024, NewStateReason="r" * 5000))
    deliver(
        dispatch,
        alarm(AlarmName=name, NewStateValue="OK", StateChangeTime="2026-11-22T13:00:00.000+0000"),
    )
    assert listener.kinds() == ["opened", "resolved"]
