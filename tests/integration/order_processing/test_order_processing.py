"""order_processing on the engine: three subscribers, none of which another can block."""

import json
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from fanout.event import Event, encode
from fanout.identity import new_id
from local_engine import mailbox
from tests.integration.application import Application
from tests.integration.faults.crash_injection import struck, wait_for_strike
from tests.integration.providing import providing
from tests.payment_provider import payment_provider
from tests.submitted_orders import submitted
from tests.waiting import until

PAYMENT, SHIPPING, NOTIFICATION = (
    f"order_processing/{name}" for name in ("payment", "shipping", "customer_notification")
)
EVERYONE = (PAYMENT, SHIPPING, NOTIFICATION)


def order(**fields: Any) -> Event[Any]:
    """An order of its own, with an address of its own."""
    order_id = f"o-{new_id()}"
    return submitted(order_id, email=f"{order_id}@example.org", **fields)


def table(application: Application, subscriber: str, variable: str) -> list[dict[str, Any]]:
    return application.items(application.subscriber(subscriber).environment[variable])


def payments(application: Application, events: Iterable[Event[Any]]) -> dict[str, str]:
    """order -> state of its payment, of these orders"""
    wanted = {event.data.order_id for event in events}
    return {
        item["order_id"]: item["state"]
        for item in table(application, PAYMENT, "PAYMENT_TABLE")
        if item["order_id"] in wanted
    }


def labels(application: Application, events: Iterable[Event[Any]]) -> Counter[str]:
    """How many labels each of these orders has."""
    wanted = {event.data.order_id for event in events}
    items = table(application, SHIPPING, "LABEL_TABLE")
    return Counter(item["order_id"] for item in items if item["sk"] == "label" and item["order_id"] in wanted)


def mails(application: Application, events: Iterable[Event[Any]]) -> Counter[str]:
    """How many mails were sent about each of these orders."""
    orders = {event.data.customer.email: event.data.order_id for event in events}
    sent = mailbox.sent(application.endpoint)
    return Counter(orders[mail.to[0]] for mail in sent if mail.to[0] in orders)


def test_an_order_is_paid_shipped_and_acknowledged(application: Application) -> None:
    event = order(country="FR", weights=(500, 5_000))
    application.publish("OrderProcessing", [event, event])
    for name in EVERYONE:
        until(
            lambda name=name: len(application.receipts(name, [event.id])) == 2,  # type: ignore[misc]
            f"two receipts of {name}",
            seconds=30,
        )
        outcomes = Counter(receipt.outcome for receipt in application.receipts(name, [event.id]))
        assert outcomes == {"processed": 1, "duplicate": 1}
    order_id = event.data.order_id
    assert payments(application, [event]) == {order_id: "captured"}
    assert labels(application, [event]) == mails(application, [event]) == {order_id: 1}
    [label] = [item for item in table(application, SHIPPING, "LABEL_TABLE") if item["pk"] == f"order#{order_id}"]
    assert [parcel["service"] for parcel in label["parcels"]] == ["letter-tracked-eu", "parcel-eu"]


def test_an_invalid_order_between_valid_ones_is_dead_lettered_by_every_subscriber_and_affects_no_other(
    application: Application,
) -> None:
    good, poison = [order() for _ in range(4)], new_id()
    body = json.loads(encode(order()))
    application.publish("OrderProcessing", good[:2])
    application.publish_text(
        "OrderProcessing", json.dumps({**body, "id": poison, "data": {**body["data"], "total": 1}})
    )
    application.publish("OrderProcessing", good[2:])
    assert application.outcomes(poison) == dict.fromkeys(EVERYONE, "rejected")
    for event in good:
        assert application.outcomes(event.id) == dict.fromkeys(EVERYONE, "processed")
    for name in EVERYONE:
        [dead_letter] = [each for each in application.dead_letters(name) if each.get("event_id") == poison]
        assert "total is 1, its lines come to 3390" in dead_letter["reason"]


def test_each_inbox_has_a_concurrency_limit_of_its_own(application: Application) -> None:
    limits = []
    for name in EVERYONE:
        function = application.subscriber(name).function_name
        [mapping] = application.client("lambda").list_event_source_mappings(FunctionName=function)[
            "EventSourceMappings"
        ]
        limits.append(mapping["ScalingConfig"]["MaximumConcurrency"])
    assert limits == [5, 20, 10]


def test_while_payment_fails_the_other_subscribers_finish_and_payment_catches_up(application: Application) -> None:
    """60 orders, some twice. The provider does not come back before everything else is done."""
    with payment_provider() as provider, providing(application, PAYMENT, provider):
        healthy, began = [order() for _ in range(60)], time.monotonic()
        application.publish("OrderProcessing", healthy)
        wait_for_the_others(application, healthy)
        usual = time.monotonic() - began
        until(lambda: set(payments(application, healthy).values()) == {"captured"}, "all are paid", seconds=60, every=1)

        provider.is_down = True
        events = [order() for _ in range(60)]
        began = time.monotonic()
        application.publish("OrderProcessing", [*events, *events[:10]])
        wait_for_the_others(application, events)
        took = time.monotonic() - began
        assert took < 3 * usual + 5, "payment holds the others up"
        until(
            lambda: sum(provider.requests["captures", event.data.order_id] > 1 for event in events) > 30,
            "payment has failed again and again",
            seconds=60,
            every=0.5,
        )
        assert set(payments(application, events).values()) == {"capturing"}
        ids = [event.id for event in events]
        for name in (SHIPPING, NOTIFICATION):
            first = [each for each in application.receipts(name, ids) if each.outcome == "processed"]
            assert {each.attempt for each in first} == {1}

        provider.is_down = False
        until(
            lambda: Counter(payments(application, events).values()) == {"captured": 60},
            "payment catches up",
            seconds=120,
            every=1,
        )
        everything = [*healthy, *events]
        assert provider.authorized == {event.data.order_id: 3390 for event in everything}
        assert provider.complaints == []
    once = {event.data.order_id: 1 for event in everything}
    assert labels(application, everything) == mails(application, everything) == once
    ids = {event.id for event in everything}
    for name in EVERYONE:
        assert not [each for each in application.dead_letters(name) if each.get("event_id") in ids]


def wait_for_the_others(application: Application, events: list[Event[Any]]) -> None:
    """Wait until every order has its label and its mail."""
    until(lambda: len(labels(application, events)) == len(events), "every order has its label", seconds=90, every=0.3)
    until(lambda: len(mails(application, events)) == len(events), "every order has its mail", seconds=90, every=0.3)


@pytest.mark.parametrize("at", ["before PutItem", "after PutItem", "before UpdateItem", "after UpdateItem"])
def test_a_payment_killed_at_any_point_is_captured_once(application: Application, tmp_path: Path, at: str) -> None:
    event = order()
    with payment_provider() as provider, providing(application, PAYMENT, provider):
        application.__dict__.pop("topology", None)  # the crash_injection must see the provider
        with struck(application, PAYMENT, at, tmp_path):
            application.publish("OrderProcessing", [event])
            wait_for_strike(tmp_path)
            assert application.outcomes(event.id)[PAYMENT] in {"processed", "duplicate"}
        assert provider.authorized == {event.data.order_id: 3390}
        assert provider.complaints == []
    assert payments(application, [event]) == {event.data.order_id: "captured"}


@pytest.mark.parametrize("at", ["before TransactWriteItems", "after TransactWriteItems", "before acknowledgement"])
def test_a_label_maker_killed_at_any_point_leaves_one_label(application: Application, tmp_path: Path, at: str) -> None:
    event = order()
    with struck(application, SHIPPING, at, tmp_path):
        application.publish("OrderProcessing", [event])
        wait_for_strike(tmp_path)
        assert application.outcomes(event.id)[SHIPPING] in {"processed", "duplicate"}
    assert labels(application, [event]) == {event.data.order_id: 1}
