"""order_workflow on the engine: what it takes from customers and from the shelves comes out right, to the unit."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fanout.contracts.order_workflow import OrderPlaced
from fanout.dynamodb import to_item
from fanout.event import Event, encode
from tests.integration.faults.crash_injection import held_back, struck, wait_for_strike
from tests.waiting import until

from .conftest import SUBSCRIBERS, Shop, Watcher

ORDERS = 500
ARTICLES = {f"A{number}": 12 + number % 9 for number in range(40)}
TERMINAL = {"order.confirmed.v1": "CONFIRMED", "order.cancelled.v1": "CANCELLED"}


def test_500_orders_over_scarce_stock_end_once_each_with_money_and_stock_conserved(
    shop: Shop, watcher: Watcher
) -> None:
    chance = random.Random(20261122)
    shop.stock(**ARTICLES)
    orders = [_some_order(shop, number, chance) for number in range(ORDERS)]
    declined = {event.data.order_id for event in orders if chance.random() < 0.15}
    shop.provider.declined |= declined
    shop.provider.slowest = 0.05
    poison = [_poisoned(event) for event in orders[:5]]
    again = chance.sample(orders, ORDERS // 10)
    shuffled = [*orders, *chance.sample(orders, ORDERS // 10)]
    chance.shuffle(shuffled)

    # The outcomes of the first half pile up while the workflow is not read, and then come in any order.
    with held_back(shop.application, "order_workflow/workflow"):
        shop.publish(*shuffled[: len(shuffled) // 2])
        for text in poison:
            shop.application.publish_text("NewOrder", text)
        until(lambda: len(shop.provider.requests) >= ORDERS // 4, "payments of orders without a decision", seconds=60)
    shop.publish(*shuffled[len(shuffled) // 2 :])
    events: list[dict[str, Any]] = []
    until(lambda: _ended(shop, watcher, events) == ORDERS, "every order has ended", seconds=240)
    shop.publish(*again)  # and everything that follows from them comes once more
    until(lambda: shop.waiting() == 0 and not events.extend(watcher.read()), "nothing is under way", seconds=120)
    events += watcher.read()

    ended = shop.states()
    decided = {
        (event["data"]["order_id"], TERMINAL[event["type"]], event["id"])
        for event in events
        if event["type"] in TERMINAL
    }
    assert Counter(order_id for order_id, _, _ in decided) == dict.fromkeys(ended, 1)
    assert {order_id: state for order_id, state, _ in decided} == ended
    assert set(ended) == {event.data.order_id for event in orders}

    done = [event.data for event in orders if ended[event.data.order_id] == "CONFIRMED"]
    assert done
    assert not declined & {order.order_id for order in done}
    _assert_stock_is_conserved(shop, done)
    _assert_money_is_conserved(shop, orders, done)
    _assert_reasons_are_true(shop, orders, events, declined)
    assert Counter(mail.to[0] for mail in shop.mails()) == {event.data.email: 1 for event in orders}
    for name in SUBSCRIBERS:
        everything = shop.application.dead_letters(f"order_workflow/{name}")
        dead_letters = [dead_letter for dead_letter in everything if shop.run in dead_letter["body"]]
        assert [dead_letter["outcome"] for dead_letter in dead_letters] == ["rejected"] * (
            0 if name == "notification" else len(poison)
        )
        assert all("its lines come to" in dead_letter["reason"] for dead_letter in dead_letters)


def _some_order(shop: Shop, number: int, chance: random.Random) -> Event[OrderPlaced]:
    lines = {sku: chance.randint(1, 3) for sku in chance.sample(list(ARTICLES), chance.randint(1, 3))}
    return shop.order(str(number), lines, price=chance.randint(1, 10_000))


def _poisoned(event: Event[OrderPlaced]) -> str:
    document = json.loads(encode(event))
    document["data"] |= {"total": event.data.total + 1}
    return json.dumps({**document, "id": f"poison-{event.id}"})


def _ended(shop: Shop, watcher: Watcher, events: list[dict[str, Any]]) -> int:
    """How many orders are known to have ended, by what was published."""
    events += watcher.read()
    return len({event["data"]["order_id"] for event in events if event["type"] in TERMINAL})


def _assert_stock_is_conserved(shop: Shop, done: list[OrderPlaced]) -> None:
    held = Counter[str]()
    for order in done:
        held.update({sku.removeprefix(f"{shop.run}-"): count for sku, count in order.quantities().items()})
    assert shop.in_stock() == {sku: (count - held[sku], held[sku]) for sku, count in ARTICLES.items()}
    assert all(available >= 0 for available, _ in shop.in_stock().values())


def _assert_money_is_conserved(shop: Shop, orders: list[Event[OrderPlaced]], done: list[OrderPlaced]) -> None:
    ours = {event.data.order_id: event.data.total for event in orders}
    provider = shop.provider
    assert provider.complaints == []
    authorized = {name: amount for name, amount in provider.authorized.items() if name in ours}
    assert authorized == {name: ours[name] for name in authorized}
    kept = {name: amount for name, amount in authorized.items() if name not in provider.refunded}
    assert kept == {order.order_id: order.total for order in done}
    assert sum(authorized.values()) - sum(amount for name, amount in provider.refunded.items() if name in ours) == sum(
        order.total for order in done
    )


def _assert_reasons_are_true(
    shop: Shop, orders: list[Event[OrderPlaced]], events: list[dict[str, Any]], declined: set[str]
) -> None:
    """No order was cancelled for its payment that could be paid, nor for stock that was never used."""
    reserved: Counter[str] = Counter()
    for event in {event["id"]: event for event in events if event["type"] == "stock.reserved.v1"}.values():
        reserved.update({item["sku"]: item["quantity"] for item in event["data"]["items"]})
    missing = {
        event["data"]["order_id"]: event["data"]["missing"]
        for event in events
        if event["type"] == "stock.unavailable.v1"
    }
    quantities = {event.data.order_id: event.data.quantities() for event in orders}
    for order_id, skus in missing.items():
        for sku in skus:
            in_stock = ARTICLES[sku.removeprefix(f"{shop.run}-")]
            assert reserved[sku] + quantities[order_id][sku] > in_stock, f"{order_id} could have had {sku}"
    for event in events:
        if event["type"] == "order.cancelled.v1":
            order_id, reason = event["data"]["order_id"], event["data"]["reason"]
            assert reason in {"payment_declined", "stock_unavailable"}
            assert order_id in (declined if reason == "payment_declined" else missing)


def test_an_order_whose_payment_never_answers_is_cancelled_by_the_schedule_and_its_money_given_back(
    shop: Shop, watcher: Watcher
) -> None:
    shop.stock(MUG=1)
    event = shop.order("silent", {"MUG": 1})
    order_id = event.data.order_id
    shop.provider.silent.add(order_id)
    shop.publish(event)
    until(lambda: shop.provider.requests["authorizations", order_id], "the provider has been asked", seconds=30)
    until(lambda: shop.in_stock().get("MUG") == (0, 1), "the mug is reserved", seconds=30)
    assert until(lambda: shop.states().get(order_id), "the order is recorded", seconds=30) == "PENDING"
    _let_the_deadline_pass(shop, order_id)
    until(lambda: shop.states()[order_id] == "CANCELLED", "the schedule has cancelled it", seconds=150)
    until(lambda: shop.in_stock()["MUG"] == (1, 0), "the mug is back", seconds=30)
    until(shop.mails, "the customer is notified", seconds=30)
    assert shop.provider.authorized[order_id] == event.data.total
    assert order_id not in shop.provider.refunded, "nothing to refund is known yet"

    shop.provider.silent.clear()
    until(lambda: order_id in shop.provider.refunded, "the money is given back", seconds=120)
    until(lambda: shop.waiting() == 0, "everything is done", seconds=60)
    assert shop.provider.refunded[order_id] == event.data.total
    assert shop.provider.complaints == []
    assert len(shop.mails()) == 1
    events = watcher.read()
    decided = {(each["id"], each["data"].get("reason")) for each in events if each["type"] in TERMINAL}
    assert [reason for _, reason in decided] == ["deadline_passed"]
    assert {"payment.authorized.v1", "payment.refunded.v1"} <= {each["type"] for each in events}


def _let_the_deadline_pass(shop: Shop, order_id: str) -> None:
    """Set the recorded deadline to a moment long ago, as if that time had passed."""
    table = shop.tables["order"]
    past = "2026-01-01T00:00:00Z"

    def moved() -> bool:
        item = shop.item("order", order_id, "order")
        document = json.loads(item["document"]) | {"deadline": past}
        changed = {**item, "document": json.dumps(document), "due_at": 1_767_225_600, "version": item["version"] + 1}
        client = shop.application.client("dynamodb")
        try:
            client.put_item(
                TableName=table,
                Item=to_item(changed),
                ConditionExpression="version = :seen",
                ExpressionAttributeValues=to_item({":seen": item["version"]}),
            )
        except client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    until(moved, "the deadline is moved")


@pytest.mark.parametrize(
    ("subscriber", "at"),
    [
        ("payment", "before PublishBatch"),
        ("inventory", "after TransactWriteItems"),
        ("workflow", "before PublishBatch"),
        ("workflow", "after PublishBatch"),
    ],
)
def test_a_function_killed_between_effect_and_publication_loses_nothing(
    shop: Shop, watcher: Watcher, tmp_path: Path, subscriber: str, at: str
) -> None:
    shop.stock(MUG=1)
    event = shop.order("killed", {"MUG": 1})
    with struck(shop.application, f"order_workflow/{subscriber}", at, tmp_path):
        shop.publish(event)
        wait_for_strike(tmp_path)
        until(lambda: shop.states().get(event.data.order_id) == "CONFIRMED", "the order is confirmed", seconds=60)
        until(shop.mails, "the customer is notified", seconds=60)
    until(lambda: shop.waiting() == 0, "everything is done", seconds=60)
    events = watcher.read()
    assert len({each["id"] for each in events if each["type"] in TERMINAL}) == 1
    assert shop.in_stock() == {"MUG": (0, 1)}
    assert len(shop.mails()) == 1
    assert shop.provider.complaints == []
