"""Metrics in log lines are not found.

Symptom: a line in the embedded metric format (EMF, what Powertools Metrics prints) makes no metric.
Cause: `cloudwatch_logs._append_log_events` only stores.
Patch: such lines are recorded as metrics, as CloudWatch Logs does.
It can go when upstream reads the format.
"""

import json
from typing import Any

from ministack.services import cloudwatch, cloudwatch_logs

Line = dict[str, Any]


def apply() -> None:
    """Record the metrics in log lines."""
    original = cloudwatch_logs._append_log_events

    def append(stream: dict[str, Any], events: list[dict[str, Any]]) -> None:
        original(stream, events)
        for event in events:
            if '"_aws"' in event["message"]:
                _record(event["message"])

    cloudwatch_logs._append_log_events = append


def _record(message: str) -> None:
    try:
        line: Line = json.loads(message)
        for directive in line["_aws"]["CloudWatchMetrics"]:
            for names in directive.get("Dimensions") or [[]]:
                dimensions = {name: str(line[name]) for name in names}
                for metric in directive["Metrics"]:
                    _record_metric(directive["Namespace"], metric, line[metric["Name"]], dimensions)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # As on AWS: the line stays a log line, without an error.
        cloudwatch_logs.logger.warning("no valid embedded metric: %s", error)


def _record_metric(namespace: str, metric: Line, value: Any, dimensions: dict[str, str]) -> None:
    for one in value if isinstance(value, list) else [value]:
        cloudwatch.record_metric(namespace, metric["Name"], one, metric.get("Unit", "None"), dimensions)
