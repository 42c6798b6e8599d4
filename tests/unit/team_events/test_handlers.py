"""team_events: each feed has each message once, for every publisher and format."""

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from fanout.contracts.team_events import Team, TeamMessagePosted
from fanout.event import Event
from fanout.testing import LambdaContext, envelope_record, lambda_event, sns_record, sqs_record
from team_events.handlers import broadcast, team_a, team_b

from ..conftest import Deployed, Queues

Items = Callable[[str], list[dict[str, Any]]]
Lines = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def feed_table(queues: Queues, make_table: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEED_TABLE", make_table("feeds"))


def message(text: str = "hi", *audience: Team) -> Event[TeamMessagePosted]:
    return Event.new(TeamMessagePosted(text=text, author="Ada", audience=audience), source="urn:test")


def feeds(items: Items) -> list[tuple[str, str]]:
    return sorted((item["pk"], item["text"]) for item in items("feeds"))


def deliver(module: ModuleType, *records: dict[str, Any]) -> Any:
    return module.handler(lambda_event(records), LambdaContext())


def test_a_message_for_one_team_is_in_its_feed_and_everyones_only(deployed: Deployed, items: Items) -> None:
    sent = message("hi", "team_b")
    deliver(deployed(team_a), envelope_record(sent))
    deliver(deployed(team_b), envelope_record(sent))
    deliver(deployed(broadcast), sns_record(sent))
    assert feeds(items) == [("feed#everyone", "hi"), ("feed#team_b", "hi")]


def test_a_duplicate_leaves_one_item(deployed: Deployed, items: Items, lines: Lines) -> None:
    sent = message()
    deliver(deployed(team_a), envelope_record(sent), envelope_record(sent))
    assert feeds(items) == [("feed#team_a", "hi")]
    assert [receipt["outcome"] for receipt in lines("receipt")] == ["processed", "duplicate"]


@pytest.mark.parametrize(
    "text", ["hello", "héllo 👋", "[1, 2]", "[]", "[draft] hi", '["a", {}]', '"quoted"', "  spaced", "null"]
)
def test_plain_text_published_by_hand_becomes_a_message_with_snss_identity(
    text: str, deployed: Deployed, items: Items, lines: Lines
) -> None:
    record = sns_record(text, topic="TeamEvents")
    deliver(deployed(broadcast), record)
    [item] = items("feeds")
    assert (item["text"], item["event_id"]) == (text, record["Sns"]["MessageId"])
    [receipt] = lines("receipt")
    assert (receipt["source"], receipt["message_id"]) == (record["Sns"]["TopicArn"], record["Sns"]["MessageId"])


@pytest.mark.parametrize(
    "text", ["{broken", "{}", '{"text": "hi"}', ' {"specversion": "1.0"}', '\ufeff{"specversion": "1.0"}']
)
def test_a_text_that_begins_like_json_and_is_not_an_event_is_rejected(
    text: str, deployed: Deployed, items: Items, lines: Lines
) -> None:
    deliver(deployed(team_b), envelope_record(text))
    assert [receipt["outcome"] for receipt in lines("receipt")] == ["rejected"]
    assert items("feeds") == []


@pytest.mark.parametrize(
    "text",
    [
        '[{"specversion": "1.0", "type": "a", "id": "1"}, {"specversion": "1.0", "type": "a", "id": "2"}]',
        ' \n[{"specversion": "1.0"}]',
        '["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": "b", "s3Key": "k"}]',
        '["com.amazon.sqs.javamessaging.MessageS3Pointer", {"s3BucketName": "b", "s3Key": "k"}]',
    ],
    ids=["batch", "batch of one", "pointer", "old pointer"],
)
def test_a_batch_and_a_pointer_to_s3_are_rejected_with_a_reason_and_appear_in_no_feed(
    text: str, deployed: Deployed, items: Items, lines: Lines
) -> None:
    deliver(deployed(team_b), envelope_record(text))
    [receipt] = lines("receipt")
    assert receipt["outcome"] == "rejected"
    assert receipt["reason"].startswith(("invalid-event: a batch of CloudEvents", "invalid-event: a pointer"))
    assert items("feeds") == []


def test_plain_text_without_the_envelope_is_rejected_because_it_has_no_identity(
    deployed: Deployed, lines: Lines
) -> None:
    deliver(deployed(team_a), sqs_record("hello"))
    assert [receipt["outcome"] for receipt in lines("receipt")] == ["rejected"]


def test_the_event_of_the_source_documents_first_handler_passes_through(deployed: Deployed, items: Items) -> None:
    """`for record in event['Records']: sns_message = record['Sns']['Message']`: SNS invokes the function."""
    event = {"Records": [sns_record("Hello from the console")]}
    assert event["Records"][0]["Sns"]["Message"] == "Hello from the console"
    deployed(broadcast).handler(event, LambdaContext())
    assert feeds(items) == [("feed#everyone", "Hello from the console")]


def test_the_event_of_the_source_documents_second_handler_passes_through(deployed: Deployed, items: Items) -> None:
    """`print(event['Records'][0]['body'])`: the queue of Team A invokes the function."""
    event = {"Records": [envelope_record("Event for Team A")]}
    assert json.loads(event["Records"][0]["body"])["Message"] == "Event for Team A"
    deployed(team_a).handler(event, LambdaContext())
    assert feeds(items) == [("feed#team_a", "Event for Team A")]


def test_a_text_that_no_item_can_hold_is_rejected_instead_of_retried_for_two_hours(
    deployed: Deployed, items: Items, lines: Lines
) -> None:
    deliver(deployed(team_a), sqs_record(message("é" * 200_000)))
    [receipt] = lines("receipt")
    assert (receipt["outcome"], receipt["reason"].partition(":")[0]) == ("rejected", "too-large")
    assert items("feeds") == []
