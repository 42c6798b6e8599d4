"""The account that order_workflow's functions run in, and what they publish there."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

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
from fanout.dynamodb import to_item
from fanout.event import Event
from fanout.testing import REGION
from order_workflow import order_store
from order_workflow.handlers import deadlines
from tests.unit.conftest import Functions, Harness, Topic

SENDER = "orders@example.com"


class Account(Functions):
    """The functions of the use case, the stores they share, and the events they publish."""

    def __init__(self, harness: Harness) -> None:
        super().__init__("order_workflow", harness)
        self._topic = Topic("NewOrder")
        harness.monkeypatch.setenv("NEW_ORDER_TOPIC_ARN", self._topic.arn)

    def reasons(self, name: str, *events: Event[Any] | str) -> list[str | None]:
        """Deliver events in one batch; return the reason of each receipt, in order."""
        return [reason for _, reason in self.receipts(name, *events)]

    def published(self) -> list[Event[Any]]:
        """Return the events published since the last call as a subscriber reads them, in order."""
        return self._topic.events("order_workflow")

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
        """The recipient of every mail that was sent."""
        sent = ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages
        return [message.destinations["ToAddresses"][0] for message in sent]


@pytest.fixture(autouse=True)
def account(harness: Harness, make_table: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Account:
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
    return Account(harness)


@pytest.fixture
def clock(account: Account, monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Let time pass for workflow and deadlines."""
    passed = timedelta()

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + passed

    def advance(by: timedelta) -> None:
        nonlocal passed
        passed += by

    for module in (order_store, deadlines):
        monkeypatch.setattr(module, "datetime", Clock)
    return advance


def placed(order_id: str = "o-1", *, event_id: str | None = None, **fields: Any) -> Event[OrderPlaced]:
    """An order of two mugs and a tea for 33.90."""
    return Event.new(order(OrderPlaced, order_id, **fields), source="urn:test", id=event_id)


def order(contract: type, order_id: str = "o-1", **fields: Any) -> Any:
    """The data of an event about that order."""
    lines = (Line(sku="MUG", quantity=2, unit_price=1250), Line(sku="TEA", quantity=1, unit_price=890))
    values = {"customer_id": "c-1", "currency": "EUR", "lines": lines, "email": "ada@example.org", **fields}
    total = sum(line.quantity * line.unit_price for line in values["lines"])
    return contract(order_id=order_id, **{"total": total, **values})


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
