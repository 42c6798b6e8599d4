"""Athena over the archive: the views return each line once, and so does `fanout logs read`."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from fanout.contracts.application_logs import LogEntry
from fanout.event import Event
from fanout.identity import new_id
from tests.integration.application import Application
from tests.waiting import until

NOON = datetime(2026, 10, 8, 12, 59, 58, tzinfo=UTC)
CONTEXT = {"basket": 7, "Basket": "β", "nested": {"a": [1, None]}}


def ask(application: Application, sql: str) -> list[dict[str, Any]]:
    found = application.fanout("analytics", "query", sql, "--use-case", "application_logs", "--json")
    return [json.loads(line) for line in found.stdout.splitlines()]


def entries(service: str, number: int) -> list[Event[LogEntry]]:
    """Entries of several levels, some seconds apart, so that they lie in two hours."""
    return [
        Event.new(
            LogEntry(service=service, level="ERROR" if n % 3 == 0 else "INFO", message=f"line {n}", context=CONTEXT),
            source=f"urn:test:{n % 2}",
            time=NOON + timedelta(seconds=n),
        )
        for n in range(number)
    ]


def test_athena_returns_each_line_of_the_archive_once(application: Application) -> None:
    run = new_id()[-12:]
    services = {f"till-{run}": entries(f"till-{run}", 25), f"büro/{run}": entries(f"büro/{run}", 10)}
    events = [event for each in services.values() for event in each]
    for batch in (events, events[::2]):  # in another batch, so that copies are in other objects
        application.publish("ApplicationLogs", batch)
    in_services = "data.service IN ({})".format(", ".join(f"'{service}'" for service in services))
    until(
        lambda: ask(application, f"SELECT count(*) AS n FROM raw_entries WHERE {in_services}") == [{"n": 35 + 18}],
        "every delivery is archived",
        seconds=60,
        every=1,
    )

    rows = ask(application, f"SELECT source, id, time, data.message AS message FROM entries WHERE {in_services}")
    assert Counter((row["source"], row["id"], row["message"]) for row in rows) == Counter(
        (event.source, event.id, event.data.message) for event in events
    )
    levels = (
        f"SELECT data.service AS service, data.level AS level, count(*) AS n FROM entries WHERE {in_services} "
        "GROUP BY data.service, data.level"
    )
    assert Counter({(row["service"], row["level"]): row["n"] for row in ask(application, levels)}) == Counter(
        (event.data.service, event.data.level) for event in events
    )

    for service, events in services.items():
        by_hour = (
            f"SELECT hour, count(*) AS n, min(data.context) AS context FROM entries_by_service "
            f"WHERE service = '{quote(service, safe='')}' AND dt = '2026-10-08' GROUP BY hour"
        )
        found = ask(application, by_hour)
        assert {row["hour"]: row["n"] for row in found} == Counter(f"{event.occurred_at:%H}" for event in events)
        assert json.loads(found[0]["context"]) == CONTEXT
        read = application.fanout("logs", "read", "--service", service, "--json").stdout.splitlines()
        assert {json.loads(line)["id"] for line in read} == {event.id for event in events}
