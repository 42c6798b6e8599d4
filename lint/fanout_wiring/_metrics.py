"""The metrics of an alarm: one metric, metric math, or a Metrics Insights query."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fanout_wiring._stack import Resource
from fanout_wiring._values import as_dict, as_list

# The part of Metrics Insights that names one metric of one resource:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html
_QUERY = re.compile(
    r"""SELECT\s+(?:AVG|COUNT|MAX|MIN|SUM)\("?(?P<name>[^")]+)"?\)"""
    r"""\s+FROM\s+SCHEMA\("(?P<namespace>[^"]+)",\s*"?(?P<key>[^")]+)"?\)"""
    r"""\s+WHERE\s+"?(?P=key)"?\s*=\s*'(?P<value>[^']*)'\s*"""
)


@dataclass(frozen=True)
class Metric:
    """One metric that an alarm watches."""

    namespace: Any
    name: Any
    dimensions: dict[Any, Any]
    queried: bool = False
    """found by a Metrics Insights query, so it costs nothing while there is no data"""


def metrics(alarm: Resource) -> Iterator[Metric]:
    """Yield every metric that a metric alarm watches; a query of another form than _QUERY yields nothing."""
    own = alarm.properties
    if "Metrics" not in own:
        yield _metric(own)
    for each in map(as_dict, as_list(own.get("Metrics"))):
        if "MetricStat" in each:
            yield _metric(as_dict(as_dict(each["MetricStat"]).get("Metric")))
        elif query := _QUERY.fullmatch(str(each.get("Expression", "")).strip()):
            yield Metric(query["namespace"], query["name"], {query["key"]: query["value"]}, queried=True)


def _metric(declared: dict[str, Any]) -> Metric:
    dimensions = {as_dict(each).get("Name"): as_dict(each).get("Value") for each in as_list(declared.get("Dimensions"))}
    return Metric(declared.get("Namespace"), declared.get("MetricName"), dimensions)
