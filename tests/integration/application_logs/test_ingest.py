"""Lines of a foreign log group become entries, through a subscription filter that the template makes."""

import json
import time

from fanout.contracts.application_logs import LogEntry
from fanout.event import Event
from tests.integration.application_logs.conftest import SOURCE_LOG_GROUP, Alerting
from tests.waiting import until


def test_lines_of_a_subscribed_log_group_are_archived_as_entries(alerting: Alerting) -> None:
    logs = alerting.client("logs")
    stream = f"stream-{time.time_ns()}"
    logs.create_log_stream(logGroupName=SOURCE_LOG_GROUP, logStreamName=stream)
    now = int(time.time() * 1000)
    lines = [
        "2026-11-22 12:00:00 WARN disk is nearly full",
        json.dumps({"level": "error", "message": "boom", "order": 7}),
    ]
    events = [{"timestamp": now + number, "message": line} for number, line in enumerate(lines)]
    logs.put_log_events(logGroupName=SOURCE_LOG_GROUP, logStreamName=stream, logEvents=events)

    def archived() -> list[Event[LogEntry]]:
        found = alerting.archived("somebody-elses")
        return [each for each in found if each.data.context["log_stream"] == stream]

    until(lambda: len(archived()) == len(lines), "both lines are archived", seconds=60, every=1)
    first, second = archived()
    assert (first.data.level, first.data.message) == ("WARNING", lines[0])
    assert (second.data.level, second.data.message, second.data.context["order"]) == ("ERROR", "boom", 7)
    assert [each.occurred_at.timestamp() * 1000 for each in (first, second)] == [now, now + 1]
    assert first.source.endswith(f":log-group:{SOURCE_LOG_GROUP}")
