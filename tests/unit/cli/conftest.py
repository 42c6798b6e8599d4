"""What the command's tests share: a command line to run, a state folder, and a deployed application in memory."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest

from fanout.receipts import Receipt, Received, ReceivedRecord
from fanout.testing import REGION
from fanout_cli import main
from fanout_cli.dead_letters import queue as dead_letter_queue
from fanout_cli.stack.topology import Subscriber, Subscription, Topic, Topology
from fanout_cli.times import parse_time

TOPIC = f"arn:aws:sns:{REGION}:123456789012:Logs"


@dataclass(frozen=True)
class Result:
    """What one command line did."""

    exit_code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """Restore the environment: the command sets AWS_PROFILE and others, for the programs that it starts."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run one command line, with a state folder of its own in which no engine runs, and no AWS in the environment."""
    monkeypatch.setenv("FANOUT_STATE", str(tmp_path / "state"))
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str) -> Result:
        capsys.readouterr()
        code = main.run(arguments)
        shown = capsys.readouterr()
        return Result(code, shown.out, shown.err)

    return call


@dataclass
class Application:
    """A deployed application: one topic, its subscribers' log group and queues in moto's AWS."""

    logs: Any
    sqs: Any
    subscriptions: list[Subscription] = field(default_factory=list)
    subscribers: dict[str, Subscriber] = field(default_factory=dict)
    lines: int = 0

    def add(
        self,
        name: str,
        *,
        raw: bool = True,
        protocol: str = "sqs",
        policy: dict[str, Any] | None = None,
        **settings: str,
    ) -> str:
        """Add a subscriber with its queues; return the URL of its dead-letter queue."""
        queue = name.replace("/", "-")
        inbox = self.sqs.create_queue(QueueName=queue)["QueueUrl"]
        dead = self.sqs.create_queue(QueueName=f"{queue}-dead")["QueueUrl"]
        self.subscribers[name] = Subscriber(name, queue, "receipts", inbox, dead, settings)
        self.subscriptions.append(
            Subscription(f"{TOPIC}:{queue}", TOPIC, protocol, queue, raw, policy, "MessageBody", name)
        )
        return str(dead)

    @property
    def topology(self) -> Topology:
        """What `discover` would have returned."""
        use_case = next(iter(self.subscribers)).split("/")[0]
        return Topology("fanout", (Topic("Logs", TOPIC, use_case, tuple(self.subscriptions)),), self.subscribers)

    def client(self, service: str) -> Any:
        """The client of a service."""
        return {"logs": self.logs, "sqs": self.sqs}[service]

    def receipt(self, subscriber: str, event_id: str | None, outcome: str, **changes: Any) -> None:
        """Write the receipt that the subscriber's runtime would."""
        at = changes.pop("timestamp", "2026-11-22T12:00:01Z")
        line: dict[str, Any] = {
            "timestamp": parse_time(at),
            "subscriber": subscriber,
            "request_id": "r",
            "event_id": event_id,
            "source": "urn:example:shop" if event_id else None,
            "type": "log.entry.v1" if event_id else None,
            "message_id": f"message-of-{subscriber}",
            "attempt": 1,
            "outcome": outcome,
            "reason": None,
            "published_at": parse_time("2026-11-22T12:00:00Z"),
            "age_ms": 1000,
            "duration_ms": 1.0,
            "fields": {"level": "INFO"} if event_id else {},
        }
        self._write(Receipt(**{**line, **changes}))

    def received(self, subscriber: str, event_id: str | None, *, attempt: int = 1, message_id: str = "m") -> None:
        """Write the line that the subscriber's runtime writes before the work."""
        at = parse_time("2026-11-22T12:00:00Z")
        assert at is not None
        records = [ReceivedRecord(event_id=event_id, message_id=message_id, attempt=attempt)]
        self._write(Received(timestamp=at, subscriber=subscriber, request_id="r", records=records))

    def dead_letter(self, subscriber: str, body: str, **attributes: str) -> None:
        """Put a message into the subscriber's dead-letter queue."""
        self.sqs.send_message(
            QueueUrl=self.subscribers[subscriber].dead_letter_url,
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )

    def _write(self, line: Receipt | Received) -> None:
        self.lines += 1
        event = {"timestamp": 1_795_348_800_000 + self.lines, "message": msgspec.json.encode(line).decode()}
        self.logs.put_log_events(logGroupName="receipts", logStreamName="all", logEvents=[event])


@pytest.fixture
def application(cloud: None, monkeypatch: pytest.MonkeyPatch) -> Application:
    """An application without subscribers yet."""
    logs = boto3.client("logs", region_name=REGION)
    logs.create_log_group(logGroupName="receipts")
    logs.create_log_stream(logGroupName="receipts", logStreamName="all")
    return Application(logs, boto3.client("sqs", region_name=REGION))


@pytest.fixture(autouse=True)
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no dead letter: moto has nothing under way that a long poll could bring."""
    monkeypatch.setattr(dead_letter_queue, "_POLL_SECONDS", 0)
