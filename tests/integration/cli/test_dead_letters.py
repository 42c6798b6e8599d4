"""Dead letters on the whole application: listed with a reason, read, fixed, redriven to one effect; pauses."""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fanout.contracts.team_events import TeamMessagePosted
from fanout.event import Event, encode
from fanout.testing import failed_invocation, notification, sns_record
from tests.integration.application import BIN, Application
from tests.integration.test_team_events import feeds
from tests.waiting import until

TEAM_A, TEAM_B, BROADCAST = "team_events/team_a", "team_events/team_b", "team_events/broadcast"
FEEDS = {TEAM_A: "feed#team_a", TEAM_B: "feed#team_b", BROADCAST: "feed#everyone"}
INTERRUPTED_AFTER = 15


def posted(text: str) -> Event[TeamMessagePosted]:
    return Event.new(TeamMessagePosted(text=text, author="Ada"), source="urn:test:dlq")


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def held_and_visible(application: Application, subscriber: str, queue: str = "dead_letter_url") -> int:
    url = getattr(application.subscriber(subscriber), queue)
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = application.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(each) for each in found.values())


def listed(application: Application, event_id: str) -> dict[str, str]:
    """The reason of each subscriber's dead letter about an event."""
    rows = lines(application.fanout("dlq", "list", "--use-case", "team_events", "--each", "--json").stdout)
    return {each["subscriber"]: each["reason"] for each in rows if each["event_id"] == event_id}


def test_poison_is_listed_read_and_after_a_fix_redriven_to_one_effect_at_the_same_subscriber_only(
    application: Application,
) -> None:
    event = posted("parked")
    body = encode(event)
    digest = hashlib.sha256(body).hexdigest()
    stub = event.with_data({"audience": []}, claimcheck=digest)
    application.publish_text("TeamEvents", encode(stub).decode())
    assert application.outcomes(event.id) == dict.fromkeys(FEEDS, "rejected")
    reasons = listed(application, event.id)
    assert set(reasons) == set(FEEDS)
    assert all(reason.startswith("claim-check-missing: ") for reason in reasons.values())
    bucket = application.subscriber(TEAM_A).environment["FANOUT_CLAIM_CHECK_BUCKET"]
    for subscriber in (TEAM_A, BROADCAST):
        shown = application.fanout("dlq", "show", subscriber, "--id", event.id).stdout
        assert f"s3://{bucket}/team_events/{digest}" in shown
        assert reasons[subscriber] in shown
        assert '"specversion": "1.0"' in shown

    application.client("s3").put_object(Bucket=bucket, Key=f"team_events/{digest}", Body=body)
    preview = application.fanout("dlq", "redrive", TEAM_A, "--id", event.id, "--dry-run")
    assert "1  claim-check-missing" in preview.stdout
    assert feeds(application, {event.id}) == {}, "a dry run does nothing"
    for subscriber in (TEAM_A, BROADCAST):
        done = application.fanout("dlq", "redrive", subscriber, "--reason", "claim-check", "--id", event.id, "--yes")
        assert f"{subscriber}: redriven 1, skipped 0, failed 0" in done.stdout
    # The other subscriber got nothing: its dead letter is there as before.
    until(lambda: feeds(application, {event.id}) == {FEEDS[TEAM_A]: 1, FEEDS[BROADCAST]: 1}, "one effect each")
    assert set(listed(application, event.id)) == {TEAM_B}
    again = application.fanout("dlq", "redrive", TEAM_A, "--id", event.id, "--yes", check=1)
    assert f"no such dead letter: {event.id}" in again.stderr
    purged = application.fanout("dlq", "purge", TEAM_B, "--id", event.id, "--yes")
    assert "deleted 1" in purged.stdout
    assert listed(application, event.id) == {}


def test_the_record_of_a_killed_direct_function_comes_back_as_its_event(application: Application) -> None:
    event = posted("killed")
    record = failed_invocation(sns_record(event))
    url = application.subscriber(BROADCAST).dead_letter_url
    application.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(record))
    assert listed(application, event.id)[BROADCAST].startswith("function failed: ")
    application.fanout("dlq", "redrive", BROADCAST, "--id", event.id, "--yes")
    until(lambda: feeds(application, {event.id}) == {FEEDS[BROADCAST]: 1}, "the effect")
    assert listed(application, event.id) == {}


def test_a_redrive_that_is_killed_in_the_middle_loses_nothing(application: Application) -> None:
    events = [posted(str(number)) for number in range(80)]
    subscriber = application.subscriber(TEAM_A)
    application.purge_dead_letters(TEAM_A)
    reason = {"DataType": "String", "StringValue": "rejected-by-a-test: on purpose"}
    outcome = {"DataType": "String", "StringValue": "rejected"}
    for first in range(0, len(events), 10):
        entries = [
            {
                "Id": str(number),
                "MessageBody": json.dumps(notification(event)),
                "MessageAttributes": {"outcome": outcome, "reason": reason},
            }
            for number, event in enumerate(events[first : first + 10])
        ]
        application.client("sqs").send_message_batch(QueueUrl=subscriber.dead_letter_url, Entries=entries)

    command = [str(BIN / "fanout"), "dlq", "redrive", TEAM_A, "--all", "--yes", "--json", "--rate", "30/s"]
    environment = {**os.environ, "FANOUT_STATE": str(application.state), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(INTERRUPTED_AFTER)]
        process.kill()
    assert all('"redriven"' in line for line in said)
    left = held_and_visible(application, TEAM_A)
    assert 0 < left <= len(events) - INTERRUPTED_AFTER

    # The messages that the killed process had received become visible after moments.
    while held_and_visible(application, TEAM_A):
        application.fanout("dlq", "redrive", TEAM_A, "--all", "--yes", "--rate", "none", check=None)
    ids = {event.id for event in events}
    until(lambda: feeds(application, ids)[FEEDS[TEAM_A]] == len(ids), "every effect, once")
    until(lambda: held_and_visible(application, TEAM_A, "inbox_url") == 0, "an empty inbox")
    assert feeds(application, ids) == {FEEDS[TEAM_A]: len(ids)}
    assert held_and_visible(application, TEAM_A) == 0


@contextmanager
def paused(application: Application, subscriber: str) -> Iterator[None]:
    """Within the block the subscriber is paused."""
    application.fanout("pause", subscriber)
    try:
        yield
    finally:
        application.fanout("resume", subscriber)


def state(application: Application, subscriber: str) -> str:
    status = json.loads(application.fanout("status", "--json").stdout)
    return next(
        each["state"]
        for use_case in status["use_cases"]
        for each in use_case["subscribers"]
        if each["subscriber"] == subscriber
    )


@pytest.mark.parametrize("subscriber", [TEAM_A, BROADCAST], ids=["inbox", "direct"])
def test_a_pause_holds_every_event_in_the_inbox_and_resuming_delivers_them_all(
    application: Application, subscriber: str
) -> None:
    functions, name = application.client("lambda"), application.subscriber(subscriber).function_name
    before = asynchronous(application) if subscriber == BROADCAST else None
    events = [posted(f"while {subscriber} is paused") for _ in range(25)]
    ids = {event.id for event in events}
    others = {feed: len(ids) for name, feed in FEEDS.items() if name != subscriber}
    with paused(application, subscriber):
        assert state(application, subscriber) == "paused"
        application.publish("TeamEvents", events)
        until(lambda: held_and_visible(application, subscriber, "inbox_url") == len(ids), "all wait in the inbox")
        until(lambda: feeds(application, ids) == others, "the effects of the other subscribers only")
        assert application.receipts(subscriber, list(ids)) == []
    until(lambda: feeds(application, ids) == dict.fromkeys(FEEDS.values(), len(ids)), "every effect, once")
    assert {entry.outcome for entry in application.receipts(subscriber, list(ids))} == {"processed"}
    assert "is not paused" in application.fanout("resume", subscriber).stdout
    if before:
        assert asynchronous(application) == before
        arn = functions.get_function_configuration(FunctionName=name)["FunctionArn"]
        assert not [tag for tag in functions.list_tags(Resource=arn)["Tags"] if tag.startswith("fanout:before-pause")]


def asynchronous(application: Application) -> dict[str, Any]:
    """How the direct subscriber is invoked by SNS."""
    functions, name = application.client("lambda"), application.subscriber(BROADCAST).function_name
    found = functions.get_function_event_invoke_config(FunctionName=name)
    names = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds")
    return {each: found[each] for each in names} | {
        "OnFailure": found["DestinationConfig"]["OnFailure"],
        "concurrency": functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions"),
    }
