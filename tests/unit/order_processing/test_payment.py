"""payment: each order's total is captured once, at the provider too, under every fault."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fanout import aws
from fanout.dynamodb import to_item
from fanout.event import encode
from order_processing.handlers import payment
from tests.payment_provider import Provider
from tests.submitted_orders import costing, submitted

from .conftest import Account

Items = Callable[[str], list[dict[str, Any]]]


def test_an_order_is_captured_and_recorded(account: Account, provider: Provider, items: Items) -> None:
    assert account.deliver("payment", submitted()) == ["processed"]
    [record] = items("payment")
    assert (record["pk"], record["sk"], record["state"]) == ("order#o-1", "payment", "captured")
    assert (record["amount"], record["currency"], record["provider"]) == (3390, "EUR", "http")
    assert record["reference"] == "capt_o-1"
    assert provider.authorized == {"o-1": 3390}


def test_an_order_is_captured_once_however_often_it_is_delivered(account: Account, provider: Provider) -> None:
    event = submitted()
    assert account.deliver("payment", event, event, submitted(event_id="another event")) == [
        "processed",
        "duplicate",
        "duplicate",
    ]
    assert provider.requests == {("captures", "o-1"): 1}


def test_while_the_provider_is_down_orders_are_retried_and_then_captured_once(
    account: Account, provider: Provider, items: Items
) -> None:
    provider.is_down = True
    events = [submitted(f"o-{number}") for number in range(3)]
    for _ in range(3):
        assert account.receipts("payment", *events) == [("retrying", "payment: the provider answers 503")] * 3
    assert {record["state"] for record in items("payment")} == {"capturing"}
    provider.is_down = False
    assert account.deliver("payment", *events, *events) == ["processed"] * 3 + ["duplicate"] * 3
    assert provider.authorized == {"o-0": 3390, "o-1": 3390, "o-2": 3390}
    assert provider.complaints == []


@pytest.mark.guarantee("exactly-once-effect/payment-key")
def test_when_the_provider_s_response_is_lost_the_request_is_repeated_with_the_same_key(
    account: Account, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(**_: Any) -> None:
        raise TimeoutError

    with monkeypatch.context() as patch:
        patch.setattr(aws.client("dynamodb"), "update_item", lose)
        assert account.deliver("payment", submitted()) == ["retrying"]
    assert account.deliver("payment", submitted()) == ["processed"]
    assert provider.requests["captures", "o-1"] == 2
    assert (provider.authorized, provider.complaints) == ({"o-1": 3390}, [])


def test_a_declined_payment_is_recorded_with_the_provider_s_code_and_not_requested_again(
    account: Account, provider: Provider, items: Items
) -> None:
    provider.declined.add("o-1")
    assert account.deliver("payment", submitted(), submitted()) == ["processed", "duplicate"]
    [record] = items("payment")
    assert (record["state"], record["code"]) == ("declined", "card_declined")
    assert "reference" not in record


def test_another_order_under_the_same_id_is_rejected(account: Account, provider: Provider) -> None:
    account.deliver("payment", submitted())
    [(outcome, reason)] = account.receipts("payment", submitted(lines=costing(100)))
    assert (outcome, reason.split(":")[0]) == ("rejected", "conflict")
    assert provider.authorized == {"o-1": 3390}


def test_after_a_day_without_a_response_an_operator_must_find_out_and_deleting_the_record_starts_again(
    account: Account, provider: Provider
) -> None:
    provider.is_down = True
    account.deliver("payment", submitted())
    key = to_item({"pk": "order#o-1", "sk": "payment"})
    long_ago = (datetime.now(UTC) - timedelta(hours=25)).isoformat()
    aws.client("dynamodb").update_item(
        TableName="payment",
        Key=key,
        UpdateExpression="SET begun_at = :then",
        ExpressionAttributeValues=to_item({":then": long_ago}),
    )
    provider.is_down = False
    [(outcome, reason)] = account.receipts("payment", submitted())
    assert (outcome, reason.split(":")[0]) == ("rejected", "outcome-unknown")
    assert provider.authorized == {}
    aws.client("dynamodb").delete_item(TableName="payment", Key=key)
    assert account.deliver("payment", submitted()) == ["processed"]


def test_a_payment_never_changes_its_provider(
    account: Account, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.is_down = True
    account.deliver("payment", submitted())
    monkeypatch.delenv("PAYMENT_PROVIDER_SECRET_ARN")
    payment._provider.cache_clear()
    payment.settings.payment.cache_clear()
    [(outcome, reason)] = account.receipts("payment", submitted())
    assert (outcome, reason.split(":")[0]) == ("rejected", "provider-changed")


@pytest.mark.parametrize(
    ("cents", "state"), [(100, "captured"), (1001, "declined"), (1002, "declined"), (1003, "declined")]
)
def test_without_a_provider_the_sandbox_decides_by_the_amount(
    account: Account, items: Items, cents: int, state: str
) -> None:
    assert account.deliver("payment", submitted(lines=costing(cents))) == ["processed"]
    [record] = items("payment")
    assert (record["provider"], record["state"]) == ("sandbox", state)
    assert state == "declined" or record["reference"].startswith("sandbox-")


def test_the_sandbox_can_be_a_provider_that_is_down(account: Account) -> None:
    assert account.deliver("payment", submitted(lines=costing(1009))) == ["retrying"]


def test_an_invalid_order_between_valid_ones_affects_no_other(account: Account, provider: Provider) -> None:
    wrong_total = encode(submitted("o-2")).decode().replace('"total":3390', '"total":3391')
    outcomes = account.receipts("payment", submitted("o-1"), wrong_total, "{", submitted("o-3"))
    assert [outcome for outcome, _ in outcomes] == ["processed", "rejected", "rejected", "processed"]
    assert "total is 3391, its lines come to 3390" in outcomes[1][1]
    assert provider.authorized == {"o-1": 3390, "o-3": 3390}
