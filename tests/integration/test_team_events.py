"""team_events on the engine: for every publisher and format, every subscriber has its effect once."""

import json
import subprocess
import uuid
from collections import Counter

from fanout.contracts.team_events import TeamMessagePosted
from fanout.event import Event
from tests.integration.application import ROOT, Application
from tests.waiting import until

EVERYONE = {"team_events/team_a", "team_events/team_b", "team_events/broadcast"}


def feeds(application: Application, event_ids: set[str]) -> Counter[str]:
    """How many items each feed has of some events."""
    table = application.subscriber("team_events/team_a").environment["FEED_TABLE"]
    return Counter(item["pk"] for item in application.items(table) if item["event_id"] in event_ids)


def message(text: str = "hi", **fields: object) -> Event[TeamMessagePosted]:
    return Event.new(TeamMessagePosted(text=text, author="Ada", **fields), source="urn:test")  # type: ignore[arg-type]


def test_a_plain_text_from_a_foreign_client_reaches_every_subscriber(application: Application) -> None:
    message_id = application.publish_text("TeamEvents", "hello")
    assert application.outcomes(message_id) == dict.fromkeys(EVERYONE, "processed")
    assert feeds(application, {message_id}) == {"feed#team_a": 1, "feed#team_b": 1, "feed#everyone": 1}


def test_an_event_published_with_the_aws_cli_without_attributes_reaches_its_subscribers(
    application: Application,
) -> None:
    event_id = str(uuid.uuid4())
    body = {
        "specversion": "1.0",
        "id": event_id,
        "source": "urn:test:aws-cli",
        "type": "team.message.posted.v1",
        "data": {"text": "hi", "author": "Ada", "audience": ["team_b"]},
    }
    subprocess.run(
        ["aws", "sns", "publish", "--topic-arn", application.topic("TeamEvents"), "--message", json.dumps(body)],
        env=application.environment(),
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    assert application.outcomes(event_id) == {
        "team_events/team_a": "discarded",
        "team_events/team_b": "processed",
        "team_events/broadcast": "processed",
    }
    assert feeds(application, {event_id}) == {"feed#team_b": 1, "feed#everyone": 1}


def test_an_event_published_three_times_has_one_effect_per_subscriber(application: Application) -> None:
    event = message()
    application.publish("TeamEvents", [event] * 3)
    until(
        lambda: all(len(application.receipts(name, [event.id])) >= 3 for name in EVERYONE),
        "three receipts of each subscriber",
        seconds=90,
    )
    assert feeds(application, {event.id}) == {"feed#team_a": 1, "feed#team_b": 1, "feed#everyone": 1}
    outcomes = Counter(receipt.outcome for name in EVERYONE for receipt in application.receipts(name, [event.id]))
    assert outcomes == {"processed": 3, "duplicate": 6}


def test_an_invalid_event_is_dead_lettered_by_every_subscriber_with_its_reason_and_affects_no_other(
    application: Application,
) -> None:
    poison = str(uuid.uuid4())
    broken = {"specversion": "1.0", "id": poison, "source": "s", "type": "team.message.posted.v1", "data": {"text": 7}}
    good = [message() for _ in range(9)]
    application.publish("TeamEvents", good[:5])
    application.publish_text("TeamEvents", json.dumps(broken))
    application.publish("TeamEvents", good[5:])
    assert application.outcomes(poison) == dict.fromkeys(EVERYONE, "rejected")
    for event in good:
        assert application.outcomes(event.id) == dict.fromkeys(EVERYONE, "processed")
    for name in EVERYONE:
        [dead_letter] = [each for each in application.dead_letters(name) if each.get("event_id") == poison]
        assert "$.data.text" in dead_letter["reason"]


def test_a_function_is_refused_what_its_role_does_not_name(application: Application) -> None:
    """Refused is not lost: the event is retried, and handled once the role is fixed."""
    iam = application.client("iam")
    function = application.subscriber("team_events/team_a").function_name
    role = application.client("lambda").get_function_configuration(FunctionName=function)["Role"].rsplit("/", 1)[-1]
    policy = {"RoleName": role, "PolicyName": "HandleMessages"}
    granted = iam.get_role_policy(**policy)["PolicyDocument"]
    others = [each for each in granted["Statement"] if each["Sid"] != "UseTable"]
    assert len(others) == len(granted["Statement"]) - 1
    iam.put_role_policy(**policy, PolicyDocument=json.dumps({**granted, "Statement": others}))
    event = message()
    try:
        application.publish("TeamEvents", [event])
        receipt = until(
            lambda: application.receipts("team_events/team_a", [event.id]), "team_a is refused its table", seconds=90
        )[0]
        assert (receipt.outcome, receipt.reason) == ("retrying", "ClientError (AccessDeniedException)")
        assert feeds(application, {event.id})["feed#team_a"] == 0
    finally:
        iam.put_role_policy(**policy, PolicyDocument=json.dumps(granted))
    assert application.outcomes(event.id)["team_events/team_a"] == "processed"
