"""What CloudWatch refuses of alarms."""

from dataclasses import replace
from typing import Any

from engine_tests.aws import Aws
from engine_tests.refusals.refusal import Refusal

_API = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"
_MATH = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html"
_GUIDE = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring"

_SIMPLE = {
    "ComparisonOperator": "GreaterThanThreshold",
    "EvaluationPeriods": 1,
    "MetricName": "Errors",
    "Namespace": "Planted",
    "Period": 60,
    "Statistic": "Sum",
    "Threshold": 1,
}


def _put(aws: Aws, alarm: dict[str, Any]) -> None:
    aws.cloudwatch.put_metric_alarm(AlarmName=aws.name("alarm"), **alarm)


def _rule(
    id: str, rule: str, text: str, *, source: str = _API, without: tuple[str, ...] = (), **changed: Any
) -> Refusal:
    alarm = {name: value for name, value in {**_SIMPLE, **changed}.items() if name not in without}
    return Refusal(
        id=f"cloudwatch-{id}",
        rule=rule,
        source=source,
        code="ValidationError",
        text=text,
        held="strictness/alarms.py",
        call=lambda aws: _put(aws, alarm),
        template={"Resources": {"One": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm}}},
    )


def _stat(identifier: str, *, returned: bool = False, period: int = 60) -> dict[str, Any]:
    metric = {"Namespace": "Planted", "MetricName": "Errors"}
    stat = {"Metric": metric, "Period": period, "Stat": "Sum"}
    return {"Id": identifier, "ReturnData": returned, "MetricStat": stat}


def _math(id: str, rule: str, text: str, *metrics: dict[str, Any], source: str = _MATH) -> Refusal:
    single = ("MetricName", "Namespace", "Period", "Statistic")
    return _rule(id, rule, text, source=source, without=single, Metrics=list(metrics))


REFUSALS = (
    _rule(
        "a-period-is-10-20-30-or-minutes",
        "An alarm's period is 10, 20, 30 or a multiple of 60 seconds",
        "Period",
        Period=45,
    ),
    _rule(
        "an-alarm-evaluates-a-day",
        "An alarm evaluates at most a day: EvaluationPeriods times Period",
        "Metrics cannot be checked across more than a day",
        source=f"{_GUIDE}/AlarmThatSendsEmail.html",
        Period=300,
        EvaluationPeriods=289,
    ),
    _rule(
        "an-alarm-on-hours-evaluates-a-week",
        "With periods of an hour or more, an alarm evaluates at most seven days",
        "Metrics cannot be checked across more than seven days",
        source=f"{_GUIDE}/AlarmThatSendsEmail.html",
        Period=3600,
        EvaluationPeriods=169,
    ),
    _rule(
        "an-alarm-needs-no-more-datapoints-than-it-evaluates",
        "DatapointsToAlarm is EvaluationPeriods at most",
        "DatapointsToAlarm must be less than or equal to EvaluationPeriods",
        source="https://github.com/hashicorp/terraform/issues/24070",
        DatapointsToAlarm=2,
    ),
    _rule(
        "an-alarm-has-one-statistic",
        "An alarm on one metric has a Statistic or an ExtendedStatistic",
        "Exactly one of Statistic and ExtendedStatistic",
        ExtendedStatistic="p99",
    ),
    _rule("an-alarm-has-a-threshold", "An alarm has a threshold", "Threshold", without=("Threshold",)),
    _rule(
        "an-action-is-an-arn",
        "An action of an alarm is an ARN of a service that alarms act on",
        "Invalid arn syntax",
        AlarmActions=["arn:aws:sqs:us-east-1:000000000000:queue"],
    ),
    _rule(
        "an-alarm-notifies-no-fifo-topic",
        "An alarm does not notify a FIFO topic",
        "FIFO",
        source="https://docs.aws.amazon.com/sns/latest/dg/fifo-topic-message-delivery.html",
        AlarmActions=["arn:aws:sns:us-east-1:000000000000:topic.fifo"],
    ),
    _rule(
        "a-state-has-five-actions-at-most",
        "An alarm has five actions for each state at most",
        "five actions",
        AlarmActions=[f"arn:aws:sns:us-east-1:000000000000:topic{number}" for number in range(6)],
    ),
    _math(
        "one-result-of-metric-math-is-watched",
        "Of an alarm's metrics and expressions, exactly one returns data",
        "Exactly one element of the metrics list should return data.",
        _stat("one", returned=True),
        _stat("two", returned=True),
    ),
    _math(
        "metric-math-has-unique-ids",
        "The ids of an alarm's metrics are unique",
        "unique",
        _stat("one"),
        _stat("one", returned=True),
    ),
    _math(
        "metric-math-names-its-ids",
        "An expression names ids of the alarm's metrics",
        "Error in expression",
        _stat("one"),
        {"Id": "sum", "Expression": "one + two", "ReturnData": True},
    ),
    replace(
        _math(
            "an-id-begins-with-a-lower-case-letter",
            "The id of a metric begins with a lower-case letter",
            "lower-case",
            _stat("One", returned=True),
        ),
        template=None,  # which the resource's schema refuses
    ),
    _math(
        "an-alarm-does-not-search",
        "An alarm does not watch a SEARCH expression",
        "SEARCH is not supported on Metric Alarms.",
        {"Id": "found", "Expression": "SEARCH('Errors', 'Sum', 60)", "ReturnData": True},
        source=f"{_GUIDE}/using-search-expressions.html",
    ),
)
