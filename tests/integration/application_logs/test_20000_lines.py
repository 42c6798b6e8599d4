"""20,000 lines through the logging handler: each of them in the archive once, and one alert per service and window."""

import logging
import threading
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from fanout.contracts.application_logs import LogEntry
from fanout.event import Event
from fanout.identity import new_id
from fanout.integrations.log_handler import FanoutHandler
from tests.integration.application_logs.conftest import THRESHOLD, WINDOW, Alerting
from tests.waiting import until

LINES = 20_000
THREADS = 8
# One of N lines of a service is an error. `quiet` stays below the threshold; the others pass it, though the run be
# cut in two by the end of a window.
SERVICES = {"checkout": 50, "search": 60, "mail/österreich": 100, "quiet": 500}


def log_everything(alerting: Alerting, run: str) -> dict[str, FanoutHandler]:
    """Log the lines, a quarter by each service, from several threads. Returns the handlers, flushed."""
    handlers = {}
    for service in SERVICES:
        handler = FanoutHandler(
            alerting.topic("ApplicationLogs"), service=f"{service}-{run}", client=lambda: alerting.client("sns")
        )
        logger = logging.getLogger(f"{run}.{service}")
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.addHandler(handler)
        handlers[service] = handler

    def log(thread: int) -> None:
        for number in range(thread, LINES, THREADS):
            service = list(SERVICES)[number % len(SERVICES)]
            every = SERVICES[service] * len(SERVICES)
            is_error = number // every != (number - len(SERVICES)) // every
            logging.getLogger(f"{run}.{service}").log(logging.ERROR if is_error else logging.INFO, "line %d", number)

    threads = [threading.Thread(target=log, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for service, handler in handlers.items():
        assert handler.flush(120)
        logging.getLogger(f"{run}.{service}").removeHandler(handler)
    return handlers


def windows(events: list[Event[LogEntry]]) -> Counter[tuple[str, str]]:
    """The errors per (service, start of the window)."""
    return Counter(
        (event.data.service, instant(event.occurred_at))
        for event in events
        if event.data.level in {"ERROR", "CRITICAL"}
    )


def instant(at: datetime) -> str:
    start = int(at.timestamp()) // WINDOW * WINDOW
    return datetime.fromtimestamp(start, UTC).isoformat().replace("+00:00", "Z")


def counted(alerting: Alerting, run: str) -> Counter[tuple[str, str]]:
    """The errors that the monitor has counted, likewise."""
    table = alerting.subscriber("application_logs/monitor").environment["MONITOR_TABLE"]
    return Counter(
        {
            (item["pk"].removeprefix("service#"), item["sk"].removeprefix("window#").partition("/")[0]): item["errors"]
            for item in alerting.items(table)
            if item["sk"].startswith("window#") and item["pk"].endswith(run)
        }
    )


@pytest.mark.timeout(600)  # a minute and a half where the machine has nothing else to do
def test_every_line_is_archived_once_and_each_service_is_alerted_for_once_per_window(alerting: Alerting) -> None:
    run = new_id()[-8:]
    handlers = log_everything(alerting, run)
    counters = [handler.counters for handler in handlers.values()]
    assert sum(each.sent for each in counters) == LINES
    assert sum(each.dropped + each.failed + each.pending for each in counters) == 0

    until(alerting.is_idle, "every entry is archived and counted", seconds=240, every=2)
    events = [event for service in SERVICES for event in alerting.archived(f"{service}-{run}")]
    assert Counter(event.data.message for event in events) == Counter(f"line {number}" for number in range(LINES))

    errors = windows(events)
    assert counted(alerting, run) == errors
    expected = {key for key, number in errors.items() if number >= THRESHOLD}
    assert {service for service, _ in expected} == {f"{service}-{run}" for service in SERVICES if service != "quiet"}
    first = alerting.alerts()
    assert sorted(map(about, first)) == sorted(expected), "one alert per service and window"

    # Delivered again, an entry is archived and counted as before, and no further alert is published.
    again = events[::100] + [event for event in events if event.data.level == "ERROR"][::5]
    alerting.publish("ApplicationLogs", again)
    until(alerting.is_idle, "the duplicates are handled", seconds=60, every=1)
    assert len(alerting.archived(f"checkout-{run}")) == LINES // len(SERVICES)
    assert counted(alerting, run) == errors
    assert alerting.alerts() == []


def about(alert: dict[str, Any]) -> tuple[str, str]:
    """The service and the window that an alert is about."""
    return alert["data"]["service"], alert["data"]["description"].partition(" between ")[2].partition(" ")[0]
