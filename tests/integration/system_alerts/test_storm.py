"""The hard case: a storm of 1,000 alerts over 10 fingerprints, with duplicates, in any order."""

import random
import time
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from fanout.contracts.system_alerts import SEVERITIES, AlertRaised, Severity
from fanout.event import Event
from tests.integration.application import Application
from tests.integration.system_alerts.conftest import Channels
from tests.waiting import until

WINDOW = 75  # longer than the storm takes on a busy machine
ALERTS, FINGERPRINTS, DUPLICATES = 1_000, 10, 100


@pytest.mark.timeout(420)
def test_a_storm_becomes_one_message_per_fingerprint_and_channel_and_one_summary(
    application: Application, channels: Channels
) -> None:
    run = uuid.uuid4().hex[:12]
    severities: dict[str, Severity] = {f"{run}/f{n}": SEVERITIES[n % 4] for n in range(FINGERPRINTS)}
    start = datetime.now(UTC)
    alerts = [
        Event.new(
            AlertRaised(fingerprint=name, service="shop", severity=severities[name], title=f"Trouble {name}"),
            source="urn:test",
            time=start + timedelta(milliseconds=number),
        )
        for number in range(ALERTS)
        for name in [f"{run}/f{random.Random(number).randrange(FINGERPRINTS)}"]
    ]
    storm = alerts + random.Random(1).sample(alerts, DUPLICATES)
    random.Random(2).shuffle(storm)
    table = application.subscriber("system_alerts/dispatch").environment["ALERT_TABLE"]

    with application.environment_of("system_alerts/dispatch", NOTIFICATION_WINDOW_SECONDS=str(WINDOW)):
        until(lambda: not window_is_open(application, table), "earlier windows are over", seconds=90)
        began = time.monotonic()
        application.publish("SystemAlerts", storm)

        # The plain reference: what is in the book is what was sent, each once.
        expected = Counter(event.data.fingerprint for event in alerts)
        until(lambda: counted(application, table, run) == expected, "every alert is in the book", seconds=WINDOW - 10)
        took = time.monotonic() - began
        assert took < WINDOW, f"the storm took {took:.0f} s, longer than its window"
        until(lambda: channels.posts(f"[STORM] {ALERTS:,} alerts"), "the summary", seconds=WINDOW + 60)

    first = {name: f"Trouble {name}" for name in severities}
    assert Counter(name for name, title in first.items() for _ in channels.posts(f"shop: {title}*")) == dict.fromkeys(
        first, 1
    )
    assert {tuple(action for action, _ in channels.calls(name)) for name in first} == {("trigger",)}
    assert len({key for name in first for _, key in channels.calls(name)}) == FINGERPRINTS
    until(lambda: channels.mails(f"[STORM] {ALERTS:,} alerts"), "the summary by mail", seconds=30)
    for name, title in first.items():
        severity = severities[name]
        subject = f"[{severity}] shop: {title}"
        assert channels.mails(subject) == [subject] * (severity in {"HIGH", "CRITICAL"}), name
        assert len(channels.short_messages(title)) == (severity == "CRITICAL"), name
    [summary] = channels.posts(f"[STORM] {ALERTS:,} alerts about {FINGERPRINTS} troubles")
    for name, number in expected.items():
        assert f"{severities[name]:<9}{number:>6,} x  shop: Trouble {name} (open)" in summary
    assert len(channels.short_messages("[STORM]")) >= 1
    assert not [each for each in channels.pager.accepted() if each["dedup_key"].startswith("storm-")]
    for name in ("dispatch", "chat", "pager"):
        assert application.dead_letters(f"system_alerts/{name}") == []


def window_is_open(application: Application, table: str) -> bool:
    found = application.client("dynamodb").get_item(
        TableName=table, Key={"pk": {"S": "window"}, "sk": {"S": "current"}}, ConsistentRead=True
    )
    return "Item" in found and int(found["Item"]["ends_at"]["N"]) > time.time()


def counted(application: Application, table: str, run: str) -> Counter[str]:
    """How many events the book has of each fingerprint of the run."""
    entries = [
        item
        for item in application.items(table)
        if item["pk"].startswith(f"alert#{run}/") and item["sk"].startswith("event#")
    ]
    return Counter(item["pk"].removeprefix("alert#") for item in entries)
