"""chat and pager against a real server: what each answer makes of a notification, and what is never done twice."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.sink import Reply, Sink

from ..conftest import Queues
from .conftest import Channel, notification

Lines = Callable[[str], list[dict[str, Any]]]
Make = Callable[[str], Channel]

BOTH = pytest.mark.parametrize("name", ["chat", "pager"])


def verdicts(lines: Lines) -> list[tuple[str, str | None]]:
    return [(line["outcome"], line["reason"]) for line in lines("receipt")]


# ---------------------------------------------------------------------------------------------------------------- both
@BOTH
def test_a_notification_is_sent_once_however_often_it_is_delivered(
    channel: Make, receiver: Sink, lines: Lines, name: str
) -> None:
    made, event = channel(name), notification()
    made.deliver(event, event, event)
    assert len(receiver.accepted("/services/hook")) == 1
    assert [outcome for outcome, _ in verdicts(lines)] == ["processed", "duplicate", "duplicate"]


@BOTH
def test_a_retry_after_of_the_receiver_is_observed(
    channel: Make, receiver: Sink, queues: Queues, lines: Lines, name: str
) -> None:
    made, event = channel(name), notification()
    receiver.replies = [Reply(429, {"Retry-After": "77"}, b"slow down")]
    made.deliver(event)
    assert verdicts(lines) == [("retrying", "throttled: the webhook answers 429: slow down")]
    assert queues.inbox_counts() == (0, 1)
    made.deliver(event)
    assert len(receiver.accepted()) == 1


@BOTH
def test_the_message_is_delayed_in_the_queue_as_requested(
    channel: Make, receiver: Sink, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = channel(name)
    waits: list[float] = []
    monkeypatch.setattr("fanout.queue.Queue.retry", lambda _self, _delivery, seconds: waits.append(seconds))
    receiver.replies = [Reply(429, {"Retry-After": "77"}), Reply(503, {"Retry-After": "5"}), Reply(500)]
    made.deliver(notification(), notification(), notification())
    assert waits[:2] == [77.0, 5.0]
    assert 15 <= waits[2] <= 19


@BOTH
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_failing_receiver_is_retried(channel: Make, receiver: Sink, lines: Lines, name: str, status: int) -> None:
    made, event = channel(name), notification()
    receiver.replies = [Reply(status, body=b"")]
    made.deliver(event, event)
    assert [outcome for outcome, _ in verdicts(lines)] == ["retrying", "processed"]
    assert len(receiver.accepted()) == 1


@BOTH
@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 302])
def test_a_refusing_receiver_is_not_retried(
    channel: Make, receiver: Sink, lines: Lines, name: str, status: int
) -> None:
    made = channel(name)
    receiver.replies = [Reply(status, {"Location": f"{receiver.url}/elsewhere"}, b"invalid_payload")]
    made.deliver(notification())
    assert verdicts(lines) == [("rejected", f"refused: the webhook answers {status}: invalid_payload")]
    assert len(receiver.calls) == 1


@BOTH
def test_a_refused_notification_is_dead_lettered_with_its_reason(
    channel: Make, receiver: Sink, queues: Queues, name: str
) -> None:
    made = channel(name)
    receiver.replies = [Reply(404, body=b"no_service")]
    made.deliver(notification())
    [dead_letter] = queues.dead()
    assert dead_letter["reason"] == "refused: the webhook answers 404: no_service"


@pytest.mark.guarantee("personal-data/webhook-secrets")
@BOTH
def test_no_receipt_repeats_a_secret(channel: Make, receiver: Sink, lines: Lines, name: str) -> None:
    made = channel(name)
    receiver.replies = [Reply(400, body=b"routing-key-1 at " + receiver.url.encode() + b"/services/hook is wrong")]
    made.deliver(notification())
    [(_, reason)] = verdicts(lines)
    assert reason == "refused: the webhook answers 400: … at … is wrong"


@BOTH
def test_a_channel_without_a_url_is_switched_off(
    channel: Make, receiver: Sink, queues: Queues, lines: Lines, name: str
) -> None:
    made = channel(name)
    made.configure("{}")
    made.deliver(notification())
    assert verdicts(lines) == [("discarded", "unconfigured: the webhook's secret holds no url")]
    assert queues.dead() == []


@BOTH
@pytest.mark.parametrize(
    "secret",
    [
        "no json",
        '{"url": 7}',
        '{"url": "https://example.com/h", "limit": 9}',
        '{"url": "http://example.com/hook", "routing_key": "k"}',
    ],
)
def test_an_unusable_secret_is_retried_and_not_quoted(channel: Make, lines: Lines, name: str, secret: str) -> None:
    made = channel(name)
    made.configure(secret)
    made.deliver(notification())
    [(outcome, reason)] = verdicts(lines)
    assert outcome == "retrying"
    assert str(reason).startswith("misconfigured: ")
    assert "example.com" not in str(reason)


@BOTH
def test_loopback_addresses_are_called_on_the_local_stage_only(
    channel: Make, receiver: Sink, lines: Lines, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = channel(name)
    monkeypatch.setenv("STAGE", "dev")
    made.deliver(notification())
    [(_, reason)] = verdicts(lines)
    assert reason == "misconfigured: the webhook's url is not called: it does not begin with https://"
    assert receiver.calls == []


@BOTH
def test_a_receiver_that_is_down_is_retried(channel: Make, receiver: Sink, lines: Lines, name: str) -> None:
    made, event = channel(name), notification()
    made.configure(json.dumps({"url": "http://127.0.0.1:9/", "routing_key": "k"}))
    made.deliver(event)
    assert verdicts(lines) == [("retrying", "unreachable: ConnectionRefusedError")]
    made.configure(json.dumps({"url": f"{receiver.url}/hook", "routing_key": "k"}))
    made.deliver(event)
    assert len(receiver.accepted()) == 1


@BOTH
def test_an_event_that_is_not_a_notification_is_rejected_or_discarded(
    channel: Make, receiver: Sink, lines: Lines, name: str
) -> None:
    from .conftest import raised  # noqa: PLC0415

    made = channel(name)
    made.deliver("no event", raised(), notification())
    assert [outcome for outcome, _ in verdicts(lines)] == ["rejected", "discarded", "processed"]
    assert len(receiver.accepted()) == 1


# ---------------------------------------------------------------------------------------------------------------- chat
@pytest.mark.guarantee("hostile-input/chat-mention")
def test_chat_posts_text_without_mentions(channel: Make, receiver: Sink) -> None:
    channel("chat").deliver(notification(subject="[HIGH] <!channel> & co", text="see <https://evil.example|here>"))
    assert receiver.accepted() == [
        {"text": "*[HIGH] &lt;!channel&gt; &amp; co*\nsee &lt;https://evil.example|here&gt;"}
    ]


def test_the_limit_in_the_secret_applies_to_posts(channel: Make, receiver: Sink) -> None:
    made = channel("chat")
    made.configure(json.dumps({"url": f"{receiver.url}/services/hook", "limit": 500}))
    made.deliver(notification(text="x" * 20_000))
    [document] = receiver.accepted()
    assert document == {"text": f"*[HIGH] db: Full*\n{'x' * 479}..."}


@pytest.mark.guarantee("at-most-once/chat-not-repeated")
@pytest.mark.parametrize("reply", [Reply(0), Reply(200, hang=threading.Event())], ids=["hangs up", "no answer"])
def test_a_chat_message_that_may_have_been_posted_is_never_posted_again_automatically(
    channel: Make, receiver: Sink, lines: Lines, monkeypatch: pytest.MonkeyPatch, reply: Reply
) -> None:
    made, event = channel("chat"), notification()
    impatient(monkeypatch)
    receiver.replies = [reply]
    made.deliver(event, event)
    assert next(outcome for outcome, _ in verdicts(lines)) == "rejected"
    assert len(receiver.calls) == 1


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    from fanout.integrations import http  # noqa: PLC0415

    real = http.post_json
    monkeypatch.setattr(http, "post_json", lambda *given, **options: real(*given, **{**options, "timeout": 0.2}))


# --------------------------------------------------------------------------------------------------------------- pager
@pytest.mark.guarantee("exactly-once-effect/incident-key")
def test_the_pager_opens_an_incident_under_its_own_key(channel: Make, receiver: Sink) -> None:
    channel("pager").deliver(notification(runbook_url="https://example.com/runbook", fingerprint="db/full", alerts=3))
    assert receiver.accepted() == [
        {
            "routing_key": "routing-key-1",
            "event_action": "trigger",
            "dedup_key": "i-1",
            "client": "fanout",
            "payload": {
                "summary": "[HIGH] db: Full",
                "source": "db",
                "severity": "error",
                "timestamp": "2026-11-22T12:00:00+00:00",
                "class": "opened",
                "custom_details": {"text": "It is.", "fingerprint": "db/full", "alerts": 3},
            },
            "links": [{"href": "https://example.com/runbook", "text": "Runbook"}],
        }
    ]


def test_a_resolution_closes_the_incident_it_names(channel: Make, receiver: Sink) -> None:
    channel("pager").deliver(
        notification(incident="i-1"), notification(incident="i-2"), notification("resolved", incident="i-1")
    )
    sent = [(document["event_action"], document["dedup_key"]) for document in receiver.accepted()]
    assert sent == [("trigger", "i-1"), ("trigger", "i-2"), ("resolve", "i-1")]


def test_a_trigger_that_arrives_after_the_resolution_opens_nothing(channel: Make, receiver: Sink, lines: Lines) -> None:
    made = channel("pager")
    made.deliver(notification("resolved"), notification("opened"), notification("repeated"))
    assert [document["event_action"] for document in receiver.accepted()] == ["resolve"]
    assert [outcome for outcome, _ in verdicts(lines)] == ["processed", "discarded", "discarded"]


def test_an_incident_that_is_resolved_while_its_trigger_is_under_way_ends_resolved(
    channel: Make, receiver: Sink
) -> None:
    made = channel("pager")
    arrived = threading.Event()
    receiver.replies = [Reply(202, hang=arrived)]
    trigger = threading.Thread(target=made.deliver, args=(notification("opened"),))
    trigger.start()
    while not receiver.calls:
        trigger.join(0.01)
    made.deliver(notification("resolved"))
    arrived.set()
    trigger.join(10)
    assert [document["event_action"] for document in receiver.accepted()] == ["trigger", "resolve", "resolve"]


def test_a_trigger_without_a_response_is_sent_again(
    channel: Make, receiver: Sink, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, event = channel("pager"), notification()
    impatient(monkeypatch)
    receiver.replies = [Reply(0)]
    made.deliver(event, event)
    assert [outcome for outcome, _ in verdicts(lines)] == ["retrying", "processed"]
    assert {document["dedup_key"] for document in receiver.accepted()} == {"i-1"}


def test_a_summary_opens_an_incident_only_for_alerts_without_one(channel: Make, receiver: Sink, lines: Lines) -> None:
    channel("pager").deliver(notification("summary", incident="storm"), notification("summary", held_back=2))
    assert [outcome for outcome, _ in verdicts(lines)] == ["discarded", "processed"]
    assert [document["dedup_key"] for document in receiver.accepted()] == ["i-1"]


def test_a_pager_without_a_routing_key_waits_for_one(channel: Make, receiver: Sink, lines: Lines) -> None:
    made = channel("pager")
    made.configure(json.dumps({"url": f"{receiver.url}/hook"}))
    made.deliver(notification())
    assert verdicts(lines) == [("retrying", "misconfigured: the webhook's secret holds no routing_key")]


@pytest.mark.parametrize(
    ("severity", "theirs"), [("CRITICAL", "critical"), ("HIGH", "error"), ("MEDIUM", "warning"), ("LOW", "info")]
)
def test_the_pager_s_severity_follows_the_alert_s(channel: Make, receiver: Sink, severity: str, theirs: str) -> None:
    channel("pager").deliver(notification(severity=severity))
    assert receiver.accepted()[0]["payload"]["severity"] == theirs
