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
    name = changes.get("AlarmName", "fanout-TeamEvents-9XYZ-TeamAInbox-8XYZ-DeadLetterAlarm-7XYZ")
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


def test_an_alarm_is_told_with_what_it_says_of_itself(dispatch: ModuleType, listener: Listener) -> None:
    deliver(dispatch, alarm(), topic="OperatorAlerts")
    [published] = listener.heard()
    data = published["data"]
    assert data["kind"] == "opened"
    assert data["severity"] == "HIGH"
    assert data["service"] == "AWS/SQS"
    assert "team_events/team_a: an event could not be handled" in data["subject"]
    assert "Threshold Crossed: 1 out of the last 1 datapoints" in data["text"]
    assert "2026-11-22T12:00:30.123000Z" in data["text"]
    assert data["runbook_url"] == (
        "https://us-east-1.console.aws.amazon.com/cloudwatch/deeplink.js?region=us-east-1"
        "#alarmsV2:alarm/fanout-TeamEvents-9XYZ-TeamAInbox-8XYZ-DeadLetterAlarm-7XYZ"
    )


def test_an_alarm_that_is_ok_again_resolves_what_it_raised(dispatch: ModuleType, listener: Listener) -> None:
    deliver(dispatch, alarm(), alarm(NewStateValue="OK", StateChangeTime="2026-11-22T12:10:30.123+0000"))
    opened, over = listener.heard()
    assert (opened["data"]["kind"], over["data"]["kind"]) == ("opened", "resolved")
    assert opened["data"]["incident"] == over["data"]["incident"]


def test_an_alarm_that_notifies_two_topics_alerts_once(dispatch: ModuleType, listener: Listener, lines: Lines) -> None:
    deliver(dispatch, alarm(), topic="OperatorAlerts")
    deliver(dispatch, alarm(), topic="SystemAlerts")
    assert listener.kinds() == ["opened"]
    assert [outcome for outcome, _ in verdicts(lines)] == ["processed", "duplicate"]


def test_the_description_names_the_severity(dispatch: ModuleType, listener: Listener) -> None:
    deliver(dispatch, alarm(AlarmDescription="[CRITICAL] Payments\nare failing"))
    [published] = listener.heard()
    assert published["data"]["severity"] == "CRITICAL"
    assert published["data"]["subject"] == "[CRITICAL] AWS/SQS: Payments are failing"


@pytest.mark.parametrize(
    ("metrics", "service"),
    [
        ([{"Expression": """SELECT MAX(Depth) FROM SCHEMA("AWS/SQS", QueueName) WHERE QueueName = 'q'"""}], "AWS/SQS"),
        ([{"Expression": 'SELECT AVG(CPUUtilization) FROM "AWS/EC2"'}], "AWS/EC2"),
        ([{"Expression": "SELECT SUM(rejected) FROM Fanout"}], "Fanout"),
        ([{"Expression": "SUM(METRICS())"}, {"MetricStat": {"Metric": {"Namespace": "AWS/SQS"}}}], "CloudWatch"),
        (None, "CloudWatch"),
    ],
)
def test_an_alarm_on_a_query_has_the_namespace_of_what_it_selects(
    dispatch: ModuleType, listener: Listener, metrics: list[dict[str, str]] | None, service: str
) -> None:
    deliver(dispatch, alarm(Trigger={"Period": 60, "EvaluationPeriods": 5, "Metrics": metrics}))
    [published] = listener.heard()
    assert published["data"]["service"] == service


def test_a_composite_alarm_has_no_metric(dispatch: ModuleType, listener: Listener) -> None:
    body = json.loads(alarm(AlarmDescription=None))
    del body["Trigger"]
    deliver(dispatch, json.dumps(body | {"AlarmRule": "ALARM(a) AND ALARM(b)"}))
    [published] = listener.heard()
    assert published["data"]["service"] == "CloudWatch"
    assert "DeadLetterAlarm" in published["data"]["subject"]


def test_the_alarms_of_this_stack_are_left_to_the_operator_s_own_ways(
    dispatch: ModuleType, listener: Listener, lines: Lines, queues: Queues
) -> None:
    own = alarm(AlarmName="fanout-SystemAlerts-1ABC-DispatchInbox-2DEF-DeadLetterAlarm-3GHI")
    deliver(dispatch, own, topic="OperatorAlerts")
    assert listener.kinds() == []
    [(outcome, reason)] = verdicts(lines)
    assert outcome == "discarded"
    assert str(reason).startswith("own-alarm")
    assert queues.dead() == []


def test_an_alarm_without_enough_data_is_no_news(dispatch: ModuleType, listener: Listener, lines: Lines) -> None:
    deliver(dispatch, alarm(NewStateValue="INSUFFICIENT_DATA"))
    assert listener.kinds() == []
    assert verdicts(lines) == [("discarded", "no-news: the alarm's state is 'INSUFFICIENT_DATA'")]


@pytest.mark.parametrize(
    "changes",
    [
        {"StateChangeTime": "yesterday"},
        {"StateChangeTime": "2026-11-22T12:00:30"},
        {"AlarmName": 7},
        {"AlarmArn": None},
    ],
)
def test_what_only_looks_like_an_alarm_is_rejected(dispatch: ModuleType, lines: Lines, changes: dict[str, Any]) -> None:
    deliver(dispatch, alarm(**changes))
    [(outcome, reason)] = verdicts(lines)
    assert outcome == "rejected"
    assert str(reason).startswith("invalid-event: no alarm of CloudWatch")


def test_an_event_that_quotes_an_alarm_is_an_event(dispatch: ModuleType, listener: Listener) -> None:
    deliver(dispatch, raised(description='"AlarmName" and "NewStateValue" were missing'))
    assert listener.kinds() == ["opened"]


def test_an_alarm_with_the_longest_name_and_texts_is_understood(dispatch: ModuleType, listener: Listener) -> None:
    name = "ä" * 255
    deliver(dispatch, alarm(AlarmName=name, AlarmDescription="d" * 1024, NewStateReason="r" * 5000))
    deliver(
        dispatch,
        alarm(AlarmName=name, NewStateValue="OK", StateChangeTime="2026-11-22T13:00:00.000+0000"),
    )
    assert listener.kinds() == ["opened", "resolved"]
