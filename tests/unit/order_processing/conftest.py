"""The account that order_processing's functions run in: tables, a verified sender, a payment provider."""

import json
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from fanout.event import Event, encode
from fanout.testing import REGION, LambdaContext, lambda_event
from tests.payment_provider import API_KEY, Provider, payment_provider
from tests.unit.conftest import Deployed, Queues

SENDER = "orders@example.com"


class Account:
    """The functions of the use case, each with its queue and its store."""

    def __init__(
        self,
        queues: Queues,
        deployed: Deployed,
        lines: Callable[[str], list[dict[str, Any]]],
    ) -> None:
        self.queues = queues
        self._deployed = deployed
        self._lines = lines

    def receipts(self, module: ModuleType, *events: Event[Any] | str) -> list[tuple[str, str]]:
        """Deliver events in one batch; return (outcome, reason) of each receipt, in order."""
        bodies = [event if isinstance(event, str) else encode(event).decode() for event in events]
        records = [self.queues.put(body) for body in bodies]
        self._deployed(module).handler(lambda_event(records), LambdaContext())
        return [(receipt["outcome"], receipt["reason"] or "") for receipt in self._lines("receipt")]

    def deliver(self, module: ModuleType, *events: Event[Any] | str) -> list[str]:
        """The same, but the outcomes only."""
        return [outcome for outcome, _ in self.receipts(module, *events)]

    @property
    def mails(self) -> list[Any]:
        """Every mail that went out."""
        sent: list[Any] = ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages
        return sent


@pytest.fixture(autouse=True)
def account(
    queues: Queues,
    make_table: Callable[[str], str],
    deployed: Deployed,
    monkeypatch: pytest.MonkeyPatch,
    lines: Callable[[str], list[dict[str, Any]]],
) -> Account:
    for name in ("payment", "label", "notification"):
        monkeypatch.setenv(f"{name.upper()}_TABLE", make_table(name))
    monkeypatch.setenv("SENDER_ADDRESS", SENDER)
    boto3.client("ses", region_name=REGION).verify_email_identity(EmailAddress=SENDER)
    return Account(queues, deployed, lines)


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
