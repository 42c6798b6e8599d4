"""What CloudWatch refuses of alarms.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
"""

import re
from typing import Any

from ministack.services import cloudwatch

from local_engine.strictness._refusing import Data, Refused, before_provisioning

_DAY, _WEEK, _HOUR = 86_400, 604_800, 3_600
_EXTENDED = re.compile(r"p(100|\d{1,2}(\.\d{1,10})?)|(tm|wm|tc|ts|PR|TM|WM|TC|TS)(\d|\().*|IQM")
_ACTION = re.compile(r"arn:aws[a-z-]*:(sns|automate|autoscaling|ssm|ssm-incidents|lambda|swf|aiops):.+")
_QUERY_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")
_FUNCTION_OR_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def apply() -> None:
    """Validate alarms, whether they come over the API or from CloudFormation."""
    put = cloudwatch._put_metric_alarm

    def put_valid(params: Any, data: Data, is_cbor: bool, is_json: bool = False) -> Any:
        try:
            # The clients of today speak CBOR or JSON; the Query protocol carries no metric math here.
            if is_cbor or is_json:
                _validate(data)
        except Refused as refused:
            return cloudwatch._error(refused.code, str(refused), 400, use_json=is_json, use_cbor=is_cbor)
        return put(params, data, is_cbor, is_json)

    cloudwatch._put_metric_alarm = put_valid
    before_provisioning("AWS::CloudWatch::Alarm", _validate)


def _validate(alarm: Data) -> None:
    if alarm.get("Metrics"):
        if any(alarm.get(name) for name in ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions")):
            raise _invalid("MetricName, Namespace, Statistic and Dimensions must not be specified beside Metrics")
        period = _validate_math(alarm["Metrics"])
    else:
        period = _validate_metric(alarm)
    evaluated = int(alarm["EvaluationPeriods"])
    if int(alarm.get("DatapointsToAlarm") or evaluated) > evaluated:
        raise _invalid("DatapointsToAlarm must be less than or equal to EvaluationPeriods")
    if evaluated * period > (_WEEK if period >= _HOUR else _DAY):
        span = "seven days for periods of an hour or more" if period >= _HOUR else "a day"
        raise _invalid(
            f"Metrics cannot be checked across more than {span} (EvaluationPeriods * Period must be <= {span})"
        )
    if alarm.get("Threshold") is None and not alarm.get("ThresholdMetricId"):
        raise _invalid("Threshold or ThresholdMetricId must be specified")
    for name in ("AlarmActions", "OKActions", "InsufficientDataActions"):
        _validate_actions(alarm.get(name) or [])


def _validate_metric(alarm: Data) -> int:
    for name in ("MetricName", "Namespace", "Period"):
        if not alarm.get(name):
            raise _invalid(f"{name} must be specified for an alarm that watches one metric")
    if bool(alarm.get("Statistic")) == bool(alarm.get("ExtendedStatistic")):
        raise _invalid("Exactly one of Statistic and ExtendedStatistic must be specified")
    if alarm.get("ExtendedStatistic") and not _EXTENDED.fullmatch(str(alarm["ExtendedStatistic"])):
        raise _invalid(f"The value {alarm['ExtendedStatistic']} for parameter ExtendedStatistic is not supported.")
    return _validated_period(int(alarm["Period"]))


def _validated_period(period: int) -> int:
    if period not in (10, 20, 30) and (period < 1 or period % 60):
        raise _invalid("Period must be 10, 20, 30 or a multiple of 60")
    return period


def _validate_math(queries: list[Data]) -> int:
    ids = [query["Id"] for query in queries]
    for identifier in ids:
        if not _QUERY_ID.fullmatch(identifier):
            raise _invalid(
                f"The id {identifier} must begin with a lower-case letter and hold letters, digits and _ only"
            )
    if len(set(ids)) < len(ids):
        raise _invalid("The ids of Metrics must be unique")
    returned = [query for query in queries if query.get("ReturnData", True) in (True, "true")]
    if len(returned) != 1:
        raise _invalid("Exactly one element of the metrics list should return data.")
    for query in queries:
        if bool(query.get("Expression")) == bool(query.get("MetricStat")):
            raise _invalid("Each of Metrics has either an Expression or a MetricStat")
        _validate_expression(query.get("Expression") or "", ids)
    periods = [int(query["MetricStat"]["Period"]) for query in queries if query.get("MetricStat")]
    periods += [int(query["Period"]) for query in queries if query.get("Period")]
    return max(map(_validated_period, periods), default=60)


def _validate_expression(expression: str, ids: list[str]) -> None:
    if re.match(r"\s*SEARCH\s*\(", expression):
        raise _invalid("SEARCH is not supported on Metric Alarms.")
    if re.match(r"\s*SELECT\s", expression):
        return  # a Metrics Insights query names metrics, not ids
    # Functions and keywords are upper case, ids begin with a lower-case letter; quoted text is a query or a label.
    for word in _FUNCTION_OR_ID.findall(re.sub(r"'[^']*'|\"[^\"]*\"", "", expression)):
        if word[0].islower() and word not in ids:
            raise _invalid(f"Error in expression: Unknown identifier {word}")


def _validate_actions(actions: list[str]) -> None:
    if len(actions) > 5:
        raise _invalid("An alarm has five actions for each state at most")
    for action in actions:
        if not _ACTION.fullmatch(action):
            raise _invalid(f"Invalid arn syntax: {action}")
        if re.match(r"arn:[^:]+:sns:.*\.fifo$", action):
            raise _invalid(f"CloudWatch alarms do not notify FIFO topics: {action}")


def _invalid(message: str) -> Refused:
    return Refused("ValidationError", message)
