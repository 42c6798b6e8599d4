"""order_workflow deployed alone, beside the whole application, with a payment provider that answers over HTTP."""

import json
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from fanout.contracts.order_workflow import Line, OrderPlaced
from fanout.dynamodb import from_item, to_item
from fanout.event import Event
from fanout_cli.stack.deploy import engine_runtime
from local_engine import mailbox
from tests.integration.application import ROOT, Application, Listener
from tests.payment_provider import API_KEY, Provider, payment_provider
from tests.waiting import until

STACK = "fanout-order-workflow"
SUBSCRIBERS = ("payment", "inventory", "workflow", "notification")


@dataclass
class Shop:
    """The deployed use case, what it sells, and who it is paid by."""

    application: Application
    provider: Provider
    run: str
    """What no other test's articles, orders and customers have in their names."""

    def order(self, name: str, lines: dict[str, int], *, price: int = 100) -> Event[OrderPlaced]:
        """An order of these quantities of articles, all at one price."""
        data = OrderPlaced(
            order_id=f"{self.run}-{name}",
            customer_id=f"c-{name}",
            currency="EUR",
            lines=tuple(Line(sku=self.sku(sku), quantity=count, unit_price=price) for sku, count in lines.items()),
            total=price * sum(lines.values()),
            email=f"{self.run}-{name}@example.org",
        )
        return Event.new(data, source="urn:test:shop")

    def sku(self, name: str) -> str:
        return f"{self.run}-{name}"

    def publish(self, *events: Event[Any]) -> None:
        self.application.publish("NewOrder", events)

    def stock(self, **quantities: int) -> None:
        """Put articles into stock, as the operator does."""
        for name, quantity in quantities.items():
            self.application.client("dynamodb").update_item(
                TableName=self.tables["stock"],
                Key=to_item({"pk": f"sku#{self.sku(name)}", "sk": "stock"}),
                UpdateExpression="ADD available :quantity",
                ExpressionAttributeValues=to_item({":quantity": quantity}),
            )

    def in_stock(self) -> dict[str, tuple[int, int]]:
        """article -> (available, reserved)"""
        prefix = f"sku#{self.run}-"
        return {
            item["pk"].removeprefix(prefix): (int(item["available"]), int(item.get("reserved", 0)))
            for item in self.application.items(self.tables["stock"])
            if item["pk"].startswith(prefix)
        }

    def item(self, table: str, order_id: str, kind: str) -> dict[str, Any]:
        """An order's record of one kind; empty if there is none."""
        key = to_item({"pk": f"order#{order_id}", "sk": kind})
        found = self.application.client("dynamodb").get_item(TableName=self.tables[table], Key=key, ConsistentRead=True)
        return from_item(found.get("Item", {}))

    def states(self) -> dict[str, str]:
        """order -> state, of this test's orders"""
        return {
            item["order_id"]: item["state"]
            for item in self.application.items(self.tables["order"])
            if item["order_id"].startswith(f"{self.run}-")
        }

    def mails(self) -> list[mailbox.Mail]:
        """The mail to this test's customers."""
        return [mail for mail in mailbox.sent(self.application.endpoint) if mail.to[0].startswith(f"{self.run}-")]

    def waiting(self) -> int:
        """How many messages are in the inboxes, those under way and delayed included."""
        names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ]
        sqs = self.application.client("sqs")
        return sum(
            int(value)
            for name in SUBSCRIBERS
            for value in sqs.get_queue_attributes(
                QueueUrl=self.application.subscriber(f"order_workflow/{name}").inbox_url, AttributeNames=names
            )["Attributes"].values()
        )

    @cached_property
    def tables(self) -> dict[str, str]:
        """The tables by what they hold."""
        variables = {"order": "workflow", "payment": "payment", "stock": "inventory", "notification": "notification"}
        return {
            kind: self.application.subscriber(f"order_workflow/{name}").environment[f"{kind.upper()}_TABLE"]
            for kind, name in variables.items()
        }


@pytest.fixture(scope="package")
def deployed(
    application: Application, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Application, Provider]]:
    """`sam build -t` and `sam deploy` of this use case alone, with a secret that leads to the provider."""
    with payment_provider() as provider:
        secret = application.client("secretsmanager").create_secret(
            Name=f"payments-{uuid.uuid4().hex}",
            SecretString=json.dumps({"url": provider.url, "api_key": API_KEY}),
        )["ARN"]
        built = tmp_path_factory.mktemp("build")
        config = ["--config-file", str(ROOT / "samconfig.toml"), "--config-env", "local"]
        template = "usecases/order_workflow/template.yaml"
        _sam(application, ROOT, "build", "-t", template, "--build-dir", str(built), *config)
        overrides = {
            "Stage": "local",
            "InvokedVersion": "latest",
            "Runtime": engine_runtime(),
            "SenderAddress": "alone@example.com",
            "PaymentProviderSecretArn": secret,
        }
        pairs = [f"{name}={value}" for name, value in overrides.items()]
        deploy = ["deploy", "-t", str(built / "template.yaml"), *config, "--stack-name", STACK]
        _sam(application, ROOT, *deploy, "--parameter-overrides", *pairs)
        yield Application(application.state, stack_name=STACK), provider


def _sam(application: Application, folder: Path, *arguments: str) -> None:
    found = subprocess.run(
        ["sam", *arguments], cwd=folder, env=application.environment(), capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.fixture
def shop(deployed: tuple[Application, Provider]) -> Iterator[Shop]:
    """The shop for one test, with articles and orders of its own."""
    application, provider = deployed
    made = Shop(application, provider, uuid.uuid4().hex[:12])
    yield made
    provider.silent.clear()
    provider.slowest = 0.0
    until(lambda: made.waiting() == 0, "nothing of this test is under way any more", seconds=90)


class Watcher(Listener):
    """A queue that receives everything published to the topic, read for the orders of one test."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(shop.application.client, shop.application.topic("NewOrder"), f"watcher-{shop.run}")
        self._orders = f"{shop.run}-"

    def read(self) -> list[dict[str, Any]]:
        """Return the events about this test's orders that were published since the last call."""
        found = self.received()
        return [event for event in found if str(event.get("data", {}).get("order_id", "")).startswith(self._orders)]


@pytest.fixture
def watcher(shop: Shop) -> Iterator[Watcher]:
    made = Watcher(shop)
    yield made
    made.close()
