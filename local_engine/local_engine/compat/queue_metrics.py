"""Queues have no metrics.

Symptom: AWS/SQS has no data, so an alarm on a dead-letter queue never fires.
Cause: nothing in the engine records them.
Patch: ApproximateNumberOfMessagesVisible, ...NotVisible and ApproximateAgeOfOldestMessage of every queue
that holds messages, and one last zero when it has become empty, every two seconds.
It can go when upstream records them.
"""

import time
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import cloudwatch, sqs

from local_engine.compat._background import every

_NAMESPACE = "AWS/SQS"
_SECONDS = 2.0
_KEPT_SECONDS = 3 * 3600
_busy: set[tuple[str, str, str]] = set()


def apply() -> None:
    """Start to measure."""
    every(_SECONDS, _measure, "queue metrics")


def _measure() -> None:
    for key, queue in list(sqs._queues._data.items()):
        messages = list(queue["messages"])
        if not messages and key not in _busy:
            continue
        (_busy.add if messages else _busy.discard)(key)
        with request_scope(key[0], key[1]):
            _record(queue["name"], messages)


def _record(name: str, messages: list[dict[str, Any]]) -> None:
    now = time.time()
    visible = sum(message.get("visible_at", 0) <= now for message in messages)
    oldest = min((message.get("sent_at", now) for message in messages), default=now)
    values = {
        "ApproximateNumberOfMessagesVisible": (visible, "Count"),
        "ApproximateNumberOfMessagesNotVisible": (len(messages) - visible, "Count"),
        "ApproximateAgeOfOldestMessage": (now - oldest, "Seconds"),
    }
    dimensions = {"QueueName": name}
    for metric, (value, unit) in values.items():
        cloudwatch.record_metric(_NAMESPACE, metric, value, unit, dimensions)
        points = cloudwatch._metrics.get((_NAMESPACE, metric, cloudwatch._dims_key(dimensions))) or []
        while points and points[0]["Timestamp"] < now - _KEPT_SECONDS:
            points.pop(0)
