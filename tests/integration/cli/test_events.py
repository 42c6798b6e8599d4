"""Publishing, tracing and reading the archive with the command, on the whole application."""

import json
from typing import Any

import pytest

from fanout.identity import new_id
from tests.integration.application import Application
from tests.waiting import until

TYPE = "team.message.posted.v1"
SAMPLE = "events/team_events/valid/ordinary.json"
TEAM = ["team_events/broadcast", "team_events/team_a", "team_events/team_b"]
MESSAGE = json.dumps({"text": "Lunch at noon", "author": "Maya Lindqvist"})


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def trace(application: Application, key: str, *options: str, check: int = 0) -> dict[str, Any]:
    found = json.loads(application.fanout("trace", key, "--wait", "30", "--json", *options, check=check).stdout)
    assert isinstance(found, dict)
    return found


def outcomes(found: dict[str, Any]) -> dict[str, str]:
    return {each["subscriber"]: each["outcome"] for each in found["deliveries"]}


def test_each_published_event_is_printed_and_traced_to_every_subscriber(application: Application) -> None:
    printed = lines(application.fanout("publish", "team_events", SAMPLE, "--count", "3", "--json").stdout)
    assert [set(each) for each in printed] == [{"event_id", "type", "topic"}] * 3
    assert len({each["event_id"] for each in printed}) == 3
    assert {each["type"] for each in printed} == {TYPE}
    assert all("TeamEvents" in each["topic"] for each in printed)
    found = trace(application, printed[0]["event_id"])
    assert set(found) == {"event_id", "type", "topic", "published_at", "deliveries"}
    assert (found["event_id"], found["type"], found["topic"]) == tuple(printed[0].values())
    assert found["published_at"]
    assert outcomes(found) == dict.fromkeys(TEAM, "processed")
    for delivery in found["deliveries"]:
        assert set(delivery) == {"subscriber", "outcome", "attempts", "latency_ms", "reason"}
        assert delivery["attempts"] == 1
        assert delivery["latency_ms"] >= 0
    for each in printed[1:]:
        assert application.outcomes(each["event_id"]) == dict.fromkeys(TEAM, "processed")


def test_bare_data_from_standard_input_is_published_as_an_event(application: Application) -> None:
    result = application.fanout(
        "publish", "team_events", "-", "--type", TYPE, "--json", input=f"{MESSAGE}\n{MESSAGE}\n"
    )
    printed = lines(result.stdout)
    assert len(printed) == 2
    assert outcomes(trace(application, printed[1]["event_id"])) == dict.fromkeys(TEAM, "processed")


def test_one_bad_line_keeps_everything_back(application: Application) -> None:
    event = {
        "specversion": "1.0",
        "id": new_id(),
        "source": "urn:test:cli",
        "type": TYPE,
        "data": json.loads(MESSAGE),
    }
    text = f"{json.dumps(event)}\n{json.dumps({**event, 'data': {'text': 'x'}})}\n"
    result = application.fanout("publish", "team_events", "-", "--json", input=text, check=1)
    assert result.stdout == ""
    assert "standard input, line 2" in result.stderr
    assert "author" in result.stderr
    assert trace(application, event["id"], "--wait", "0", check=1)["deliveries"] == []


def test_the_same_event_twice_is_traced_as_processed(application: Application) -> None:
    event_id = new_id()
    event = {"specversion": "1.0", "id": event_id, "source": "urn:test:cli", "type": TYPE, "data": json.loads(MESSAGE)}
    application.fanout("publish", "team_events", "-", input=json.dumps([event, event]))
    assert outcomes(trace(application, event_id)) == dict.fromkeys(TEAM, "processed")


def test_a_message_for_one_team_is_discarded_by_the_other_with_the_reason(application: Application) -> None:
    data = json.dumps({**json.loads(MESSAGE), "audience": ["team_a"]})
    [printed] = lines(application.fanout("publish", "team_events", "-", "--type", TYPE, "--json", input=data).stdout)
    found = trace(application, printed["event_id"])
    assert outcomes(found)["team_events/team_b"] == "discarded"
    assert "not-addressed" in found["deliveries"][2]["reason"]


def test_plain_text_by_a_foreign_client_is_traced_by_its_message_id(application: Application) -> None:
    message_id = application.publish_text("TeamEvents", "hello")
    assert outcomes(trace(application, message_id)) == dict.fromkeys(TEAM, "processed")


def test_a_cloud_event_by_a_foreign_client_is_found_by_its_message_id_too(application: Application) -> None:
    event = {"specversion": "1.0", "id": new_id(), "source": "urn:test:cli", "type": TYPE, "data": json.loads(MESSAGE)}
    message_id = application.publish_text("TeamEvents", json.dumps(event))
    found = trace(application, message_id)
    assert found["event_id"] == event["id"]
    assert outcomes(found) == dict.fromkeys(TEAM, "processed")


@pytest.mark.parametrize("text", ['{"broken": ', '{"no": "event"}', '{"id": 5}'])
def test_poison_is_traced_as_rejected_everywhere_and_ends_with_1(application: Application, text: str) -> None:
    found = trace(application, application.publish_text("TeamEvents", text), check=1)
    assert outcomes(found) == dict.fromkeys(TEAM, "rejected")
    assert found["event_id"] is None
    assert all("invalid-event" in each["reason"] for each in found["deliveries"])


def test_a_body_that_is_not_an_event_but_has_an_id_is_found_by_that_id(application: Application) -> None:
    event_id = f"poison-{new_id()}"
    application.publish_text("TeamEvents", json.dumps({"id": event_id}))
    assert outcomes(trace(application, event_id, check=1)) == dict.fromkeys(TEAM, "rejected")


def test_what_the_runtime_never_saw_is_dead_lettered(application: Application) -> None:
    event_id = new_id()
    url = application.subscriber("team_events/team_a").dead_letter_url
    body = json.dumps({"specversion": "1.0", "id": event_id, "source": "urn:test:cli", "type": TYPE, "data": {}})
    application.client("sqs").send_message(QueueUrl=url, MessageBody=body)
    found = trace(application, event_id, "--wait", "0", check=1)
    assert outcomes(found)["team_events/team_a"] == "dead-lettered"
    visible = application.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert visible["ApproximateNumberOfMessagesNotVisible"] == "0", "a peek must not hide"


def test_an_unknown_event_exits_with_1_and_names_the_stack(application: Application) -> None:
    result = application.fanout("trace", new_id(), "--json", check=1)
    assert json.loads(result.stdout)["deliveries"] == []
    assert "has no receipt and no dead letter" in result.stderr
    assert "Raw delivery hides SNS's MessageId" in result.stderr


def log_entry(service: str, level: str, message: str) -> str:
    return json.dumps({"service": service, "level": level, "message": message})


def test_a_log_entry_below_warning_is_filtered_at_monitor(application: Application) -> None:
    data = log_entry("cli-filter", "INFO", "all is well")
    printed = lines(
        application.fanout("publish", "application_logs", "-", "--type", "log.entry.v1", "--json", input=data).stdout
    )
    found = trace(application, printed[0]["event_id"])
    assert outcomes(found) == {"application_logs/archive": "processed", "application_logs/monitor": "filtered"}
    assert [each["attempts"] for each in found["deliveries"]] == [1, None]


def test_the_archive_gives_each_entry_once_and_only_what_was_asked_for(application: Application) -> None:
    service = f"cli-{new_id()}"
    entries = [
        {
            "specversion": "1.0",
            "id": new_id(),
            "source": "urn:test:cli",
            "type": "log.entry.v1",
            "time": f"2026-11-22T12:{number:02}:00Z",
            "data": {"service": service, "level": "INFO", "message": f"line {number} of Zoë"},
        }
        for number in range(30)
    ]
    again = entries[:5]
    application.fanout("publish", "application_logs", "-", input=json.dumps(entries))
    application.fanout("publish", "application_logs", "-", input=json.dumps(again))

    def archived(*options: str) -> list[str]:
        read = application.fanout("logs", "read", "--service", service, "--json", *options)
        return [each["data"]["message"] for each in lines(read.stdout)]

    messages = [entry["data"]["message"] for entry in entries]  # type: ignore[index]
    assert until(lambda: archived() == messages, "all entries are archived, by time, each once", seconds=60)
    assert archived("--from", "2026-11-22T12:10:00Z", "--to", "2026-11-22T12:12:00Z") == messages[10:12]
    assert archived("--from", "2026-11-23") == []


def test_status_shows_every_subscriber_and_its_queues(application: Application) -> None:
    found = json.loads(application.fanout("status", "--json").stdout)
    assert found["deployed"] is True
    assert found["engine"]["port"] == int(application.endpoint.rsplit(":", 1)[1])
    names = [each["subscriber"] for use_case in found["use_cases"] for each in use_case["subscribers"]]
    assert names == sorted(application.topology.subscribers)
    assert all(
        set(each) == {"subscriber", "function", "state", "waiting", "in_flight", "delayed", "dead_letters"}
        for use_case in found["use_cases"]
        for each in use_case["subscribers"]
    )


def test_a_use_case_can_be_addressed_as_a_stack_of_its_own(application: Application) -> None:
    resources = application.client("cloudformation").list_stack_resources(StackName="fanout")
    alone = next(
        each["PhysicalResourceId"]
        for each in resources["StackResourceSummaries"]
        if each["LogicalResourceId"] == "TeamEvents"
    )
    found = json.loads(application.fanout("status", "--stack-name", alone, "--json").stdout)
    assert [each["use_case"] for each in found["use_cases"]] == ["team_events"]
    refused = application.fanout("publish", "application_logs", "-", "--type", "log.entry.v1", "--stack-name", alone,
                                 input=log_entry("s", "INFO", "m"), check=1)  # fmt: skip
    assert "ApplicationLogs is not deployed" in refused.stderr
    assert "deployed: team_events" in refused.stderr
