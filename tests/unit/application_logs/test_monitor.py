"""The monitor: every error counts once, and too many of them raise one alert, under every fault."""

import json
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest

from application_logs import alerts
from fanout import aws
from fanout.contracts.system_alerts import AlertRaised
from fanout.event import Event, decode, decode_data, encode
from fanout.publisher import Publisher

from ..conftest import Queues
from .conftest import NOON, Topic, deliver, entry

Items = Callable[[str], list[dict[str, Any]]]
Lines = Callable[[str], list[dict[str, Any]]]


def minutes(items: Items) -> dict[tuple[str, str], tuple[int, int]]:
    """The counters per (service, minute): (errors, warnings)."""
    return {
        (item["pk"].removeprefix("service#"), item["sk"].removeprefix("minute#")): (
            int(item["errors"]),
            int(item["warnings"]),
        )
        for item in items("monitor")
        if item["sk"].startswith("minute#")
    }


def outcomes(lines: Lines) -> list[str]:
    return [receipt["outcome"] for receipt in lines("receipt")]


def test_errors_and_warnings_are_counted_per_service_and_minute_of_the_entry(
    monitor: ModuleType, items: Items, lines: Lines
) -> None:
    failed = deliver(
        monitor,
        entry("ERROR"),
        entry("CRITICAL"),
        entry("WARNING"),
        entry("ERROR", time=NOON + timedelta(minutes=1)),
        entry("WARNING", service="search/β"),
    )
    assert failed == []
    assert outcomes(lines) == ["processed"] * 5
    assert minutes(items) == {
        ("checkout", "2026-11-22T12:00Z"): (2, 1),
        ("checkout", "2026-11-22T12:01Z"): (1, 0),
        ("search/β", "2026-11-22T12:00Z"): (0, 1),
    }


def test_entries_below_warning_are_discarded(monitor: ModuleType, items: Items, lines: Lines) -> None:
    deliver(monitor, entry("INFO"), entry("ERROR"), entry("DEBUG"))
    assert outcomes(lines) == ["discarded", "processed", "discarded"]
    assert minutes(items) == {("checkout", "2026-11-22T12:00Z"): (1, 0)}


def test_an_event_counts_once_however_often_it_is_delivered(monitor: ModuleType, items: Items, lines: Lines) -> None:
    first, second = entry(), entry()
    deliver(monitor, first, first)
    deliver(monitor, first, second)
    assert outcomes(lines) == ["processed", "duplicate", "duplicate", "processed"]
    assert minutes(items) == {("checkout", "2026-11-22T12:00Z"): (2, 0)}


def test_an_invalid_event_between_valid_ones_affects_none_of_them(
    monitor: ModuleType, items: Items, queues: Queues
) -> None:
    bad_level = encode(entry()).decode().replace('"ERROR"', '"FATAL"')
    assert deliver(monitor, entry(), bad_level, entry(), "{broken") == []
    assert minutes(items) == {("checkout", "2026-11-22T12:00Z"): (2, 0)}
    reasons = sorted(dead_letter["reason"] for dead_letter in queues.dead())
    assert reasons[0].startswith("invalid-event: log.entry.v1: Invalid enum value - at")
    assert reasons[1].startswith("invalid-event: not a CloudEvents")


def test_a_batch_larger_than_a_transaction_is_counted_whole(monitor: ModuleType, items: Items) -> None:
    events = [entry("WARNING", time=NOON + timedelta(minutes=number % 3)) for number in range(130)]
    assert deliver(monitor, *events) == []
    assert sum(warnings for _, warnings in minutes(items).values()) == 130


def test_crossing_the_threshold_raises_one_alert_and_further_errors_raise_none(
    monitor: ModuleType, alert_topic: Topic
) -> None:
    for _ in range(2):
        deliver(monitor, entry())
    assert alert_topic.received() == []
    crossing = entry()
    deliver(monitor, crossing)
    for _ in range(3):
        deliver(monitor, entry(), entry())
    [document] = alert_topic.received()
    alert = decode_data(decode(json.dumps(document)), AlertRaised)
    assert alert.type == "alert.raised.v1"
    assert alert.causationid == crossing.id
    assert alert.data.service == "checkout"
    assert alert.data.severity == "HIGH"
    assert "2026-11-22T12:00:00Z" in alert.data.description
    assert "2026-11-22T12:05:00Z" in alert.data.description
    assert "boom" not in encode(alert).decode(), "what was logged may be personal; an alert goes everywhere"


def test_warnings_raise_no_alert(monitor: ModuleType, alert_topic: Topic) -> None:
    deliver(monitor, *[entry("WARNING") for _ in range(5)], entry())
    assert alert_topic.received() == []


def test_every_service_and_every_window_has_its_own_alert(monitor: ModuleType, alert_topic: Topic) -> None:
    later = NOON + timedelta(minutes=5)
    for service in ("checkout", "search"):
        for time in (NOON, later):
            deliver(monitor, *[entry(service=service, time=time) for _ in range(4)])
    alerts = alert_topic.received()
    assert sorted(alert["data"]["service"] for alert in alerts) == ["checkout", "checkout", "search", "search"]
    assert len({alert["id"] for alert in alerts}) == 4


def test_a_late_entry_counts_in_the_window_it_belongs_to(monitor: ModuleType, alert_topic: Topic) -> None:
    later = NOON + timedelta(hours=2)
    deliver(monitor, entry(), entry(time=later), entry(), entry(time=later))
    assert alert_topic.received() == []
    deliver(monitor, entry())
    [alert] = alert_topic.received()
    assert "2026-11-22T12:00:00Z" in alert["data"]["description"]


def test_without_a_topic_errors_are_counted_and_no_alert_is_published(
    monitor: ModuleType, alert_topic: Topic, monkeypatch: pytest.MonkeyPatch, items: Items
) -> None:
    monkeypatch.setenv("ALERT_TOPIC_ARN", "")
    assert deliver(monitor, *[entry() for _ in range(5)]) == []
    assert minutes(items) == {("checkout", "2026-11-22T12:00Z"): (5, 0)}
    assert alert_topic.received() == []


@pytest.mark.guarantee("at-least-once/caused-event")
def test_an_alert_that_could_not_be_published_is_published_by_the_redelivery(
    monitor: ModuleType, alert_topic: Topic, items: Items, lines: Lines, claim_expires: Callable[[], None]
) -> None:
    events = [entry() for _ in range(3)]
    alert_topic.delete()
    assert deliver(monitor, *events) == ["0", "1", "2"]
    assert all(receipt["reason"].startswith("not published: NotFound") for receipt in lines("receipt"))
    alert_topic.create()
    claim_expires()
    assert deliver(monitor, *events, receive_count=2) == []
    assert len(alert_topic.received()) == 1
    assert outcomes(lines) == ["duplicate"] * 3
    assert minutes(items) == {("checkout", "2026-11-22T12:00Z"): (3, 0)}


@pytest.fixture
def claim_expires(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let the time that a crashed delivery has the publishing to itself pass at once."""

    def expire() -> None:

        now = alerts.time.time()
        monkeypatch.setattr(alerts.time, "time", lambda: now + 11)

    return expire


class Killed(BaseException):
    """Lambda kills the function."""


@pytest.mark.parametrize("moment", ["before the publish", "after the publish"])
def test_a_crash_between_commit_and_acknowledgement_gives_the_alert_one_id(
    *,
    moment: str,
    monitor: ModuleType,
    alert_topic: Topic,
    monkeypatch: pytest.MonkeyPatch,
    claim_expires: Callable[[], None],
    items: Items,
) -> None:
    publish = Publisher.publish

    def die(self: Publisher, events: list[Event[Any]]) -> None:
        if moment == "after the publish":
            publish(self, events)
        raise Killed

    events = [entry() for _ in range(3)]
    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "publish", die)
        with pytest.raises(Killed):
            deliver(monitor, *events)
    claim_expires()
    # What SQS redelivers need not be the same batch, nor in the same order.
    deliver(monitor, events[2], receive_count=2)
    deliver(monitor, events[0], entry(), events[1], receive_count=2)
    alerts = alert_topic.received()
    assert len(alerts) == (1 if moment == "before the publish" else 2)
    assert all(alert == alerts[0] for alert in alerts), "the same event, to the last byte"
    assert minutes(items) == {("checkout", "2026-11-22T12:00Z"): (4, 0)}


def test_deliveries_that_cross_the_threshold_at_the_same_moment_raise_one_alert(
    monitor: ModuleType, alert_topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = Publisher.publish
    meanwhile: list[list[str]] = []
    late = entry()

    def publish_while_others_arrive(self: Publisher, events: list[Event[Any]]) -> Any:
        meanwhile.append(deliver(monitor, late))
        meanwhile.append(deliver(monitor, late, receive_count=2))
        return publish(self, events)

    deliver(monitor, entry(), entry())
    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "publish", publish_while_others_arrive)
        assert deliver(monitor, entry()) == []
    assert meanwhile == [[], ["0"]], "a fresh event is done; a duplicate waits, for it may be what a crash has left"
    assert deliver(monitor, late, receive_count=3) == []
    assert len(alert_topic.received()) == 1


def test_the_alerts_id_does_not_depend_on_the_event_that_crossed_the_threshold(
    monitor: ModuleType, alert_topic: Topic, items: Items
) -> None:
    deliver(monitor, *[entry() for _ in range(3)])
    for item in items("monitor"):
        aws.client("dynamodb").delete_item(TableName="monitor", Key={key: {"S": item[key]} for key in ("pk", "sk")})
    deliver(monitor, *[entry() for _ in range(3)])
    first, second = alert_topic.received()
    assert first["id"] == second["id"]
    assert first["source"] == second["source"] == "urn:fanout:application_logs/monitor"


@pytest.mark.guarantee("isolation/alerts-per-service")
def test_a_failed_alert_of_one_service_blocks_no_other_service(
    monitor: ModuleType, alert_topic: Topic, items: Items
) -> None:
    alert_topic.delete()
    events = [entry(), entry(service="search"), entry(), entry("WARNING"), entry()]
    assert deliver(monitor, *events) == ["0", "2", "3", "4"]
    assert minutes(items)[("search", "2026-11-22T12:00Z")] == (1, 0)
