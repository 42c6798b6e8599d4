"""customer_notification: one mail per order, ever."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from fanout.contracts.order_processing import Line
from fanout.event import Event, encode
from fanout.testing import LambdaContext, lambda_event
from order_processing import order_mail
from order_processing.handlers import customer_notification, payment, shipping
from tests.submitted_orders import submitted

from ..conftest import Deployed, mail_fails
from .conftest import SENDER, Account

Items = Callable[[str], list[dict[str, Any]]]


def recipients(account: Account) -> list[str]:
    return [mail.destinations["ToAddresses"][0] for mail in account.mails]


def test_an_order_is_acknowledged_once_however_often_it_is_delivered(account: Account, items: Items) -> None:
    event = submitted()
    assert account.deliver("customer_notification", event, event, submitted(event_id="another event")) == [
        "processed",
        "duplicate",
        "duplicate",
    ]
    assert recipients(account) == ["ada@example.org"]
    assert account.mails[0].source == SENDER
    [record] = items("notification")
    assert (record["pk"], record["state"]) == ("once#order#o-1", "done")
    assert "expires_at" not in record, "an order's mail is remembered forever"


def test_the_mail_says_what_was_ordered_in_the_customer_s_language(account: Account) -> None:
    mail = order_mail
    english = mail.render(submitted(locale="en-GB", weights=(1, 2)).data)
    assert english.subject == "We have received your order o-1"
    assert english.text.splitlines()[4:] == [
        "2 × Mug, blue: 25.00 EUR",
        "1 × TEA: 8.90 EUR",
        "Total: 33.90 EUR",
        "",
        "It comes in 2 parcels.",
        "",
        "Your shop",
    ]
    german = mail.render(submitted(locale="de-AT").data)
    assert (german.locale, "Summe: 33,90 EUR" in german.text, "in einem Paket" in german.text) == ("de", True, True)
    assert mail.render(submitted(locale="ja").data).locale == "en"


def test_text_from_a_customer_or_a_producer_stays_text(account: Account) -> None:
    lines = (Line(sku="X", quantity=1, unit_price=5, description="<b>$order</b>\r\n&"),)
    mail = order_mail.render(submitted(lines=lines).data)
    assert "<b>" not in mail.html
    assert "1 × &lt;b&gt;$order&lt;/b&gt; &amp;: 0.05 EUR" in mail.html
    assert "1 × <b>$order</b> &: 0.05 EUR" in mail.text


def test_an_undeliverable_address_is_rejected_without_being_quoted(account: Account) -> None:
    [(outcome, reason)] = account.receipts("customer_notification", submitted(email="ada@@example.org"))
    assert (outcome, reason.split(":")[0]) == ("rejected", "malformed-address")
    assert "ada" not in reason
    assert account.mails == []


def test_a_mail_that_may_have_been_sent_is_never_sent_again(account: Account) -> None:
    event: Event[Any] = submitted()
    with mail_fails(ReadTimeoutError(endpoint_url="https://email.example"), sent=True):
        [(outcome, reason)] = account.receipts("customer_notification", event)
    assert (outcome, reason.split(":")[0]) == ("rejected", "outcome-unknown")
    account.deliver("customer_notification", event)
    assert recipients(account) == ["ada@example.org"]


def test_no_log_line_says_who_ordered_what(
    account: Account, deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    event = submitted("o-secret", email="ada@example.org")
    records = [account.queues.put(encode(event).decode())]
    for module in (payment, shipping, customer_notification):
        deployed(module).handler(lambda_event(records), LambdaContext())
    written = capsys.readouterr()
    assert event.id in written.out
    for secret in ("ada@", "Ada Example", "Beispielweg", "Mug", "customer-of-a-test"):
        assert secret not in written.out + written.err
