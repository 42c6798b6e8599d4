"""Alarms on a Metrics Insights query do not work.

Symptom: CloudFormation refuses them ("Metrics (metric math) is not supported"); PutMetricAlarm accepts them
and they never change their state.
Cause: `provisioners._cw_metric_alarm_record` and `cloudwatch._put_metric_alarm` support one named metric only.
Patch: a query that names one metric of one resource becomes an alarm on that metric; its notification has the
query, as on AWS. Any other query, and metric math, is refused. The language:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html
Not covered: DescribeAlarms shows the metric beside the query.
It can go when upstream evaluates queries.
"""

import re
from typing import Any

from ministack.services import cloudwatch
from ministack.services.cloudformation import provisioners

Settings = dict[str, Any]

_QUERY = re.compile(
    r"""SELECT\s+(?P<function>AVG|COUNT|MAX|MIN|SUM)\("?(?P<name>[^")]+)"?\)"""
    r"""\s+FROM\s+SCHEMA\("(?P<namespace>[^"]+)",\s*"?(?P<key>[^")]+)"?\)"""
    r"""\s+WHERE\s+"?(?P=key)"?\s*=\s*'(?P<value>[^']*)'\s*"""
)
_STATISTICS = {"AVG": "Average", "COUNT": "SampleCount", "MAX": "Maximum", "MIN": "Minimum", "SUM": "Sum"}


def apply() -> None:
    """Translate the queries of alarms from the API and from CloudFormation."""
    _patch_cloudformation()
    _patch_api()


def _patch_cloudformation() -> None:
    original = provisioners._cw_metric_alarm_record

    def record(name: str, properties: Settings) -> Settings:
        alarm: Settings = original(name, _translated(properties))
        return {**alarm, "Metrics": properties["Metrics"]} if properties.get("Metrics") else alarm

    provisioners._cw_metric_alarm_record = record


def _patch_api() -> None:
    original = cloudwatch._put_metric_alarm

    def put(params: Settings, data: Settings, is_cbor: bool, is_json: bool = False) -> Any:
        queries = (data or {}).get("Metrics")
        if not queries:
            return original(params, data, is_cbor, is_json)
        translated = _translated(data)
        if "Metrics" in translated:
            message = "The local engine evaluates no expression but a query of one metric of one resource"
            return cloudwatch._error("ValidationError", message, 400, use_json=is_json, use_cbor=is_cbor)
        answer = original(params, translated, is_cbor, is_json)
        if answer[0] == 200:
            cloudwatch._alarms[data["AlarmName"]]["Metrics"] = queries
        return answer

    cloudwatch._put_metric_alarm = put


def _translated(settings: Settings) -> Settings:
    """Return the settings of an alarm on the metric that a query names; unchanged if no query does."""
    queries = settings.get("Metrics") or []
    found = _QUERY.fullmatch(str(queries[0].get("Expression", "")).strip()) if len(queries) == 1 else None
    if found is None:
        return settings
    return {
        **{name: value for name, value in settings.items() if name != "Metrics"},
        "Namespace": found["namespace"],
        "MetricName": found["name"],
        "Dimensions": [{"Name": found["key"], "Value": found["value"]}],
        "Statistic": _STATISTICS[found["function"]],
        "Period": queries[0].get("Period", 60),
    }
