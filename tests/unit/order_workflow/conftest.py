"""The account that order_workflow's functions run in, and what they publish there."""

import json
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from fanout import contracts
from fanout.contracts.order_workflow import (
    CancellationReason,
    Line,
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    PaymentAuthorized,
    PaymentDeclined,
    PaymentRefunded,
    Reserved,
    StockReserved,
    StockUnavailable,
)
from fanout.dynamodb import from_item, to_item
from fanout.event import Event, decode, decode_data, encode
from fanout.testing import REGION, LambdaContext, lambda_event
from order_workflow.handlers import deadlines, inventory, notification, payment, workflow
from tests.payment_provider import API_KEY, Provider, payment_provider
from tests.unit.conftest import Queues

SENDER = "orders@example.com"
HANDLERS: dict[str, ModuleType] = {
    "deadlines": deadlines,
    "inventory": inventory,
    "notification": notification,
    "payment": payment,
    "workflow": workflow,
}


class Account:
    """The functions of the use case, the stores they share, and the events they publish."""

    def __init__(
        self,
        queues: Queues,
        monkeypatch: pytest.MonkeyPatch,
        lines: Callable[[str], list[dict[str, Any]]],
    ) -> None:
        self.queues = queues
        self._monkeypatch = monkeypatch
        self._lines = lines
        self._sns = boto3.client("sns", region_name=REGION)
        self._sqs = boto3.client("sqs", region_name=REGION)
        self._dynamodb = boto3.client("dynamodb", region_name=REGION)
        topic = self._sns.create_topic(Name="NewOrder")["TopicArn"]
        self._published = self._sqs.create_queue(QueueName="published")["QueueUrl"]
        self._sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=f"arn:aws:sqs:{REGION}:{DEFAULT_ACCOUNT_ID}:published",
            Attributes={"RawMessageDelivery": "true"},
        )
        monkeypatch.setenv("NEW_ORDER_TOPIC_ARN", topic)

    def module(self, name: str) -> ModuleType:
        """The handler module of that name, which runs as its function from here on."""
        self.become(name)
        return HANDLERS[name]

    def become(self, name: str) -> None:
        """Run as the function of that name from here on."""
        self._monkeypatch.setenv("FANOUT_SUBSCRIBER", f"order_workflow/{name}")

    def deliver(self, name: str, *events: Event[Any] | str) -> list[str]:
        """Deliver events to a subscriber in one batch; return what its receipts say became of them."""
        return [receipt["outcome"] for receipt in self._receipts(name, events)]

    def reasons(self, name: str, *events: Event[Any] | str) -> list[str]:
        """The same, but the reasons."""
        return [receipt["reason"] for receipt in self._receipts(name, events)]

    def _receipts(self, name: str, events: tuple[Event[Any] | str, ...]) -> list[dict[str, Any]]:
        bodies = [event if isinstance(event, str) else encode(event).decode() for event in events]
        records = [self.queues.put(body) for body in bodies]
        self.module(name).handler(lambda_event(records), LambdaContext())
        return self._lines("receipt")

    def published(self) -> list[Event[Any]]:
        """What was published since the last call, each as a subscriber would read it, in order."""
        found: list[Event[Any]] = []
        schemas = contracts.load("order_workflow")
        while messages := self._sqs.receive_message(QueueUrl=self._published, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self._sqs.delete_message(QueueUrl=self._published, ReceiptHandle=message["ReceiptHandle"])
                event = decode(message["Body"])
                found.append(decode_data(event, schemas[event.type]))
        return found

    def item(self, table: str, pk: str, sk: str) -> dict[str, Any]:
        """An item of a table; empty if there is none."""
        found = self._dynamodb.get_item(TableName=table, Key=to_item({"pk": pk, "sk": sk}), ConsistentRead=True)
        return from_item(found.get("Item", {}))

    def stock(self, **quantities: int) -> None:
        """Put articles into stock."""
        for sku, quantity in quantities.items():
            item = to_item({"pk": f"sku#{sku}", "sk": "stock", "available": quantity})
            self._dynamodb.put_item(TableName="stock", Item=item)

    def in_stock(self, sku: str) -> tuple[int, int]:
        """(available, reserved) of an article."""
        found = self.item("stock", f"sku#{sku}", "stock")
        return int(found["available"]), int(found.get("reserved", 0))

    def state(self, table: str, order_id: str, kind: str) -> str:
        """The state of an order's record of one kind."""
        return str(self.item(table, f"order#{order_id}", kind).get("state", ""))

    @property
    def mails(self) -> list[str]:
        """The recipient of every mail that went out."""
        sent = ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages
        return [message.destinations["ToAddresses"][0] for message in sent]


@pytest.fixture(autouse=True)
def account(
    queues: Queues,
    make_table: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    lines: Callable[[str], list[dict[str, Any]]],
) -> Account:
    for name in ("payment", "stock", "notification"):
        monkeypatch.setenv(f"{name.upper()}_TABLE", make_table(name))
    boto3.client("dynamodb", region_name=REGION).create_table(
        TableName="order",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
            {"AttributeName": "due_shard", "AttributeType": "S"},
            {"AttributeName": "due_at", "AttributeType": "N"},
        ],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "due",
                "KeySchema": [
                    {"AttributeName": "due_shard", "KeyType": "HASH"},
                    {"AttributeName": "due_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    monkeypatch.setenv("ORDER_TABLE", "order")
    monkeypatch.setenv("SENDER_ADDRESS", SENDER)
    boto3.client("ses", region_name=REGION).verify_email_identity(EmailAddress=SENDER)
    return Account(queues, monkeypatch, lines)


@pytest.fixture
def provider(account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """A payment provider over HTTP, which payment is configured for."""
    with payment_provider() as made:
        secret = boto3.client("secretsmanager", region_name=REGION).create_secret(
            Name="payments", SecretString=json.dumps({"url": made.url, "api_key": API_KEY})
        )
        monkeypatch.setenv("PAYMENT_PROVIDER_SECRET_ARN", secret["ARN"])
        monkeypatch.setenv("PAYMENT_PROVIDER_ON_LOOPBACK", "true")
        yield made


def placed(order_id: str = "o-1", *, event_id: str | None = None, **fields: Any) -> Event[OrderPlaced]:
    """An order of two mugs and a tea for 33.90."""
    return Event.new(order(OrderPlaced, order_id, **fields), source="urn:test", id=event_id)


def order(contract: type, order_id: str = "o-1", **fields: Any) -> Any:
    """The data of an event about that order."""
    lines = (Line(sku="MUG", quantity=2, unit_price=1250), Line(sku="TEA", quantity=1, unit_price=890))
    told = {"customer_id": "c-1", "currency": "EUR", "lines": lines, "email": "ada@example.org", **fields}
    total = sum(line.quantity * line.unit_price for line in told["lines"])
    return contract(order_id=order_id, **{"total": total, **told})


def confirmed(order_id: str = "o-1", **fields: Any) -> Event[OrderConfirmed]:
    return Event.new(order(OrderConfirmed, order_id, payment_provider="http", **fields), source="urn:test")


def cancelled(
    order_id: str = "o-1", *, reason: CancellationReason = "deadline_passed", **fields: Any
) -> Event[OrderCancelled]:
    return Event.new(order(OrderCancelled, order_id, reason=reason, **fields), source="urn:test")


def authorized(order_id: str = "o-1", amount: int = 3390) -> Event[PaymentAuthorized]:
    data = PaymentAuthorized(order_id=order_id, amount=amount, currency="EUR", provider="http", reference="auth_1")
    return Event.new(data, source="urn:test")


def declined(order_id: str = "o-1", amount: int = 3390) -> Event[PaymentDeclined]:
    data = PaymentDeclined(order_id=order_id, amount=amount, currency="EUR", provider="http", code="card_declined")
    return Event.new(data, source="urn:test")


def refunded(order_id: str = "o-1", amount: int = 3390) -> Event[PaymentRefunded]:
    data = PaymentRefunded(order_id=order_id, amount=amount, currency="EUR", provider="http", reference="refund_1")
    return Event.new(data, source="urn:test")


def reserved(order_id: str = "o-1", **quantities: int) -> Event[StockReserved]:
    wanted = quantities or {"MUG": 2, "TEA": 1}
    items = tuple(Reserved(sku=sku, quantity=quantity) for sku, quantity in wanted.items())
    return Event.new(StockReserved(order_id=order_id, items=items), source="urn:test")


def unavailable(order_id: str = "o-1") -> Event[StockUnavailable]:
    return Event.new(StockUnavailable(order_id=order_id, missing=("TEA",)), source="urn:test")
