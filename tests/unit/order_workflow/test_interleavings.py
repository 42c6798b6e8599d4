"""All functions together, delivered to as SQS may: in any order, twice, and killed at any call.

A queue per subscriber is only a list here, so that a seed decides everything. The stores are moto's, the payment
provider is a real one, and what must hold is worked out from the provider's books and the stock that was there.
"""

import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from fanout import aws
from fanout.contracts.order_workflow import Line, OrderPlaced
from fanout.event import Event, encode
from fanout.testing import LambdaContext
from fanout_wiring import Wiring
from local_engine.filter_policy import PartialBody, admits
from tests.payment_provider import Provider
from tests.unit.conftest import ROOT

from .conftest import Account, placed

ORDERS = 8
STOCK = {"MUG": 5, "TEA": 6}
WRITES = {
    "dynamodb": ("put_item", "transact_write_items", "update_item"),
    "sns": ("publish_batch",),
}


class Bus:
    """The topics and queues between the functions."""

    def __init__(self, account: Account, chance: random.Random) -> None:
        self._account = account
        self._chance = chance
        self._wires = Wiring(ROOT, "order_workflow").wires
        self._waiting: list[tuple[str, Event[Any]]] = []
        self.terminal: Counter[tuple[str, str, str]] = Counter()
        """(order, type, id) of every confirmation and cancellation, however often published"""

    def publish(self, event: Event[Any]) -> None:
        """Hand the event to every subscriber that its filter lets it through to, sometimes twice."""
        if event.type in ("order.confirmed.v1", "order.cancelled.v1"):
            self.terminal[event.data.order_id, event.type, event.id] += 1
        body = PartialBody.complete(json.loads(encode(event)))
        for wire in self._wires:
            if wire.filter_policy is None or admits(wire.filter_policy, body):
                copies = 2 if self._chance.random() < 0.15 else 1
                self._waiting += [(wire.subscriber.partition("/")[2], event)] * copies

    def run(self, kill: Callable[[str], None], between: Callable[[], None]) -> None:
        """Deliver everything, and what comes of it, one delivery at a time."""
        while self._waiting:
            name, event = self._waiting.pop(self._chance.randrange(len(self._waiting)))
            kill(name)
            try:
                [outcome] = self._account.deliver(name, event)
            except SystemExit:
                outcome = "retrying"
            kill("")
            assert outcome in {"processed", "duplicate", "discarded", "retrying"}, (name, event.type, outcome)
            if outcome == "retrying":
                self._waiting.append((name, event))
            between()
            for published in self._account.published():
                self.publish(published)


def some_order(number: int, chance: random.Random) -> Event[OrderPlaced]:
    lines = tuple(
        Line(sku=sku, quantity=chance.randint(1, 2), unit_price=chance.randint(1, 50) * 100)
        for sku in chance.sample(list(STOCK), chance.randint(1, 2))
    )
    return placed(f"o-{number}", lines=lines, email=f"c{number}@example.org")


@pytest.mark.parametrize("seed", range(6))
def test_money_and_stock_are_conserved_and_each_order_ends_once(
    account: Account,
    clock: Callable[[timedelta], None],
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    chance = random.Random(seed)
    account.stock(**STOCK)
    orders = [some_order(number, chance) for number in range(ORDERS)]
    provider.declined |= {event.data.order_id for event in orders if chance.random() < 0.25}
    kill = _killer(monkeypatch, chance)

    def sometimes_the_schedule() -> None:
        if chance.random() < 0.02:
            clock(timedelta(hours=1))  # every recorded order without a decision is overdue now
            account.module("deadlines").handler({}, LambdaContext(60))

    bus = Bus(account, chance)
    for event in orders:
        bus.publish(event)
    bus.run(kill, sometimes_the_schedule)

    ended = {event.data.order_id: account.state("order", event.data.order_id, "order") for event in orders}
    assert set(ended.values()) <= {"CONFIRMED", "CANCELLED"}
    assert Counter(order_id for order_id, _, _ in bus.terminal) == dict.fromkeys(ended, 1)
    assert {(name, kind.split(".")[1].upper()) for name, kind, _ in bus.terminal} == set(ended.items())

    done = [event.data for event in orders if ended[event.data.order_id] == "CONFIRMED"]
    held = Counter[str]()
    for order in done:
        held.update(order.quantities())
    assert all(held[sku] <= STOCK[sku] for sku in STOCK), "more was confirmed than there is"
    assert {sku: account.in_stock(sku) for sku in STOCK} == {sku: (STOCK[sku] - held[sku], held[sku]) for sku in STOCK}

    assert provider.complaints == []
    kept = {name: amount for name, amount in provider.authorized.items() if name not in provider.refunded}
    assert kept == {order.order_id: order.total for order in done}
    assert sorted(account.mails) == sorted(event.data.email or "" for event in orders)


def _killer(monkeypatch: pytest.MonkeyPatch, chance: random.Random) -> Callable[[str], None]:
    """Kill a function now and then, before or after one of its writes. Not the mailer: see test_notification."""
    victim = ""

    def become(name: str) -> None:
        nonlocal victim
        victim = name if name != "notification" and chance.random() < 0.2 else ""

    def wrap(service: str, operation: str) -> None:
        call = getattr(aws.client(service), operation)

        def struck(**parameters: Any) -> Any:
            nonlocal victim
            if victim and chance.random() < 0.3:
                victim = ""
                raise SystemExit
            answer = call(**parameters)
            if victim and chance.random() < 0.3:
                victim = ""
                raise SystemExit
            return answer

        monkeypatch.setattr(aws.client(service), operation, struck)

    for service, operations in WRITES.items():
        for operation in operations:
            wrap(service, operation)
    return become
