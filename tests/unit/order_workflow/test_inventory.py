"""inventory: every line or none, never below zero, and what a cancelled order held is there again."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fanout import aws
from fanout.contracts.order_workflow import MOST_LINES, Line
from order_workflow import reservation_store

from .conftest import Account, cancelled, placed

EIGHT = 8


def lines(count: int, quantity: int = 1) -> tuple[Line, ...]:
    return tuple(Line(sku=f"S{number}", quantity=quantity, unit_price=1) for number in range(count))


def published_types(account: Account) -> list[str]:
    return [event.type for event in account.published()]


def state(account: Account, order_id: str = "o-1") -> str:
    return account.state("stock", order_id, "reservation")


def test_every_line_is_reserved_and_every_duplicate_publishes_the_same_event_again(account: Account) -> None:
    account.stock(MUG=10, TEA=1)
    event = placed()
    assert account.deliver("inventory", event) == ["processed"]
    [first] = account.published()
    assert (first.type, {each.sku: each.quantity for each in first.data.items}) == (
        "stock.reserved.v1",
        {"MUG": 2, "TEA": 1},
    )
    assert account.deliver("inventory", event, placed()) == ["duplicate", "duplicate"]
    assert account.published() == [first, first]
    assert (account.in_stock("MUG"), account.in_stock("TEA")) == ((8, 2), (0, 1))


@pytest.mark.parametrize("stock", [{"MUG": 10, "TEA": 0}, {"MUG": 1, "TEA": 5}, {"MUG": 10}], ids=str)
def test_insufficient_stock_for_one_line_reserves_nothing(account: Account, stock: dict[str, int]) -> None:
    account.stock(**stock)
    assert account.deliver("inventory", placed()) == ["processed"]
    [event] = account.published()
    assert event.type == "stock.unavailable.v1"
    assert event.data.missing == (("MUG",) if stock["MUG"] == 1 else ("TEA",))
    assert {sku: account.in_stock(sku) for sku in stock} == {sku: (held, 0) for sku, held in stock.items()}


def test_stock_that_arrives_later_does_not_change_an_outcome(account: Account) -> None:
    event = placed()
    account.deliver("inventory", event)
    [first] = account.published()
    account.stock(MUG=10, TEA=10)
    account.deliver("inventory", event)
    assert account.published() == [first]
    assert account.in_stock("MUG") == (10, 0)


def test_one_article_on_two_lines_is_reserved_together(account: Account) -> None:
    account.stock(MUG=3)
    two = (Line(sku="MUG", quantity=2, unit_price=5), Line(sku="MUG", quantity=2, unit_price=0))
    account.deliver("inventory", placed(lines=two), placed("o-2", lines=two[:1]))
    assert published_types(account) == ["stock.unavailable.v1", "stock.reserved.v1"]
    assert account.in_stock("MUG") == (1, 2)


def test_a_cancelled_order_is_released_once(account: Account) -> None:
    account.stock(MUG=2, TEA=1)
    account.deliver("inventory", placed())
    account.published()
    assert account.deliver("inventory", cancelled(), cancelled()) == ["processed", "duplicate"]
    assert (account.in_stock("MUG"), account.in_stock("TEA"), published_types(account)) == ((2, 0), (1, 0), [])


def test_a_cancellation_that_arrives_first_leaves_a_tombstone(account: Account) -> None:
    account.stock(MUG=2, TEA=1)
    assert account.deliver("inventory", cancelled(), placed(), cancelled()) == ["processed", "discarded", "duplicate"]
    assert (state(account), account.in_stock("MUG"), published_types(account)) == ("void", (2, 0), [])


def test_an_order_without_a_reservation_releases_nothing(account: Account) -> None:
    account.stock(MUG=2)
    account.deliver("inventory", placed())
    assert account.deliver("inventory", cancelled(), cancelled()) == ["processed", "duplicate"]
    assert account.in_stock("MUG") == (2, 0)


def test_a_placement_redelivered_after_the_release_reserves_nothing(account: Account) -> None:
    account.stock(MUG=2, TEA=1)
    account.deliver("inventory", placed())
    [first] = account.published()
    assert account.deliver("inventory", cancelled(), placed()) == ["processed", "duplicate"]
    assert (account.published(), account.in_stock("MUG")) == ([first], (2, 0))


def test_another_order_under_the_same_id_is_rejected(account: Account) -> None:
    account.stock(MUG=9, TEA=9)
    account.deliver("inventory", placed())
    assert account.deliver("inventory", placed(lines=lines(1))) == ["rejected"]
    assert account.in_stock("MUG") == (7, 2)


@pytest.mark.slow  # moto copies every table in every transaction
def test_an_order_larger_than_a_transaction_is_reserved_whole(account: Account) -> None:
    account.stock(**{f"S{number}": 1 for number in range(MOST_LINES)})
    account.deliver("inventory", placed(lines=lines(MOST_LINES)))
    assert published_types(account) == ["stock.reserved.v1"]
    assert {account.in_stock(f"S{number}") for number in range(MOST_LINES)} == {(0, 1)}
    account.deliver("inventory", cancelled())
    assert {account.in_stock(f"S{number}") for number in range(MOST_LINES)} == {(1, 0)}


@pytest.mark.slow  # moto copies every table in every transaction
def test_an_order_larger_than_a_transaction_without_its_last_article_reserves_nothing(account: Account) -> None:
    account.stock(**{f"S{number}": 1 for number in range(MOST_LINES - 1)})
    account.deliver("inventory", placed(lines=lines(MOST_LINES)))
    [event] = account.published()
    assert event.data.missing == (f"S{MOST_LINES - 1}",)
    assert {account.in_stock(f"S{number}") for number in range(MOST_LINES - 1)} == {(1, 0)}


@pytest.fixture
def _three_at_once(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three articles to a transaction: an order of eight takes three, and moto does not take all day."""
    monkeypatch.setattr(reservation_store, "AT_ONCE", 3)


@pytest.mark.usefixtures("_three_at_once")
@pytest.mark.parametrize("lacking", [0, 1], ids=["enough", "one too few"])
@pytest.mark.parametrize("cancels", [False, True], ids=["then placed again", "then cancelled"])
@pytest.mark.parametrize("strike", range(1, 6))
def test_after_a_crash_between_any_two_steps_of_a_large_order_the_redelivery_continues(
    account: Account, monkeypatch: pytest.MonkeyPatch, strike: int, cancels: bool, lacking: int
) -> None:
    in_stock = EIGHT - lacking
    account.stock(**{f"S{number}": 1 for number in range(in_stock)})
    event = placed(lines=lines(EIGHT))
    with monkeypatch.context() as attack:
        _strike_after(attack, strike)
        try:
            account.deliver("inventory", event)
        except SystemExit:
            struck = True
        else:
            struck = False
    # Enough: three parts are taken. One too few: two are, giving up is written down, and two are given back.
    assert struck == (strike <= (5 if lacking else 3))
    account.deliver("inventory", *([cancelled()] if cancels else []), event)
    events = set(published_types(account))
    found = {account.in_stock(f"S{number}") for number in range(in_stock)}
    if lacking or cancels:
        assert found == {(1, 0)}
    else:
        assert (found, events) == ({(0, 1)}, {"stock.reserved.v1"})
    if lacking:
        assert events <= {"stock.unavailable.v1"}


def _strike_after(attack: pytest.MonkeyPatch, strike: int) -> None:
    """Be killed after that many writes."""
    client = aws.client("dynamodb")
    done: list[str] = []

    def wrap(name: str) -> None:
        write = getattr(client, name)

        def struck(**parameters: Any) -> Any:
            answer = write(**parameters)
            done.append(name)
            if len(done) == strike:
                raise SystemExit
            return answer

        attack.setattr(client, name, struck)

    wrap("transact_write_items")
    wrap("put_item")


@pytest.mark.usefixtures("_three_at_once")
def test_a_cancellation_of_a_partly_reserved_order_releases_that_part(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.stock(**{f"S{number}": 1 for number in range(EIGHT)})
    take = reservation_store._reserve_part
    crossed: list[int] = []

    def crossing(reservation: Any, version: int) -> Any:
        if reservation.parts_held == 1 and not crossed:
            crossed.append(1)
            account.deliver("inventory", cancelled())
        return take(reservation, version)

    monkeypatch.setattr(reservation_store, "_reserve_part", crossing)
    account.deliver("inventory", placed(lines=lines(EIGHT)))
    assert crossed
    assert {account.in_stock(f"S{number}") for number in range(EIGHT)} == {(1, 0)}
    assert (published_types(account), state(account)) == ([], "released")


def test_under_concurrency_the_stock_is_reserved_to_the_last_item_and_no_further(account: Account) -> None:
    account.stock(MUG=7, TEA=100)
    module = account.module("inventory")
    events = [placed(f"o-{number}", lines=(Line(sku="MUG", quantity=1, unit_price=1),)) for number in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(module.__dict__["handler"].__wrapped__, events))
    outcomes = published_types(account)
    assert (outcomes.count("stock.reserved.v1"), outcomes.count("stock.unavailable.v1")) == (7, 13)
    assert account.in_stock("MUG") == (0, 7)
