"""The account that user_registration's functions run in: tables, the key, a verified sender, SES's outbox."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from fanout.contracts.user_registration import UserRegistered
from fanout.event import Event
from fanout.testing import REGION, LambdaContext, lambda_event

from ..conftest import Queues, mail_fails, spy

SENDER = "welcome@example.com"
KEY = "k" * 64


@pytest.fixture(autouse=True)
def account(queues: Queues, make_table: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Queues:
    monkeypatch.setenv("MAIL_TABLE", make_table("mail"))
    monkeypatch.setenv("ANALYTICS_TABLE", make_table("analytics"))
    monkeypatch.setenv("SENDER_ADDRESS", SENDER)
    monkeypatch.setenv("CONFIGURATION_SET", "welcome")
    secret = boto3.client("secretsmanager", region_name=REGION).create_secret(Name="hash-key", SecretString=KEY)
    monkeypatch.setenv("EMAIL_HASH_KEY_SECRET_ARN", secret["ARN"])
    boto3.client("ses", region_name=REGION).verify_email_identity(EmailAddress=SENDER)
    return queues


class Ses:
    """Amazon SES as the functions reach it: what it took, what it was asked, and how it is made to fail."""

    def __init__(self) -> None:
        self.requests = spy("sesv2", "SendEmail", retries=False)
        self._failure = ExitStack()

    @property
    def outbox(self) -> list[str]:
        """The recipient of every mail that was sent."""
        sent = ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages
        return [message.destinations["ToAddresses"][0] for message in sent]

    def failing(self, error: BaseException, *, sending: bool) -> None:
        """Let every call raise `error`, before the mail is sent or, with `sending`, after."""
        self.works_again()
        self._failure.enter_context(mail_fails(error, sent=sending))

    def works_again(self) -> None:
        self._failure.close()


@pytest.fixture
def ses(account: Queues) -> Iterator[Ses]:
    made = Ses()
    yield made
    made.works_again()


def registration(
    user_id: str = "u-1", email: str = "ada@example.org", *, event_id: str | None = None, **fields: Any
) -> Event[UserRegistered]:
    data = UserRegistered(user_id=user_id, email=email, name=fields.pop("name", "Ada"), **fields)
    return Event.new(data, source="urn:test", id=event_id)


def deliver(module: ModuleType, *records: dict[str, Any]) -> Any:
    return module.handler(lambda_event(records), LambdaContext())


__all__ = ["Ses", "deliver", "registration", "spy"]
