"""What system_alerts' functions work with: their tables and topic in moto, a real HTTP server, and a clock to set."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import boto3
import pytest

from fanout.contracts.system_alerts import AlertNotification, AlertRaised, AlertResolved
from fanout.event import Event
from fanout.testing import REGION, LambdaContext, lambda_event, sns_record
from system_alerts.handlers import chat, pager
from system_alerts.handlers import dispatch as dispatch_module
from tests.sink import Sink, sink

from ..conftest import Queues, Topic

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
WINDOW = 300
STORM = 5


def raised(
    fingerprint: str = "db/full", *, at: float = 0, severity: Any = "HIGH", id: str | None = None, **fields: Any
) -> Event[AlertRaised]:
    """An alert, `at` seconds after noon."""
    data = AlertRaised(
        fingerprint=fingerprint, service="db", severity=severity, title=fields.pop("title", "Disk is full"), **fields
    )
    return Event.new(data, source="urn:test", id=id, time=NOON + timedelta(seconds=at))


def resolved(fingerprint: str = "db/full", *, at: float = 0, severity: Any = "HIGH") -> Event[AlertResolved]:
    """The resolution of an alert."""
    data = AlertResolved(fingerprint=fingerprint, service="db", severity=severity, title="Disk is full")
    return Event.new(data, source="urn:test", time=NOON + timedelta(seconds=at))


def notification(kind: Any = "opened", **fields: Any) -> Event[AlertNotification]:
    """A notification as dispatch publishes it."""
    about = {
        "severity": "HIGH",
        "incident": "i-1",
        "subject": "[HIGH] db: Full",
        "text": "It is.",
        "service": "db",
    }
    data = AlertNotification(kind=kind, **{**about, **fields})
    return Event.new(data, source="urn:fanout:system_alerts/dispatch", time=NOON)


def deliver(module: ModuleType, *events: Event[Any] | str, topic: str = "SystemAlerts") -> None:
    """Invoke a function as SNS does, one event at a time."""
    for event in events:
        module.handler(lambda_event([sns_record(event, topic=topic)]), LambdaContext())


class Clock:
    """The time that the functions see."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._real, self._ahead = time.time, 0.0
        monkeypatch.setattr("time.time", lambda: self._real() + self._ahead)

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._ahead += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Listener(Topic):
    """The topic of the notifications, and a queue that is subscribed to it."""

    def __init__(self) -> None:
        super().__init__("AlertNotifications", raw=False)

    def notifications(self) -> list[dict[str, Any]]:
        """Return the events published since the last call, each with the `Subject` of its mail."""
        return [{**json.loads(each["Message"]), "Subject": each.get("Subject")} for each in self.received()]

    def kinds(self) -> list[str]:
        """Return the kinds of the notifications published since the last call."""
        return [event["data"]["kind"] for event in self.notifications()]


@pytest.fixture
def listener(queues: Queues) -> Listener:
    return Listener()


@pytest.fixture
def alert_table(cloud: None) -> str:
    boto3.client("dynamodb", region_name=REGION).create_table(
        TableName="alerts",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "at")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "ByTime",
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    return "alerts"


@pytest.fixture
def dispatch(
    queues: Queues,
    listener: Listener,
    alert_table: str,
    monkeypatch: pytest.MonkeyPatch,
) -> ModuleType:
    """The function, as it is deployed."""
    monkeypatch.setenv("FANOUT_SUBSCRIBER", "system_alerts/dispatch")
    monkeypatch.setenv("ALERT_TABLE", alert_table)
    monkeypatch.setenv("NOTIFICATIONS_TOPIC_ARN", listener.arn)
    monkeypatch.setenv("OWN_STACK", "fanout-SystemAlerts-1ABC")
    monkeypatch.setenv("NOTIFICATION_WINDOW_SECONDS", str(WINDOW))
    monkeypatch.setenv("STORM_THRESHOLD", str(STORM))
    return dispatch_module


@pytest.fixture
def receiver() -> Iterator[Sink]:
    """The server behind the webhooks."""
    with sink() as made:
        yield made


class Channel:
    """A channel's function with its secret and its table."""

    def __init__(self, module: ModuleType, secret: str) -> None:
        self.module = module
        self._secret = secret

    def configure(self, text: str) -> None:
        """Put this into the secret."""
        boto3.client("secretsmanager", region_name=REGION).put_secret_value(SecretId=self._secret, SecretString=text)

    def deliver(self, *events: Event[Any] | str) -> None:
        deliver(self.module, *events, topic="AlertNotifications")


@pytest.fixture
def channel(
    queues: Queues,
    receiver: Sink,
    make_table: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], Channel]:
    """Make one of the channels ("chat"), whose webhook is the receiver."""

    def make(name: str) -> Channel:
        secret = boto3.client("secretsmanager", region_name=REGION).create_secret(Name="webhook", SecretString="{}")
        monkeypatch.setenv("FANOUT_SUBSCRIBER", f"system_alerts/{name}")
        monkeypatch.setenv("CHANNEL_TABLE", make_table("channels"))
        monkeypatch.setenv("WEBHOOK_SECRET_ARN", secret["ARN"])
        monkeypatch.setenv("STAGE", "local")
        made = Channel({"chat": chat, "pager": pager}[name], secret["ARN"])
        made.configure(json.dumps({"url": f"{receiver.url}/services/hook", "routing_key": "routing-key-1"}))
        return made

    return make
