"""Alarms evaluate the wrong data, at the wrong time.

Symptom: an alarm on one queue fires for another; TreatMissingData and DatapointsToAlarm have no effect;
an alarm changes its state only when PutMetricData is called; it notifies a topic whose policy does
not let CloudWatch publish.
Cause: `cloudwatch._evaluate_alarm` mixes all metrics of a name and is called by PutMetricData;
`_dispatch_alarm_actions` publishes without checking the policy.
Patch: every alarm is evaluated every two seconds, on its own dimensions, period by period (periods end
now, not at the full minute); the policies of topics are checked.
Not covered: metric math, anomaly detection, composite alarms.
It can go when upstream evaluates dimensions and missing data on a timer.
"""

import operator
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import cloudwatch, sns

from local_engine.compat._background import every
from local_engine.compat._permissions import service_allowed

Alarm = dict[str, Any]

_SECONDS = 2.0
_BREACHES: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")


def apply() -> None:
    """Replace the evaluation, and do it all the time."""
    cloudwatch._evaluate_alarm = _evaluate
    _ask_topics()
    every(_SECONDS, _evaluate_all, "alarms")


def _evaluate_all() -> None:
    for key, alarm in list(cloudwatch._alarms._data.items()):
        with request_scope(key[0], key[1]):
            _evaluate(alarm)


def _evaluate(alarm: Alarm) -> None:
    breaches = _BREACHES.get(alarm.get("ComparisonOperator", ""))
    if breaches is None or not alarm.get("MetricName"):
        return
    old = alarm["StateValue"]
    new, reason = _state(alarm, breaches)
    if new == old:
        return
    alarm.update(StateValue=new, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
    cloudwatch._record_history(alarm["AlarmName"], old, new, reason)
    cloudwatch._dispatch_alarm_actions(alarm, old, new, reason)


def _state(alarm: Alarm, breaches: Callable[[float, float], bool]) -> tuple[str, str]:
    threshold = float(alarm.get("Threshold", 0))
    periods = int(alarm.get("EvaluationPeriods", 1))
    values = _values(alarm, periods)
    missing = alarm.get("TreatMissingData") or "missing"
    instead = {"breaching": True, "notBreaching": False}.get(missing)
    votes = [instead if value is None else breaches(value, threshold) for value in values]
    known = [vote for vote in votes if vote is not None]
    if not known:
        kept = missing == "ignore"
        return (alarm["StateValue"] if kept else "INSUFFICIENT_DATA"), "Insufficient Data: no datapoints"
    needed = int(alarm.get("DatapointsToAlarm") or periods)
    breaching = sum(known)
    shown = [value for value in values if value is not None]
    reason = f"Threshold Crossed: {breaching} of the last {periods} datapoints {shown} breach {threshold}"
    return ("ALARM" if breaching >= needed else "OK"), reason


def _values(alarm: Alarm, periods: int) -> list[float | None]:
    """Return the statistic of the last periods, newest first; None where there is no data."""
    dimensions = alarm.get("Dimensions") or []
    if isinstance(dimensions, list):
        dimensions = cloudwatch._dims_from_list(dimensions)
    key = (alarm["Namespace"], alarm["MetricName"], cloudwatch._dims_key(dimensions))
    points = list(cloudwatch._metrics.get(key) or [])
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    period = int(alarm.get("Period", 60))
    now = time.time()
    values: list[float | None] = []
    for index in range(periods):
        end = now - index * period
        inside = [point for point in points if end - period < point["Timestamp"] <= end]
        values.append(cloudwatch._stat_value(cloudwatch._calc_stats(inside), statistic, inside) if inside else None)
    return values


def _ask_topics() -> None:
    original = cloudwatch._dispatch_alarm_actions

    def dispatch(alarm: Alarm, *arguments: Any) -> None:
        reachable = {field: [arn for arn in alarm.get(field) or [] if _may_publish(arn, alarm)] for field in _ACTIONS}
        original({**alarm, **reachable}, *arguments)

    cloudwatch._dispatch_alarm_actions = dispatch


def _may_publish(arn: str, alarm: Alarm) -> bool:
    topic = sns._topics.get(arn)
    if topic is None:
        return True  # no topic: another kind of action
    allowed = service_allowed(
        topic["attributes"].get("Policy"), "cloudwatch.amazonaws.com", "sns:Publish", arn, alarm["AlarmArn"]
    )
    if not allowed:
        cloudwatch.logger.error("alarm %s may not publish to %s", alarm["AlarmName"], arn)
    return allowed
