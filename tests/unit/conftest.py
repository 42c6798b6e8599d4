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
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

from fanout import aws, aws_calls
from fanout.aws_http import Connections, Response
from fanout.aws_operations import Operation
from fanout.aws_signing import ONLY_BOTOCORE
from fanout.handler import Subscriber
from fanout.testing import REGION

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
    """A subscriber's inbox and dead-letter queue, as its template would make them."""

    def __init__(self) -> None:
        self._sqs = boto3.client("sqs", region_name=REGION)
        self.inbox: str = self._sqs.create_queue(QueueName="inbox")["QueueUrl"]
        self.dead_letters: str = self._sqs.create_queue(QueueName="dead-letters")["QueueUrl"]

    def put(self, body: str) -> dict[str, Any]:
        """Put a message into the inbox and receive it, as a record the way Lambda would hand it over."""
        self._sqs.send_message(QueueUrl=self.inbox, MessageBody=body)
        return self.receive()[0]

    def receive(self) -> list[dict[str, Any]]:
        """What is visible in the inbox now, as Lambda's records."""
        found = self._sqs.receive_message(
            QueueUrl=self.inbox, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"]
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
                "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:inbox",
                "awsRegion": REGION,
            }
            for message in found.get("Messages", [])
        ]

    def empty(self) -> None:
        """Throw away what is in the inbox."""
        self._sqs.purge_queue(QueueUrl=self.inbox)

    def inbox_counts(self) -> tuple[int, int]:
        """How many messages of the inbox are (visible, delayed)."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]
        found = self._sqs.get_queue_attributes(QueueUrl=self.inbox, AttributeNames=names)["Attributes"]  # type: ignore[arg-type]
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


@pytest.fixture
def queues(cloud: None, monkeypatch: pytest.MonkeyPatch) -> Queues:
    """The queues of the subscriber under test, and the environment that names them."""
    made = Queues()
    monkeypatch.setenv("FANOUT_SUBSCRIBER", "team_events/team_a")
    monkeypatch.setenv("FANOUT_QUEUE_URL", made.inbox)
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
