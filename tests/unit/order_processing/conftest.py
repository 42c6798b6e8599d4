"""The account that order_processing's functions run in: tables, a verified sender, a payment provider."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from fanout.testing import REGION
from tests.unit.conftest import Functions, Harness

SENDER = "orders@example.com"


class Account(Functions):
    """The functions of the use case, and the mails they send."""

    @property
    def mails(self) -> list[Any]:
        """Every mail that was sent."""
        sent: list[Any] = ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages
        return sent


@pytest.fixture(autouse=True)
def account(harness: Harness, make_table: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Account:
    for name in ("payment", "label", "notification"):
        monkeypatch.setenv(f"{name.upper()}_TABLE", make_table(name))
    monkeypatch.setenv("SENDER_ADDRESS", SENDER)
    boto3.client("ses", region_name=REGION).verify_email_identity(EmailAddress=SENDER)
    return Account("order_processing", harness)
