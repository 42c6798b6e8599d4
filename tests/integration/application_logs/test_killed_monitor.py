"""monitor killed at each point: every error is counted once, and alerts have one id, however often published."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from fanout.contracts.application_logs import LogEntry
from fanout.event import Event
from fanout.identity import new_id
from tests.integration.application_logs.conftest import THRESHOLD, Alerting
from tests.integration.faults.crash_injection import held_back, struck, wait_for_strike
from tests.waiting import until

MONITOR = "application_logs/monitor"


@pytest.mark.parametrize(
    "at", ["before TransactWriteItems", "after TransactWriteItems", "after PublishBatch", "before acknowledgement"]
)
def test_a_killed_monitor_counts_every_error_once_and_alerts_under_one_id(
    at: str, alerting: Alerting, tmp_path: Path
) -> None:
    service = f"killed-{new_id()}"
    now = datetime.now(UTC)
    errors = [
        Event.new(LogEntry(service=service, level="ERROR", message=f"error {number}"), source="urn:test", time=now)
        for number in range(THRESHOLD + 5)
    ]
    alerting.alerts()
    with struck(alerting, MONITOR, at, tmp_path):
        with held_back(alerting, MONITOR):
            alerting.publish("ApplicationLogs", errors)
        wait_for_strike(tmp_path)
        for event in errors:
            assert alerting.outcomes(event.id, within=60)[MONITOR] in {"processed", "duplicate"}
    alerts = [alert for alert in alerting.alerts() if alert["data"]["service"] == service]
    assert len({alert["id"] for alert in alerts}) == 1, f"one alert id, heard {len(alerts)}"
    table = alerting.subscriber(MONITOR).environment["MONITOR_TABLE"]
    windows = [item for item in alerting.items(table) if item["pk"] == f"service#{service}" and "window" in item["sk"]]
    assert sum(int(item["errors"]) for item in windows) == len(errors)
    until(lambda: not alerting.dead_letters(MONITOR), "monitor has no dead letters")
