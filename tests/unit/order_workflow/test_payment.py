"""payment: the money of each order is taken once at most, and given back once where the order is cancelled."""

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from fanout.contracts.order_workflow import Line
from fanout.integrations.http import post_json
from fanout.testing import REGION
from order_workflow import settings
from tests.payment_provider import Provider

from .conftest import Account, cancelled, placed


def state(account: Account, order_id: str = "o-1") -> str:
    return account.state("payment", order_id, "payment")


def published_types(account: Account) -> list[str]:
    return [event.type for event in account.published()]


def test_the_total_is_authorised_once_and_every_duplicate_publishes_the_same_event_again(
    account: Account, provider: Provider
) -> None:
    event = placed()
    assert account.deliver("payment", event) == ["processed"]
    [first] = account.published()
    assert (first.type, first.data.amount, first.data.reference) == ("payment.authorized.v1", 3390, "auth_o-1")
    assert first.causationid == event.id
    assert account.deliver("payment", event, placed()) == ["duplicate", "duplicate"]
    assert account.published() == [first, first]
    assert provider.requests["authorizations", "o-1"] == 1


def test_a_declined_payment_is_an_outcome_not_a_failure(account: Account, provider: Provider) -> None:
    provider.declined.add("o-1")
    assert account.deliver("payment", placed()) == ["processed"]
    [event] = account.published()
    assert (event.type, event.data.code, state(account)) == ("payment.declined.v1", "card_declined", "declined")


def test_a_cancelled_order_is_refunded_once(account: Account, provider: Provider) -> None:
    account.deliver("payment", placed())
    account.published()
    cancellation = cancelled()
    assert account.deliver("payment", cancellation) == ["processed"]
    [refund] = account.published()
    assert (refund.type, refund.data.amount) == ("payment.refunded.v1", 3390)
    assert account.deliver("payment", cancellation) == ["duplicate"]
    assert account.published() == [refund]
    assert (provider.refunded, provider.requests["refunds", "o-1"]) == ({"o-1": 3390}, 1)


def test_a_cancellation_that_arrives_first_leaves_a_tombstone(account: Account, provider: Provider) -> None:
    assert account.deliver("payment", cancelled()) == ["processed"]
    assert account.deliver("payment", placed()) == ["discarded"]
    assert account.deliver("payment", cancelled()) == ["duplicate"]
    assert (state(account), published_types(account), provider.requests) == ("void", [], {})


def test_a_declined_order_that_is_cancelled_has_nothing_to_be_refunded(account: Account, provider: Provider) -> None:
    provider.declined.add("o-1")
    account.deliver("payment", placed())
    account.published()
    assert account.deliver("payment", cancelled()) == ["processed"]
    assert (published_types(account), provider.requests["refunds", "o-1"]) == ([], 0)


def test_a_payment_without_a_response_is_found_and_refunded_by_the_cancellation(
    account: Account, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider has the money, and no response said so."""
    monkeypatch.setattr(post_json, "__kwdefaults__", {**(post_json.__kwdefaults__ or {}), "timeout": 0.3})
    provider.silent.add("o-1")
    assert account.reasons("payment", placed()) == ["payment: the provider does not answer (TimeoutError)"]
    assert (state(account), provider.authorized) == ("authorizing", {"o-1": 3390})
    assert account.deliver("payment", cancelled()) == ["retrying"]
    provider.silent.clear()
    assert account.deliver("payment", placed()) == ["discarded"], "the cancellation sees to it"
    assert account.deliver("payment", cancelled()) == ["processed"]
    assert published_types(account) == ["payment.authorized.v1", "payment.refunded.v1"]
    assert (provider.refunded, provider.complaints) == ({"o-1": 3390}, [])


def test_an_order_cancelled_while_its_payment_is_under_way_is_refunded(account: Account, provider: Provider) -> None:
    """The cancellation is delivered between the provider's answer and its recording."""
    payments = account.module("payment").records()
    update = payments.update
    crossed: list[str] = []

    def crossing(order_id: str, change: Any) -> Any:
        if provider.authorized and not crossed:
            crossed.append(order_id)
            assert account.deliver("payment", cancelled()) == ["processed"]
        return update(order_id, change)

    payments.update = crossing
    account.deliver("payment", placed())
    assert crossed
    assert (state(account), provider.authorized, provider.refunded) == ("refunded", {"o-1": 3390}, {"o-1": 3390})
    assert provider.complaints == []
    assert published_types(account) == ["payment.authorized.v1", "payment.refunded.v1", "payment.authorized.v1"]


@pytest.mark.parametrize("strike", ["settle", "begin_refund", "refund"])
def test_after_a_crash_at_any_step_the_money_is_refunded_and_every_event_published(
    account: Account, provider: Provider, monkeypatch: pytest.MonkeyPatch, strike: str
) -> None:
    """Killed right after the step is recorded, then redelivered."""
    module = account.module("payment")
    records = module.records()
    update = records.update
    struck: list[str] = []

    def killed_after(order_id: str, change: Any) -> Any:
        before = records.read(order_id)[0].state
        result = update(order_id, change)
        step = {"authorizing": "settle", "authorized": "begin_refund", "refunding": "refund"}.get(before)
        if step == strike and not struck and result[1]:
            struck.append(step)
            raise SystemExit
        return result

    monkeypatch.setattr(records, "update", killed_after)
    for event in (placed(event_id="placed"), cancelled()):
        try:
            account.deliver("payment", event)
        except SystemExit:
            account.deliver("payment", event)
    assert struck
    assert {event.type for event in account.published()} == {"payment.authorized.v1", "payment.refunded.v1"}
    assert (provider.authorized, provider.refunded, provider.complaints) == ({"o-1": 3390}, {"o-1": 3390}, [])


def test_two_deliveries_at_the_same_time_charge_once(
    account: Account, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have seen that nothing was asked for yet; the provider recognises the key."""
    module = account.module("payment")
    settle, both = module._settle, threading.Barrier(2)
    answers: list[Any] = []

    def together(payment: Any) -> Any:
        both.wait(5)
        return settle(payment)

    monkeypatch.setattr(module, "_settle", together)
    event = placed()
    threads = [threading.Thread(target=lambda: answers.append(module._authorize(event))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(answers) == 2
    assert (provider.authorized, provider.complaints) == ({"o-1": 3390}, [])
    assert len({event.id for event in account.published()}) == 1


def test_another_total_under_the_same_id_is_rejected_and_charges_nothing(account: Account, provider: Provider) -> None:
    account.deliver("payment", placed())
    other = placed(lines=(Line(sku="MUG", quantity=1, unit_price=1),))
    assert account.reasons("payment", other)[0].startswith("conflict: ")
    assert provider.authorized == {"o-1": 3390}


def test_a_payment_older_than_a_day_needs_an_operator(account: Account, provider: Provider) -> None:
    module = account.module("payment")
    begun = datetime.now(UTC) - timedelta(hours=25)
    module.records().update("o-1", lambda found: found.begin(placed(), "http", begun))
    assert account.reasons("payment", placed())[0].startswith("outcome-unknown: ")
    assert provider.requests == {}, "a provider may take a forgotten key for a new one"


@pytest.mark.parametrize(("ending", "code"), [(1, "card_declined"), (2, "insufficient_funds"), (3, "expired_card")])
def test_the_sandbox_declines_its_documented_amounts(account: Account, ending: int, code: str) -> None:
    event = placed(lines=(Line(sku="MUG", quantity=1, unit_price=1200 + ending),))
    account.deliver("payment", event)
    [outcome] = account.published()
    assert (outcome.type, outcome.data.code, outcome.data.provider) == ("payment.declined.v1", code, "sandbox")


def test_without_a_provider_every_event_names_the_sandbox(account: Account) -> None:
    account.deliver("payment", placed(), cancelled())
    outcome, refund = account.published()
    assert {outcome.data.provider, refund.data.provider} == {"sandbox"}
    assert outcome.data.reference.startswith("sandbox-")
    assert account.item("payment", "order#o-1", "payment")["provider"] == "sandbox"


def test_the_silent_amount_of_the_sandbox_is_retried(account: Account) -> None:
    event = placed(lines=(Line(sku="MUG", quantity=1, unit_price=1209),))
    assert account.deliver("payment", event) == ["retrying"]


def test_a_refund_goes_to_the_provider_of_the_payment(
    account: Account, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sandbox took it; then a provider was configured."""
    with monkeypatch.context() as before:
        before.setenv("PAYMENT_PROVIDER_SECRET_ARN", "")
        account.deliver("payment", placed())
    settings.payment.cache_clear()
    account.deliver("payment", cancelled())
    assert [event.data.provider for event in account.published()] == ["sandbox", "sandbox"]
    assert provider.requests == {}


def test_a_new_key_is_used_as_soon_as_the_old_one_is_refused(account: Account, provider: Provider) -> None:
    secrets = boto3.client("secretsmanager", region_name=REGION)
    good = secrets.get_secret_value(SecretId="payments")["SecretString"]
    secrets.put_secret_value(SecretId="payments", SecretString=json.dumps({**json.loads(good), "api_key": "old"}))
    event = placed()
    assert account.reasons("payment", event) == ["payment: the provider answers 401"]
    secrets.put_secret_value(SecretId="payments", SecretString=good)
    assert account.deliver("payment", event) == ["processed"]


def test_an_invalid_secret_is_retried_until_it_is_fixed(account: Account, provider: Provider) -> None:
    boto3.client("secretsmanager", region_name=REGION).put_secret_value(SecretId="payments", SecretString="hunter")
    assert account.deliver("payment", placed()) == ["retrying"]
    assert provider.requests == {}


def test_plain_http_is_refused_where_it_leaves_this_machine(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = json.dumps({"url": "http://payments.example.com", "api_key": "k"})
    arn = boto3.client("secretsmanager", region_name=REGION).create_secret(Name="plain", SecretString=secret)["ARN"]
    monkeypatch.setenv("PAYMENT_PROVIDER_SECRET_ARN", arn)
    monkeypatch.setenv("PAYMENT_PROVIDER_ON_LOOPBACK", "true")
    assert account.reasons("payment", placed()) == ["UnsafeUrlError"]
