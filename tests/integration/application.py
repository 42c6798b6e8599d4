"""The application as a test sees it: on an engine of the session's own, reached by AWS's API and by `fanout`."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3

from fanout.dynamodb import from_item
from fanout.event import Event
from fanout.publisher import Published, Publisher
from fanout_cli.stack.state import ENGINE_ENVIRONMENT
from fanout_cli.stack.topology import Subscriber, Topology, discover
from fanout_cli.tracing.receipts import Entry, Reader
from fanout_cli.tracing.tracer import Tracer
from local_engine import process

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


class Listener:
    """A queue of a test that receives everything published to a topic."""

    def __init__(self, client: Callable[[str], Any], topic: str, name: str) -> None:
        self._sns, self._sqs = client("sns"), client("sqs")
        self._url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": policy})
        raw = {"RawMessageDelivery": "true"}
        self._subscription = self._sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=raw, ReturnSubscriptionArn=True
        )["SubscriptionArn"]

    def received(self) -> list[dict[str, Any]]:
        """Return the events published since the last call."""
        found: list[dict[str, Any]] = []
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
                found.append(json.loads(message["Body"]))
        return found

    def close(self) -> None:
        """Delete the subscription and the queue."""
        self._sns.unsubscribe(SubscriptionArn=self._subscription)
        self._sqs.delete_queue(QueueUrl=self._url)


@dataclass
class Application:
    """One engine with the application on it."""

    state: Path
    stack_name: str = "fanout"
    root: Path = ROOT

    def fanout(
        self, *arguments: str, input: str | None = None, check: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run the command as a user would, with this engine's state folder. `check`: the exit code it must have."""
        found = subprocess.run(
            [str(BIN / "fanout"), *arguments],
            input=input,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.root,
            env={**os.environ, "FANOUT_STATE": str(self.state), "PATH": f"{BIN}:{os.environ['PATH']}"},
        )
        said = f"fanout {' '.join(arguments)} ended with {found.returncode}\n{found.stdout}\n{found.stderr}"
        assert check is None or found.returncode == check, said
        return found

    def start_engine(self) -> None:
        """Start the engine with nothing on it."""
        process.start(self.state, 0, environment=ENGINE_ENVIRONMENT)

    def fresh(self) -> "Application":
        """The same application, as it is deployed now."""
        return Application(self.state, self.stack_name, self.root)

    def environment(self) -> dict[str, str]:
        """The environment that `eval "$(fanout env)"` gives a shell, on top of this process's."""
        exports = (line.removeprefix("export ").split("=", 1) for line in self.fanout("env").stdout.splitlines())
        variables = {name: value.strip("'\"") for name, value in exports}
        return {**os.environ, **variables, "FANOUT_STATE": str(self.state), "PATH": f"{BIN}:{os.environ['PATH']}"}

    def client(self, service: str) -> Any:
        """An AWS client of the account's root, directed to the engine. Plain boto3."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name="us-east-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
        return self._clients[service]

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    @cached_property
    def endpoint(self) -> str:
        """The engine's address."""
        record = json.loads((self.state / "engine.json").read_text())
        return f"http://127.0.0.1:{record['port']}"

    @cached_property
    def topology(self) -> Topology:
        """What is deployed."""
        return discover(self.client, self.stack_name)

    @cached_property
    def tracer(self) -> Tracer:
        """What `fanout trace` asks."""
        return Tracer(self.client, self.topology)

    def subscriber(self, name: str) -> Subscriber:
        """A deployed subscriber by its name (team_events/team_a)."""
        return self.topology.subscribers[name]

    def topic(self, name: str) -> str:
        """The ARN of a topic by its name (TeamEvents)."""
        topic = self.topology.topic(name=name)
        assert topic is not None, f"{name} is not deployed"
        return topic.arn

    def publish(self, topic: str, events: Iterable[Event[Any]]) -> list[Published]:
        """Publish events with the layer's publisher."""
        return Publisher(self.topic(topic), client=self.client("sns"), workers=4).publish(events)

    def publish_text(self, topic: str, text: str, *, group: str = "a-group") -> str:
        """Publish any text as a foreign client would; return SNS's MessageId. A FIFO topic wants a message group."""
        arn = self.topic(topic)
        fifo = {"MessageGroupId": group} if arn.endswith(".fifo") else {}
        return str(self.client("sns").publish(TopicArn=arn, Message=text, **fifo)["MessageId"])

    def outcomes(self, key: str, *, within: float = 90) -> dict[str, str]:
        """Trace an event until all is final; return {subscriber: outcome}."""
        trace = self.tracer.wait(key, within)
        return {delivery.subscriber: delivery.outcome for delivery in trace.deliveries}

    def items(self, table: str, **query: Any) -> list[dict[str, Any]]:
        """Everything a table holds, as plain values."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=table, **query)
        return [from_item(item) for page in pages for item in page["Items"]]

    def dead_letters(self, subscriber: str) -> list[dict[str, str]]:
        """The dead letters of a subscriber: {"body": ..., plus each attribute by name}. They stay in the queue."""
        url = self.subscriber(subscriber).dead_letter_url
        found: dict[str, dict[str, str]] = {}
        while True:
            messages = (
                self.client("sqs")
                .receive_message(
                    QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=30
                )
                .get("Messages", [])
            )
            if not messages:
                break
            for message in messages:
                attributes = message.get("MessageAttributes", {})
                found[message["ReceiptHandle"]] = {"body": message["Body"]} | {
                    name: value["StringValue"] for name, value in attributes.items()
                }
        for handle in found:
            self.client("sqs").change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
        return list(found.values())

    def purge_dead_letters(self, subscriber: str) -> None:
        """Delete a subscriber's dead letters after a test has read them."""
        self.client("sqs").purge_queue(QueueUrl=self.subscriber(subscriber).dead_letter_url)

    def output(self, name: str) -> str:
        """An output of the stack."""
        [stack] = self.client("cloudformation").describe_stacks(StackName=self.stack_name)["Stacks"]
        return next(str(each["OutputValue"]) for each in stack["Outputs"] if each["OutputKey"] == name)

    @contextmanager
    def environment_of(self, subscriber: str, **changes: str) -> Iterator[None]:
        """Deploy a subscriber's function with other environment variables for the length of the block."""
        functions, name = self.client("lambda"), self.subscriber(subscriber).function_name
        before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": {**before, **changes}})
        functions.invoke(FunctionName=name, Payload=b'{"Records": []}')
        try:
            yield
        finally:
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": before})

    def receipts(self, subscriber: str, event_ids: Sequence[str]) -> list[Entry]:
        """The receipts that a subscriber wrote about some events."""
        wanted = set(event_ids)
        reader = Reader(self.client, [self.subscriber(subscriber).log_group])
        return [
            entry
            for entry in reader.all(None)
            if entry.outcome and entry.subscriber == subscriber and entry.event_id in wanted
        ]
