"""notification: one mail per order, ever, that says how it ended."""

from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from fanout.contracts.order_workflow import CancellationReason, Line
from fanout.event import Event
from order_workflow import order_mail

from ..conftest import mail_fails
from .conftest import Account, cancelled, confirmed


def test_the_customer_is_notified_once_however_often_the_event_is_delivered(account: Account) -> None:
    event = confirmed()
    assert account.deliver("notification", event) == ["processed"]
    assert account.deliver("notification", event, confirmed()) == ["duplicate", "duplicate"]
    assert account.mails == ["ada@example.org"]
    record = account.item("notification", "once#order#o-1", "order_workflow/notification")
    assert (record["state"], record["details"]["event_type"]) == ("done", "order.confirmed.v1")
    assert "expires_at" not in record


def test_each_order_has_its_own_mail(account: Account) -> None:
    account.deliver("notification", confirmed("o-1"), cancelled("o-2"))
    assert account.mails == ["ada@example.org"] * 2


def test_an_order_without_an_address_is_discarded_and_says_why(account: Account) -> None:
    assert account.reasons("notification", confirmed(email=None))[0].startswith("no-address: ")
    assert account.mails == []


def test_an_undeliverable_address_is_rejected(account: Account) -> None:
    assert account.deliver("notification", confirmed(email="ada@@example.org")) == ["rejected"]


def test_a_mail_that_may_have_been_sent_is_never_sent_again(account: Account) -> None:
    account.module("notification")
    event = confirmed()
    with mail_fails(ReadTimeoutError(endpoint_url="https://email.example"), sent=True):
        assert account.deliver("notification", event) == ["rejected"]
    account.item("notification", "once#order#o-1", "order_workflow/notification")
    assert account.deliver("notification", event) in (["rejected"], ["retrying"])
    assert account.mails == ["ada@example.org"]


def test_the_confirmation_lists_the_order_and_names_a_sandbox() -> None:
    event = confirmed(lines=(Line(sku="MUG", quantity=2, unit_price=1250, description="Blue  mug\n& <saucer>"),))
    written = order_mail.render(event.data)
    assert written.subject == "Your order o-1 is confirmed"
    assert "2 × Blue mug & <saucer>: 25.00 EUR\nTotal: 25.00 EUR" in written.text
    assert "Blue mug &amp; &lt;saucer&gt;" in written.html
    assert "sandbox" not in written.text
    sandboxed = order_mail.render(type(event.data)(**{**_fields(event), "payment_provider": "sandbox"}))
    assert "paid in a sandbox: it is a test, and no money was taken" in sandboxed.text
    assert "sandbox" in sandboxed.html


def _fields(event: Event[Any]) -> dict[str, Any]:
    return {name: getattr(event.data, name) for name in event.data.__struct_fields__}


@pytest.mark.parametrize("reason", CancellationReason.__args__)
@pytest.mark.parametrize("locale", ["en", "de"])
def test_a_cancellation_states_its_reason_in_every_language(locale: str, reason: CancellationReason) -> None:
    written = order_mail.render(cancelled(reason=reason, locale=locale).data)
    assert order_mail._TEMPLATES.words(locale)[1].reasons[reason] in written.text
    assert "$" not in written.subject + written.text + written.html


@pytest.mark.parametrize(
    ("asked", "got"), [("de", "de"), ("de-AT", "de"), ("en-GB", "en"), ("ja", "en"), ("zh-Hant-TW", "en")]
)
def test_the_mail_is_written_in_the_nearest_available_language(asked: str, got: str) -> None:
    assert order_mail.render(confirmed(locale=asked).data).locale == got


@pytest.mark.parametrize(
    ("amount", "currency", "written"),
    [
        (1234, "EUR", "12.34 EUR"),
        (5, "USD", "0.05 USD"),
        (100, "EUR", "1.00 EUR"),
        (1234, "JPY", "1234 JPY"),
        (1234, "KWD", "1.234 KWD"),
        (10**15, "EUR", "10000000000000.00 EUR"),
    ],
)
def test_money_is_written_with_the_digits_of_its_currency(amount: int, currency: str, written: str) -> None:
    assert order_mail.money(amount, currency, ".") == written
