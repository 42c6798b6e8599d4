"""An alarm's notification is not the document that CloudWatch sends.

Symptom: it has no AlarmArn and no lists of actions, writes the time as 2026-11-22T14:05:30Z (AWS: with
milliseconds and +0000) and the Region as us-east-1 (AWS: US East (N. Virginia)), and its Trigger has
other fields. Who reads AWS's document cannot read this one.
Cause: `cloudwatch._dispatch_alarm_actions` makes a document of its own.
Patch: notifications to topics have the form of
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
Not covered: composite alarms.
It can go when upstream writes AlarmArn and AlarmActions.
"""

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

from botocore.session import get_session
from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import cloudwatch, sns

Alarm = dict[str, Any]

_ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}


def apply() -> None:
    """Replace what a change of state sets off."""
    cloudwatch._dispatch_alarm_actions = _dispatch


def _dispatch(alarm: Alarm, old: str, new: str, reason: str) -> None:
    if not alarm.get("ActionsEnabled", True):
        return
    topics = [arn for arn in alarm.get(_ACTIONS.get(new, "")) or [] if cloudwatch._is_sns_action_arn(arn)]
    message = json.dumps(_document(alarm, old, new, reason))
    subject = f'{new}: "{alarm["AlarmName"]}" in {_region_name(get_region())}'[:99]
    for topic in topics:
        sns._fanout(topic, new_uuid(), message, subject)


def _document(alarm: Alarm, old: str, new: str, reason: str) -> dict[str, Any]:
    return {
        "AlarmName": alarm["AlarmName"],
        "AlarmDescription": alarm.get("AlarmDescription") or None,
        "AWSAccountId": get_account_id(),
        "AlarmConfigurationUpdatedTimestamp": _instant(alarm.get("AlarmConfigurationUpdatedTimestamp")),
        "NewStateValue": new,
        "NewStateReason": reason,
        "StateChangeTime": _instant(None),
        "Region": _region_name(get_region()),
        "AlarmArn": alarm["AlarmArn"],
        "OldStateValue": old,
        **{field: list(alarm.get(field) or []) for field in ("OKActions", "AlarmActions", "InsufficientDataActions")},
        "Trigger": _trigger(alarm),
    }


def _trigger(alarm: Alarm) -> dict[str, Any]:
    return {
        **({"Metrics": alarm["Metrics"]} if alarm.get("Metrics") else _metric(alarm)),
        "Period": int(alarm.get("Period", 60)),
        "EvaluationPeriods": int(alarm.get("EvaluationPeriods", 1)),
        "DatapointsToAlarm": int(alarm.get("DatapointsToAlarm") or alarm.get("EvaluationPeriods", 1)),
        "ComparisonOperator": alarm.get("ComparisonOperator"),
        "Threshold": float(alarm.get("Threshold", 0)),
        "TreatMissingData": alarm.get("TreatMissingData") or "missing",
        "EvaluateLowSampleCountPercentile": "",
    }


def _metric(alarm: Alarm) -> dict[str, Any]:
    dimensions = alarm.get("Dimensions") or []
    if not isinstance(dimensions, dict):
        dimensions = {each["Name"]: each["Value"] for each in dimensions}
    return {
        "MetricName": alarm.get("MetricName"),
        "Namespace": alarm.get("Namespace"),
        "StatisticType": "Statistic",
        "Statistic": str(alarm.get("Statistic") or "").upper(),
        "Unit": alarm.get("Unit") or None,
        "Dimensions": [{"value": value, "name": name} for name, value in dimensions.items()],
    }


def _instant(seconds: Any) -> str:
    moment = datetime.fromtimestamp(float(seconds), UTC) if isinstance(seconds, int | float) else datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"


@cache
def _region_name(region: str) -> str:
    """Return the name that AWS writes: US East (N. Virginia)."""
    for partition in get_session().get_data("endpoints")["partitions"]:
        found = partition["regions"].get(region)
        if found:
            return str(found["description"])
    return region
