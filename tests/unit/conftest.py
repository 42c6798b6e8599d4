"""Unit tests run against moto: AWS's conditions and limits in this process, and no network at all."""

import importlib
import importlib.util
import json
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

from fanout import aws, aws_calls, contracts
from fanout.aws_http import Connections, Response
from fanout.aws_operations import Operation
from fanout.aws_signing import ONLY_BOTOCORE
from fanout.dynamodb import from_item, to_item
from fanout.event import Event, decode, decode_data, encode
from fanout.handler import Subscriber
from fanout.testing import ACCOUNT, REGION, LambdaContext, lambda_event
from tests.payment_provider import API_KEY, Provider, payment_provider

ROOT = Path(__file__).parents[2]
USE_CASES = {path.name for path in (ROOT / "functions").iterdir()}
Deployed = Callable[[ModuleType], ModuleType]


@cache
def _client_with(service: str, max_attempts: int | None, region: str) -> Any:
    """A client that all tests share: making one costs a hundred times what a test does with it."""
    config = Config(retries={"mode": "standard", "total_max_attempts": max_attempts}) if max_attempts else None
    return boto3.session.Session().client(service, region_name=region, config=config)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty AWS account for one test. Clients are shared; what a test hooks into one is taken out again."""
    _as_on_lambda(monkeypatch)
    hooks: list[tuple[Any, str, Any]] = []

    def client(service: str, *, config: Config | None = None, region_name: str = REGION) -> Any:
        retries = (config.retries or {}).get("total_max_attempts") if config else None  # type: ignore[attr-defined]
        made = _client_with(service, retries, region_name)
        register = type(made.meta.events).register

        def hook(event_name: str, handler: Any, **options: Any) -> None:
            hooks.append((made, event_name, handler))
            register(made.meta.events, event_name, handler, **options)

        monkeypatch.setattr(made.meta.events, "register", hook)
        return made

    # moto is not safe to call from several threads: a transaction copies tables that another thread writes to.
    lock, process = RLock(), BotocoreStubber.process_request

    def one_at_a_time(stubber: BotocoreStubber, request: Any) -> Any:
        with lock:
            return process(stubber, request)

    monkeypatch.setattr(BotocoreStubber, "process_request", one_at_a_time)
    monkeypatch.setattr(boto3, "client", client)
    _send_through_hooks(monkeypatch)
    aws.client.cache_clear()
    with mock_aws():
        yield
    aws.client.cache_clear()
    for made, event_name, handler in hooks:
        made.meta.events.unregister(event_name, handler)


def _as_on_lambda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what the AWS clients read from the environment, and nothing of the developer's."""
    for name in (*ONLY_BOTOCORE, "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


def _send_through_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Emit boto3's hooks around the calls of `fanout.aws_calls`: moto answers by one, tests fail calls by others."""
    carry_out = aws_calls.Client.call

    def call(client: aws_calls.Client, operation: Operation, parameters: dict[str, Any]) -> dict[str, Any]:
        events, name = client.boto3.meta.events, f"{client.service}.{operation.name}"
        model = client.boto3.meta.service_model.operation_model(operation.name)
        events.emit(f"before-parameter-build.{name}", params=parameters, model=model, context={})
        hooked = events.emit_until_response(f"before-call.{name}", model=model, params={}, context={})[1]
        if hooked is not None:
            http_response, parsed = hooked
            if http_response.status_code >= 300:
                raise ClientError(parsed, operation.name)
            return parsed  # type: ignore[no-any-return]
        answer = carry_out(client, operation, parameters)
        events.emit(f"after-call.{name}", http_response=None, parsed=answer, model=model, context={})
        return answer

    def post(connections: Connections, headers: dict[str, str], body: bytes) -> Response:
        service = headers["authorization"].split("/")[3]
        operation = headers.get("x-amz-target", ".PublishBatch").rpartition(".")[2]
        url = f"https://{connections.endpoint.authority}{connections.endpoint.path}"
        request = AWSPreparedRequest("POST", url, HTTPHeaders.from_dict(headers), body, False)
        events = _client_with(service, 3, REGION).meta.events
        answer = events.emit_until_response(f"before-send.{service}.{operation}", request=request)[1]
        return Response(
            answer.status_code, {name.lower(): str(value) for name, value in answer.headers.items()}, answer.content
        )

    monkeypatch.setattr(aws_calls.Client, "call", call)
    monkeypatch.setattr(Connections, "post", post)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Point the layer's clients at a URL, without moto in between."""
    _as_on_lambda(monkeypatch)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)

    def point(url: str) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        aws.client.cache_clear()

    yield point
    aws.client.cache_clear()


def spy(service: str, operation: str, *, retries: bool = True) -> list[dict[str, Any]]:
    """Return a list that every call of an operation by the layer's client will add its parameters to."""
    calls: list[dict[str, Any]] = []
    aws.client(service, retries=retries).meta.events.register(
        f"before-parameter-build.{service}.{operation}", lambda params, **_: calls.append(dict(params))
    )
    return calls


def sample_payload(use_case: str, name: str) -> dict[str, Any]:
    """A ready-made payload for `sam local invoke`, by the name of its file."""
    found: dict[str, Any] = json.loads((ROOT / "events" / use_case / "lambda" / f"{name}.json").read_bytes())
    return found


@contextmanager
def mail_fails(error: BaseException, *, sent: bool) -> Iterator[None]:
    """Let every mail of the block fail with `error`, before SES receives the request or, with `sent`, after."""
    events = aws.client("sesv2", retries=False).meta.events

    def fail(request: Any, **_: Any) -> None:
        if sent:
            deque(request.body, maxlen=0)  # moto takes the mail and leaves the body unread; a connection reads it
        raise error

    name = "before-send" if sent else "before-send.sesv2.SendEmail"  # moto is called between the two
    events.register(name, fail)
    try:
        yield
    finally:
        events.unregister(name, fail)


class Queues:
    """A subscriber's queue and dead-letter queue, as its template would make them."""

    def __init__(self) -> None:
        self._sqs = boto3.client("sqs", region_name=REGION)
        self.url: str = self._sqs.create_queue(QueueName="queue")["QueueUrl"]
        self.dead_letters: str = self._sqs.create_queue(QueueName="dead-letters")["QueueUrl"]

    def put(self, body: str) -> dict[str, Any]:
        """Put a message into the queue and receive it, as a record the way Lambda would hand it over."""
        self._sqs.send_message(QueueUrl=self.url, MessageBody=body)
        return self.receive()[0]

    def receive(self) -> list[dict[str, Any]]:
        """What is visible in the queue now, as Lambda's records."""
        found = self._sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
        )
        return [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {
                    name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
                    for name, value in message.get("MessageAttributes", {}).items()
                },
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:queue",
                "awsRegion": REGION,
            }
            for message in found.get("Messages", [])
        ]

    def empty(self) -> None:
        """Throw away what is in the queue."""
        self._sqs.purge_queue(QueueUrl=self.url)

    def counts(self) -> tuple[int, int]:
        """How many messages of the queue are (visible, delayed)."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]
        found = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]  # type: ignore[arg-type]
        return int(found[names[0]]), int(found[names[1]])

    def dead(self) -> list[dict[str, Any]]:
        """The dead letters: {"body": ..., plus each attribute by name}."""
        found = self._sqs.receive_message(
            QueueUrl=self.dead_letters, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=0
        )
        return [
            {"body": message["Body"]}
            | {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}
            for message in found.get("Messages", [])
        ]


class Topic:
    """A topic, and a queue that receives what is published to it."""

    def __init__(self, name: str, *, raw: bool = True) -> None:
        self._name, self._raw = name, raw
        self._sns, self._sqs = boto3.client("sns", region_name=REGION), boto3.client("sqs", region_name=REGION)
        self._queue = self._sqs.create_queue(QueueName=f"subscribed-to-{name}")["QueueUrl"]
        self.arn = self.create()

    def create(self) -> str:
        """Make the topic, or make it again after `delete`: its ARN is the same."""
        arn: str = self._sns.create_topic(Name=self._name)["TopicArn"]
        self._sns.subscribe(
            TopicArn=arn,
            Protocol="sqs",
            Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:subscribed-to-{self._name}",
            Attributes={"RawMessageDelivery": str(self._raw).lower()},
        )
        return arn

    def delete(self) -> None:
        """Make every publish fail until `create`."""
        self._sns.delete_topic(TopicArn=self.arn)

    def received(self) -> list[dict[str, Any]]:
        """Return the messages published since the last call, parsed, in order."""
        found: list[dict[str, Any]] = []
        while messages := self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
                found.append(json.loads(message["Body"]))
        return found

    def events(self, use_case: str) -> list[Event[Any]]:
        """Return the events published since the last call as a subscriber reads them, in order."""
        schemas = contracts.load(use_case)
        found = [decode(json.dumps(document)) for document in self.received()]
        return [decode_data(event, schemas[event.type]) for event in found]


class Harness(NamedTuple):
    """What `Functions` work with: the queue that events come from, the environment, and the log."""

    queues: Queues
    monkeypatch: pytest.MonkeyPatch
    lines: Callable[[str], list[dict[str, Any]]]


class Functions:
    """The functions of a use case, by the names of their handlers."""

    def __init__(self, use_case: str, harness: Harness) -> None:
        self.queues, self._monkeypatch, self._lines = harness
        self._use_case = use_case
        self._dynamodb = boto3.client("dynamodb", region_name=REGION)

    def module(self, name: str) -> ModuleType:
        """Return the handler module of that name; from here on the environment is that of its function."""
        self._monkeypatch.setenv("FANOUT_SUBSCRIBER", f"{self._use_case}/{name}")
        return importlib.import_module(f"{self._use_case}.handlers.{name}")

    def receipts(self, name: str, *events: Event[Any] | str) -> list[tuple[str, str | None]]:
        """Deliver events in one batch; return (outcome, reason) of each receipt, in order."""
        records = [self._received(event) for event in events]
        self.module(name).handler(lambda_event(records), LambdaContext())
        return [(receipt["outcome"], receipt["reason"]) for receipt in self._lines("receipt")]

    def deliver(self, name: str, *events: Event[Any] | str) -> list[str]:
        """Deliver events in one batch; return the outcome of each receipt, in order."""
        return [outcome for outcome, _ in self.receipts(name, *events)]

    def item(self, table: str, pk: str, sk: str) -> dict[str, Any]:
        """Return an item of a table; empty if there is none."""
        found = self._dynamodb.get_item(TableName=table, Key=to_item({"pk": pk, "sk": sk}), ConsistentRead=True)
        return from_item(found.get("Item", {}))

    def _received(self, event: Event[Any] | str) -> dict[str, Any]:
        """Return an event as the record that Lambda reads from the queue."""
        return self.queues.put(event if isinstance(event, str) else encode(event).decode())


@pytest.fixture
def provider(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A payment provider over HTTP that the functions are configured for."""
    with payment_provider() as made:
        secret = boto3.client("secretsmanager", region_name=REGION).create_secret(
            Name="payments", SecretString=json.dumps({"url": made.url, "api_key": API_KEY})
        )
        monkeypatch.setenv("PAYMENT_PROVIDER_SECRET_ARN", secret["ARN"])
        monkeypatch.setenv("PAYMENT_PROVIDER_ON_LOOPBACK", "true")
        yield made


@pytest.fixture
def queues(cloud: None, monkeypatch: pytest.MonkeyPatch) -> Queues:
    """The queues of the subscriber under test, and the environment that names them."""
    made = Queues()
    monkeypatch.setenv("FANOUT_SUBSCRIBER", "team_events/team_a")
    monkeypatch.setenv("FANOUT_QUEUE_URL", made.url)
    monkeypatch.setenv("FANOUT_DEAD_LETTER_URL", made.dead_letters)
    monkeypatch.setenv("FANOUT_CLAIM_CHECK_BUCKET", "")
    return made


@pytest.fixture
def make_table(cloud: None) -> Callable[..., str]:
    """Make a table with keys pk and sk, texts unless another type is given; returns its name."""

    def make(name: str, *, pk: str = "S", sk: str = "S") -> str:
        boto3.client("dynamodb", region_name=REGION).create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": pk},
                {"AttributeName": "sk", "AttributeType": sk},
            ],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        return name

    return make


@pytest.fixture
def items(cloud: None) -> Callable[[str], list[dict[str, Any]]]:
    """Read everything a table holds, as plain values."""

    def read(table: str) -> list[dict[str, Any]]:
        return boto3.resource("dynamodb", region_name=REGION).Table(table).scan()["Items"]

    return read


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[str], list[dict[str, Any]]]:
    """Read the log lines with a given message ("receipt", "received", ...) written since the last call."""
    seen: list[dict[str, Any]] = []

    def read(message: str) -> list[dict[str, Any]]:
        seen.extend(json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{"))
        found = [line for line in seen if line.get("message") == message]
        seen[:] = [line for line in seen if line.get("message") != message]
        return found

    return read


@pytest.fixture
def harness(queues: Queues, monkeypatch: pytest.MonkeyPatch, lines: Callable[[str], list[dict[str, Any]]]) -> Harness:
    return Harness(queues, monkeypatch, lines)


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    """Clear, after each test, what the modules of use cases keep between invocations: settings and clients."""
    yield
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in USE_CASES:
            for value in vars(module).values():
                if isinstance(value, Subscriber):
                    value._settings = None
                elif hasattr(value, "cache_clear"):
                    value.cache_clear()


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Deployed:
    """Return a handler's module as it is deployed: its environment holds the name of its subscriber."""

    def deploy(module: ModuleType) -> ModuleType:
        use_case, _, name = module.__name__.split(".")
        monkeypatch.setenv("FANOUT_SUBSCRIBER", f"{use_case}/{name}")
        return module

    return deploy


@pytest.fixture
def function_module(fresh_settings: None) -> Callable[[str, str], ModuleType]:
    """Import a module of a use case by its name, for tests that are given the name: a handler, or what handlers use."""

    def load(use_case: str, module: str) -> ModuleType:
        for name in (f"{use_case}.handlers.{module}", f"{use_case}.{module}"):
            if importlib.util.find_spec(name):
                return importlib.import_module(name)
        raise ModuleNotFoundError(f"{use_case} has no module {module}")

    return load
