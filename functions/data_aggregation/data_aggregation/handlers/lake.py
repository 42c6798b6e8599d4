"""Converts the events that Firehose has collected to lines of the lake. Firehose invokes it before it writes."""

import time
from collections import Counter
from typing import Any

from data_aggregation import lake_lines
from fanout.deadline import Deadline
from fanout.identity import subscriber_name
from fanout.observability import count


def handler(batch: dict[str, Any], context: Any) -> dict[str, list[dict[str, Any]]]:
    """Return a result per record, and count how many were converted and how many rejected."""
    results = lake_lines.convert(batch["records"], Deadline(context))
    counts = Counter(each["result"] for each in results)
    oldest_ms = min(record["approximateArrivalTimestamp"] for record in batch["records"])
    outcomes = {"processed": counts["Ok"], "rejected": counts["ProcessingFailed"]}
    count(subscriber_name(), outcomes, max(0, int(time.time() * 1000) - oldest_ms))
    return {"records": results}
