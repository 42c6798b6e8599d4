"""The stores of application_logs in moto, and log entries to put through its functions."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import boto3
import pytest

from application_logs.handlers import archive as archive_module
from application_logs.handlers import monitor as monitor_module
from fanout.contracts.application_logs import LogEntry
from fanout.event import Event
from fanout.testing import REGION, LambdaContext, lambda_event, sqs_record

from ..conftest import Queues, Topic

NOON = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)


def entry(
    level: Any = "ERROR", *, service: str = "checkout", time: datetime = NOON, message: str = "boom", **attributes: Any
) -> Event[LogEntry]:
    """A log entry as an event."""
    data = LogEntry(service=service, level=level, message=message)
    return Event.new(data, source="urn:test", time=time, **attributes)


def deliver(module: ModuleType, *events: Event[LogEntry] | str, receive_count: int = 1) -> list[str]:
    """Hand events to a function as one batch from its queue; return the positions of those to retry."""
    records = [sqs_record(event, receive_count=receive_count) for event in events]
    response = module.handler(lambda_event(records), LambdaContext())
    positions = {record["messageId"]: str(number) for number, record in enumerate(records)}
    return [positions[failure["itemIdentifier"]] for failure in response["batchItemFailures"]]


@pytest.fixture
def alert_topic(cloud: None) -> Topic:
    """The topic that alerts are published to."""
    return Topic("SystemAlerts")


@pytest.fixture
def monitor(
    queues: Queues,
    make_table: Callable[[str], str],
    alert_topic: Topic,
    monkeypatch: pytest.MonkeyPatch,
) -> ModuleType:
    """The monitor, alerting at three errors of a service within five minutes."""
    monkeypatch.setenv("FANOUT_SUBSCRIBER", "application_logs/monitor")
    monkeypatch.setenv("MONITOR_TABLE", make_table("monitor"))
    monkeypatch.setenv("ALERT_TOPIC_ARN", alert_topic.arn)
    monkeypatch.setenv("ALERT_THRESHOLD", "3")
    monkeypatch.setenv("ALERT_WINDOW_SECONDS", "300")
    return monitor_module


class Archive:
    """The archive's bucket."""

    def __init__(self) -> None:
        self._s3 = boto3.client("s3", region_name=REGION)
        self._s3.create_bucket(Bucket="archive")

    def objects(self) -> list[str]:
        """The names of its objects."""
        return [found["Key"] for found in self._s3.list_objects_v2(Bucket="archive").get("Contents", [])]

    def lines(self, key: str) -> list[dict[str, Any]]:
        """The events in one object."""
        body = self._s3.get_object(Bucket="archive", Key=key)["Body"].read()
        return [json.loads(line) for line in gzip.decompress(body).splitlines()]

    def ids(self) -> list[str]:
        """The ids of all events in all objects."""
        return [line["id"] for key in self.objects() for line in self.lines(key)]


@pytest.fixture
def archive_bucket(cloud: None) -> Archive:
    return Archive()


@pytest.fixture
def archive(
    queues: Queues,
    archive_bucket: Archive,
    monkeypatch: pytest.MonkeyPatch,
) -> ModuleType:
    """The archive's function."""
    monkeypatch.setenv("FANOUT_SUBSCRIBER", "application_logs/archive")
    monkeypatch.setenv("ARCHIVE_BUCKET", "archive")
    return archive_module
