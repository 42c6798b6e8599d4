"""dispatch: what is notified and what is not, in any order and however often it is delivered."""

import itertools
import json
import random
import sys
from collections.abc import Callable
from types import FrameType, ModuleType
from typing import Any

import boto3
import pytest

from fanout.testing import REGION, LambdaContext, lambda_event, sns_record
from system_alerts import alert_store

from ..conftest import Queues
from .conftest import STORM, WINDOW, Clock, Listener, deliver, raised, resolved

Lines = Callable[[str], list[dict[str, Any]]]
Items = Callable[[str], list[dict[str, Any]]]


def outcomes(lines: Lines) -> list[str]:
    return [line["outcome"] for line in lines("receipt")]


def state(items: Items, fingerprint: str = "db/full") -> dict[str, Any]:
    [found] = [item for item in items("alerts") if (item["pk"], item["sk"]) == (f"alert#{fingerprint}", "state")]
    return found


def history(items: Items, fingerprint: str = "db/full") -> list[str]:
    entries = [item for item in items("alerts") if item["pk"] == f"alert#{fingerprint}" and item["sk"] != "state"]
    return [entry["transition"] for entry in sorted(entries, key=lambda entry: str(entry["at"]))]


def test_an_alert_is_notified_once_and_its_repetitions_within_the_window_are_counted(
    dispatch: ModuleType, listener: Listener, items: Items, lines: Lines
) -> None:
    deliver(dispatch, *(raised(at=number) for number in range(4)))
    assert listener.kinds() == ["opened"]
    assert history(items) == ["opened", "counted", "counted", "counted"]
    assert state(items)["status"] == "open"
    assert outcomes(lines) == ["processed"] * 4


def test_a_notification_contains_the_facts(dispatch: ModuleType, listener: Listener) -> None:
    event = raised(description="No space left on /var.", runbook_url="https://example.com/runbook")
    deliver(dispatch, event)
    [published] = listener.notifications()
    assert published["Subject"] == published["data"]["subject"] == "[HIGH] db: Disk is full"
    assert published["type"] == "alert.notification.v1"
    assert published["causationid"] == event.id
    for text in ("No space left on /var.", "2026-11-22T12:00:00Z", "https://example.com/runbook", "db/full"):
        assert text in published["data"]["text"]


def test_an_ongoing_alert_is_notified_again_after_the_window_with_its_count(
    dispatch: ModuleType, listener: Listener, clock: Clock
) -> None:
    deliver(dispatch, raised(at=0), raised(at=1))
    clock.advance(WINDOW + 1)
    deliver(dispatch, raised(at=2), raised(at=3))
    opened, repeated = listener.notifications()
    assert (repeated["data"]["kind"], repeated["data"]["alerts"]) == ("repeated", 3)
    assert repeated["data"]["incident"] == opened["data"]["incident"]


def test_an_alert_of_higher_severity_is_notified_at_once(dispatch: ModuleType, listener: Listener) -> None:
    deliver(dispatch, raised(severity="MEDIUM"), raised(at=1, severity="CRITICAL"), raised(at=2, severity="LOW"))
    published = [(event["data"]["kind"], event["data"]["severity"]) for event in listener.notifications()]
    assert published == [("opened", "MEDIUM"), ("escalated", "CRITICAL")]


def test_a_resolution_goes_to_every_recipient_of_the_highest_severity(dispatch: ModuleType, listener: Listener) -> None:
    deliver(dispatch, raised(severity="CRITICAL"), raised(at=1, severity="LOW"), resolved(at=2, severity="LOW"))
    opened, over = listener.notifications()
    assert (over["data"]["kind"], over["data"]["severity"], over["data"]["alerts"]) == ("resolved", "CRITICAL", 2)
    assert over["data"]["subject"].startswith("[RESOLVED]")
    assert over["data"]["incident"] == opened["data"]["incident"]


def test_a_resolution_ends_its_own_incident_and_no_other(
    dispatch: ModuleType, listener: Listener, items: Items
) -> None:
    deliver(dispatch, raised("a"), raised("b"), resolved("a", at=1), raised("a", at=2), resolved("b", at=3))
    incidents: dict[str, list[tuple[str, str]]] = {}
    for event in listener.notifications():
        data = event["data"]
        incidents.setdefault(data["incident"], []).append((data["fingerprint"], data["kind"]))
    assert sorted(incidents.values()) == [
        [("a", "opened")],
        [("a", "opened"), ("a", "resolved")],
        [("b", "opened"), ("b", "resolved")],
    ]
    assert (state(items, "a")["status"], state(items, "b")["status"]) == ("open", "resolved")


def test_a_resolution_without_an_alert_is_recorded_and_not_notified(
    dispatch: ModuleType, listener: Listener, items: Items
) -> None:
    deliver(dispatch, resolved(at=5), resolved(at=6))
    assert listener.kinds() == []
    assert history(items) == ["unknown", "unknown"]


def test_an_alert_that_arrives_after_its_own_end_opens_nothing(
    dispatch: ModuleType, listener: Listener, items: Items
) -> None:
    deliver(dispatch, resolved(at=5), raised(at=4), raised(at=6))
    assert history(items) == ["late", "unknown", "opened"]
    assert listener.kinds() == ["opened"]


def test_a_redelivered_event_changes_nothing_and_notifies_no_one(
    dispatch: ModuleType, listener: Listener, items: Items, lines: Lines, clock: Clock
) -> None:
    events = [raised(at=0), raised(at=1), resolved(at=2), raised(at=3)]
    deliver(dispatch, *events)
    before, _ = items("alerts"), listener.notifications()
    clock.advance(WINDOW + 60)
    deliver(dispatch, *events)
    assert listener.notifications() == []
    assert [i for i in items("alerts") if i["pk"].startswith("alert#")] == [
        i for i in before if i["pk"].startswith("alert#")
    ]
    assert outcomes(lines)[4:] == ["duplicate"] * 4


def test_an_event_published_twice_without_a_time_is_still_one(dispatch: ModuleType, items: Items, lines: Lines) -> None:
    body = {
        "specversion": "1.0",
        "id": "1",
        "source": "urn:test",
        "type": "alert.raised.v1",
        "data": {"fingerprint": "db/full", "service": "db", "severity": "LOW", "title": "Full"},
    }
    deliver(dispatch, json.dumps(body), json.dumps(body))
    assert history(items) == ["opened"]
    assert outcomes(lines) == ["processed", "duplicate"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_in_any_order_of_arrival_the_latest_event_decides(
    dispatch: ModuleType, listener: Listener, items: Items, order: tuple[int, ...]
) -> None:
    events = [raised(at=0), resolved(at=1), raised(at=2), resolved(at=3)]
    deliver(dispatch, *(events[number] for number in order))
    assert state(items)["status"] == "resolved"
    published: dict[str, list[str]] = {}
    for event in listener.notifications():
        published.setdefault(event["data"]["incident"], []).append(event["data"]["kind"])
    assert all(kinds == ["opened", "resolved"] for kinds in published.values()), published


# ------------------------------------------------------------------------------------------------------- lost answers
def test_a_notification_that_cannot_be_published_is_published_by_the_next_attempt_once(
    dispatch: ModuleType, listener: Listener, queues: Queues, lines: Lines, clock: Clock
) -> None:
    event = raised()
    listener.delete()
    deliver(dispatch, event)
    [receipt] = lines("receipt")
    assert (receipt["outcome"], receipt["reason"]) == ("retrying", "not published: NotFound")
    listener.create()
    clock.advance(20)
    deliver(dispatch, event, event)
    assert listener.kinds() == ["opened"]
    assert outcomes(lines) == ["processed", "duplicate"]


def test_while_one_delivery_notifies_another_waits(dispatch: ModuleType, listener: Listener, lines: Lines) -> None:
    event = raised()
    listener.delete()
    deliver(dispatch, event)
    listener.create()
    deliver(dispatch, event)
    assert listener.kinds() == []
    assert [line["reason"] for line in lines("receipt")][1].startswith("leased")


def test_of_two_simultaneous_deliveries_one_notifies(
    dispatch: ModuleType, listener: Listener, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, read = raised(), alert_store._read
    others = [event]

    def overtaken(fingerprint: str) -> Any:
        state = read(fingerprint)
        if others:  # the other delivery records it in between, and is about to publish it
            with monkeypatch.context() as slow:
                slow.setattr("system_alerts.notifier.notify", lambda *_, **__: None)
                deliver(dispatch, others.pop())
        return state

    with monkeypatch.context() as racing:
        racing.setattr("system_alerts.alert_store._read", overtaken)
        deliver(dispatch, event)
    assert listener.kinds() == []
    assert outcomes(lines) == ["processed", "retrying"]


def test_the_notification_of_a_killed_delivery_is_the_same_document_when_it_is_published_again(
    dispatch: ModuleType, listener: Listener, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = raised()
    with monkeypatch.context() as killing:
        killing.setattr("system_alerts.notifier.mark_sent", lambda _: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            deliver(dispatch, event)
    clock.advance(20)
    deliver(dispatch, raised(at=1), event)
    first, again = listener.notifications()
    assert first == again


# -------------------------------------------------------------------------------------------------------------- storms
def clock_strikes(dispatch: ModuleType, queues: Queues, clock: Clock) -> None:
    """Let the window end, and deliver the event that dispatch has sent to itself."""
    clock.advance(WINDOW + 10)
    assert queues.inbox_counts() == (0, 1)
    [current] = _current()
    body = {
        "specversion": "1.0",
        "id": current["window"],
        "source": "urn:fanout:system_alerts/dispatch",
        "type": "alert.window.ended.v1",
        "data": {"window": current["window"]},
    }
    dispatch.handler(lambda_event([sns_record(json.dumps(body))]), LambdaContext())


def _current() -> list[dict[str, Any]]:
    table = boto3.resource("dynamodb", region_name=REGION).Table("alerts")
    return [item for item in table.scan()["Items"] if item["pk"] == "window"]


def test_a_storm_of_repetitions_becomes_one_message_each_and_one_summary(
    dispatch: ModuleType, listener: Listener, queues: Queues, clock: Clock, lines: Lines
) -> None:
    events = [raised(f"f{number % 3}", at=number, severity="CRITICAL") for number in range(30)]
    random.Random(1).shuffle(events)
    deliver(dispatch, *events)
    assert listener.kinds() == ["opened"] * 3
    clock_strikes(dispatch, queues, clock)
    [summary] = listener.notifications()
    data = summary["data"]
    assert (data["kind"], data["severity"], data["alerts"], data.get("held_back", 0)) == ("summary", "CRITICAL", 30, 0)
    assert data["text"].count("10 x  db: Disk is full (open)") == 3
    clock_strikes(dispatch, queues, clock)
    assert listener.kinds() == []
    assert outcomes(lines)[-2:] == ["processed", "duplicate"]


def test_a_quiet_window_has_no_summary(
    dispatch: ModuleType, listener: Listener, queues: Queues, clock: Clock, lines: Lines
) -> None:
    deliver(dispatch, *(raised(at=number) for number in range(STORM)))
    listener.notifications()
    clock_strikes(dispatch, queues, clock)
    assert listener.kinds() == []
    assert lines("receipt")[-1]["reason"] == f"calm: {STORM} alerts in the window"


def test_a_storm_of_many_alerts_notifies_the_first_of_each_severity_and_the_rest_in_the_summary(
    dispatch: ModuleType, listener: Listener, queues: Queues, clock: Clock, items: Items
) -> None:
    deliver(dispatch, *(raised(f"low-{number}", at=number, severity="LOW") for number in range(STORM + 3)))
    deliver(dispatch, raised("worse", severity="CRITICAL"), resolved(f"low-{STORM}", at=99))
    assert [event["data"]["severity"] for event in listener.notifications()] == ["LOW"] * STORM + ["CRITICAL"]
    clock_strikes(dispatch, queues, clock)
    [summary] = listener.notifications()
    assert (summary["data"]["severity"], summary["data"]["held_back"]) == ("CRITICAL", 3)
    assert summary["data"]["text"].count("no message of its own") == 3
    assert summary["data"]["text"].count("(resolved, no message of its own)") == 1
    assert history(items, f"low-{STORM}") == ["opened", "silent"]
    deliver(dispatch, resolved(f"low-{STORM + 1}", at=100))
    assert listener.kinds() == ["resolved"]


def test_the_ends_of_alerts_that_only_a_summary_named_are_not_a_storm(
    dispatch: ModuleType, listener: Listener, queues: Queues, clock: Clock
) -> None:
    many = STORM * 3
    deliver(dispatch, *(raised(f"f{number}", at=number) for number in range(many)))
    clock_strikes(dispatch, queues, clock)
    listener.notifications()
    deliver(dispatch, *(resolved(f"f{number}", at=100) for number in range(many)))
    assert len(listener.notifications()) == STORM + STORM  # those notified one by one, and as many of the others


def test_a_suppressed_alert_is_notified_when_it_is_raised_again_after_the_storm(
    dispatch: ModuleType, listener: Listener, clock: Clock
) -> None:
    deliver(dispatch, *(raised(f"f{number}", at=number) for number in range(STORM + 1)))
    listener.notifications()
    clock.advance(WINDOW + 10)
    deliver(dispatch, raised(f"f{STORM}", at=500))
    [published] = listener.notifications()
    assert (published["data"]["kind"], published["data"]["alerts"]) == ("opened", 2)


def test_a_window_is_not_closed_before_it_is_over(dispatch: ModuleType, listener: Listener, lines: Lines) -> None:
    deliver(dispatch, *(raised(f"f{number}", at=number) for number in range(STORM + 3)))
    listener.notifications()
    [current] = _current()
    body = {"specversion": "1.0", "id": "1", "source": "urn:test", "type": "alert.window.ended.v1"}
    deliver(dispatch, json.dumps({**body, "data": {"window": current["window"]}}))
    nowhere = ("yesterday", "9998-01-01T00:00:00Z/300", "2026-11-22T12:00:00Z/" + "9" * 90)
    for window in nowhere:  # one that is yet to begin would be waited for
        deliver(dispatch, json.dumps({**body, "data": {"window": window}}))
    assert outcomes(lines)[-4:] == ["retrying", *["rejected"] * 3]
    assert listener.kinds() == []


def test_the_end_of_a_window_is_sent_by_another_delivery_if_the_first_was_killed(
    dispatch: ModuleType, queues: Queues, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killing:
        killing.setattr("system_alerts.windows.send_delayed", lambda *_: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            deliver(dispatch, raised())
    deliver(dispatch, raised(at=1))
    assert queues.inbox_counts() == (0, 0)
    clock.advance(15)
    deliver(dispatch, raised(at=2), raised(at=3))
    assert queues.inbox_counts() == (0, 1)


# -------------------------------------------------------------------------------------------------------------- poison
def test_a_body_that_is_not_an_event_is_rejected_and_affects_no_other(
    dispatch: ModuleType, queues: Queues, listener: Listener
) -> None:
    deliver(dispatch, raised("a"), "no event", '{"specversion": "1.0"}', raised("b"))
    assert listener.kinds() == ["opened", "opened"]
    assert len(queues.dead()) == 2


# ---------------------------------------------------------------------------------------------------------- legibility
def test_an_event_is_followed_through_dispatch_in_twelve_steps_at_most(
    dispatch: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step is a function of the package that decides or has an effect. Not counted: table access, settings, texts,
    and functions that only compute a key or an item for their caller."""
    helpers = {"key", "pk", "sort_key", "state_key", "entry_key", "_read", "_alerts_since", "_entry_item"}
    helpers |= {"_state_update", "_incident", "_rank", "_expiry", "handler"}
    helper_modules = ("settings.py", "table.py", "message_format.py", "text_length.py", "cloudwatch_alarms.py")
    steps: list[str] = []

    def follow(frame: FrameType, what: str, _: object) -> None:
        code = frame.f_code
        if what != "call" or "/system_alerts/system_alerts/" not in code.co_filename or code.co_name.startswith("<"):
            return
        if not code.co_filename.endswith(helper_modules) and code.co_name not in {*helpers, *steps}:
            steps.append(code.co_name)

    event = raised()
    sys.setprofile(follow)
    try:
        deliver(dispatch, event)
    finally:
        sys.setprofile(None)
    assert len(steps) <= 12, steps
    assert (steps[0], steps[-1]) == ("find", "mark_sent")
