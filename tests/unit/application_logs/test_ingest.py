"""Ingest: what CloudWatch Logs sends becomes log entries, the same ones every time, and never our own."""

import base64
import gzip
import json
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import pytest

from application_logs.handlers import ingest as ingest_module
from fanout.contracts.application_logs import LogEntry
from fanout.event import Event
from fanout.publisher import PublishError
from fanout.testing import ACCOUNT, REGION, LambdaContext
from tests.unit.conftest import Topic, sample_payload

REQUEST = "4e0a1f3c-4c1d-4a5e-9d0b-3a4f5b6c7d8e"
AT = "2026-11-22T12:00:00.123Z"


def payload(*messages: str, group: str = "/aws/lambda/checkout", kind: str = "DATA_MESSAGE") -> dict[str, Any]:
    """What CloudWatch Logs invokes its target with."""
    document = {
        "messageType": kind,
        "owner": ACCOUNT,
        "logGroup": group,
        "logStream": "2026/11/22/[7]0a1b2c",
        "subscriptionFilters": ["fanout"],
        "logEvents": [
            {"id": f"3852{number:052}", "timestamp": 1795348800123 + number, "message": message}
            for number, message in enumerate(messages)
        ],
    }
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()}}


@pytest.fixture
def topic(cloud: None) -> Topic:
    """The topic of the log entries."""
    return Topic("ApplicationLogs")


def published(topic: Topic) -> list[Event[LogEntry]]:
    """Return the entries published since the last call, by id."""
    return sorted(topic.events("application_logs"), key=lambda event: event.id)


@pytest.fixture
def ingest(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("APPLICATION_LOGS_TOPIC_ARN", topic.arn)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_LAMBDA_LOG_GROUP_NAME", "logs-of-this-function")
    return ingest_module


def test_a_line_becomes_an_entry_with_the_identity_cloudwatch_gave_it(ingest: ModuleType, topic: Topic) -> None:
    sent = payload("hello", "world")
    assert ingest.handler(sent, LambdaContext()) == {"published": 2}
    first, second = published(topic)
    assert first.id == f"3852{0:052}"
    assert first.source == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/checkout"
    assert first.time == datetime(2026, 11, 22, 12, 0, 0, 123000, tzinfo=UTC)
    assert first.data.service == "checkout"
    assert first.data.message == "hello"
    assert first.data.context == {"log_group": "/aws/lambda/checkout", "log_stream": "2026/11/22/[7]0a1b2c"}
    assert ingest.handler(sent, LambdaContext()) == {"published": 2}
    assert [event.identity for event in published(topic)] == [first.identity, second.identity]


def test_a_line_of_powertools_keeps_its_service_trace_and_fields(ingest: ModuleType, topic: Topic) -> None:
    line = {
        "level": "ERROR",
        "location": "pay:12",
        "message": "declined",
        "timestamp": "2026-11-22 12:00:00,123+0000",
        "service": "payment",
        "xray_trace_id": "1-5759e988-bd862e3fe1be46a994272793",
        "order_id": "o-1",
        "exception": "Traceback ...",
    }
    ingest.handler(payload(json.dumps(line), json.dumps({**line, "service": "service_undefined"})), LambdaContext())
    first, second = published(topic)
    assert (first.data.service, second.data.service) == ("payment", "checkout")
    assert first.data.trace_id == "1-5759e988-bd862e3fe1be46a994272793"
    assert first.data.context["order_id"] == "o-1"
    assert first.data.context["exception"] == "Traceback ..."
    assert first.data.context["log_group"] == "/aws/lambda/checkout"


def test_lambdas_own_json_keeps_request_and_error(ingest: ModuleType, topic: Topic) -> None:
    line = {
        "timestamp": AT,
        "level": "ERROR",
        "message": "division by zero",
        "logger": "root",
        "requestId": REQUEST,
        "errorType": "ZeroDivisionError",
        "stackTrace": ["  File ..."],
    }
    ingest.handler(payload(json.dumps(line)), LambdaContext())
    [event] = published(topic)
    assert event.data.logger == "root"
    assert event.data.context["requestId"] == REQUEST
    assert event.data.context["errorType"] == "ZeroDivisionError"


def test_the_sample_payload_holds_the_sample_entries(ingest: ModuleType, topic: Topic) -> None:
    assert ingest.handler(sample_payload("application_logs", "ingest-lines"), LambdaContext()) == {"published": 3}
    found = [(each.data.service, each.data.level, each.data.message) for each in published(topic)]
    assert found == [
        ("checkout", "INFO", "Basket 4711 paid"),
        ("search", "WARNING", "Index is 90 s behind"),
        ("checkout", "ERROR", "Payment provider did not answer"),
    ]


def test_a_control_message_publishes_nothing(ingest: ModuleType, topic: Topic) -> None:
    sent = payload("CWL CONTROL MESSAGE: Checking health of destination Lambda function.", kind="CONTROL_MESSAGE")
    assert ingest.handler(sent, LambdaContext()) == {"published": 0}
    assert published(topic) == []


@pytest.mark.parametrize(
    "group",
    ["fanout-TeamEvents-1A2B3C-FanoutLogGroup-4D5E6F", "fanout-prod-X-FanoutLogGroup-Y", "logs-of-this-function"],
)
def test_the_applications_own_log_groups_are_refused(
    group: str, ingest: ModuleType, topic: Topic, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        assert ingest.handler(payload('{"level": "ERROR", "message": "loop"}', group=group), LambdaContext()) == {
            "published": 0
        }
    assert published(topic) == []
    [warning] = [record for record in caplog.records if record.message.startswith("refused")]
    assert warning.__dict__["log_group"] == group, "logged once: a line per payload would be the next payload"


def test_a_failed_publish_is_raised_so_that_lambda_keeps_the_payload(ingest: ModuleType, topic: Topic) -> None:
    topic.delete()
    with pytest.raises(PublishError, match="2 of 2 events not published"):
        ingest.handler(payload("one", "two"), LambdaContext())


def test_a_lone_surrogate_in_a_line_loses_no_line(ingest: ModuleType, topic: Topic) -> None:
    ingest.handler(payload("ERROR \ud83d", '{"level":"error","message":"\ud83d"}', "fine"), LambdaContext())
    first, second, third = (event.data for event in published(topic))
    assert (first.level, first.message) == ("ERROR", "ERROR \\ud83d")
    assert (second.level, second.message) == ("ERROR", "\\ud83d")
    assert third.message == "fine"


def test_a_line_as_long_as_cloudwatch_allows_is_cut_and_published(ingest: ModuleType, topic: Topic) -> None:
    ingest.handler(payload("x" * 1_048_000, json.dumps({"level": "ERROR", "blob": "y" * 1_000_000})), LambdaContext())
    first, second = published(topic)
    assert first.data.message.endswith("characters cut off]")
    assert second.data.level == "ERROR"


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({}, id="empty"),
        pytest.param({"awslogs": {}}, id="no data"),
        pytest.param({"awslogs": {"data": "%%%"}}, id="data that is not base64"),
        *(
            pytest.param({"awslogs": {"data": base64.b64encode(packed).decode()}}, id=name)
            for name, packed in {
                "data that is not gzip": b"no gzip",
                "broken JSON": gzip.compress(b"{"),
                "an empty object": gzip.compress(b"{}"),
                "an array": gzip.compress(b"[]"),
                "bytes that are not UTF-8": gzip.compress(b"\xff"),
                "deeply nested JSON": gzip.compress(b"[" * 100_000),
                "gzip that is cut": gzip.compress(b"{}")[:-9],
                # It must not fill the function's memory.
                "a gzip bomb": gzip.compress(b" " * (33 << 20), compresslevel=1),
            }.items()
        ),
    ],
)
def test_an_invalid_payload_is_refused_with_a_reason(broken: dict[str, Any], ingest: ModuleType) -> None:
    with pytest.raises(ValueError, match="not a payload of CloudWatch Logs"):
        ingest.handler(broken, LambdaContext())
