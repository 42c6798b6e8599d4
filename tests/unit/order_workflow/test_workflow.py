"""workflow and deadlines: one decision per order, published at least once, always as the same document."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from fanout import aws
from fanout.event import Event
from fanout.testing import LambdaContext
from order_workflow import order_store

from ..conftest import sample_payload
from .conftest import Account, authorized, declined, placed, refunded, reserved, unavailable


@contextmanager
def sns_unreachable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing can be published within the block."""

    def refuse(**_: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://sns.example")

    with monkeypatch.context() as within:
        within.setattr(aws.client("sns"), "publish_batch", refuse)
        yield


Clock = Callable[[timedelta], None]


def sweep(account: Account, seconds: float = 50) -> dict[str, int]:
    """Run what the schedule runs."""
    event = sample_payload("order_workflow", "deadlines-schedule")
    counts: dict[str, int] = account.module("deadlines").handler(event, LambdaContext(seconds))
    return counts


def state(account: Account, order_id: str = "o-1") -> str:
    return account.state("order", order_id, "order")


def test_an_order_that_is_paid_and_reserved_is_confirmed(account: Account) -> None:
    assert account.deliver("workflow", placed(), authorized(), reserved()) == ["processed"] * 3
    [event] = account.published()
    assert (state(account), event.type, event.data.order_id) == ("CONFIRMED", "order.confirmed.v1", "o-1")


def test_an_order_is_cancelled_at_the_first_bad_outcome_and_once_only(account: Account) -> None:
    account.deliver("workflow", placed(), declined(), unavailable())
    assert [(event.type, event.data.reason) for event in account.published()] == [
        ("order.cancelled.v1", "payment_declined")
    ]


def test_outcomes_that_arrive_before_their_order_are_kept_until_it_arrives(account: Account) -> None:
    account.deliver("workflow", reserved(), authorized())
    assert (state(account), account.published()) == ("PENDING", [])
    account.deliver("workflow", placed())
    assert [event.type for event in account.published()] == ["order.confirmed.v1"]


def test_every_duplicate_publishes_the_same_decision_again(account: Account) -> None:
    events = [placed(), authorized(), reserved()]
    account.deliver("workflow", *events)
    [first] = account.published()
    for event in events:
        assert account.deliver("workflow", event) == ["duplicate"]
    assert account.published() == [first] * 3


def test_another_event_about_the_same_order_is_a_duplicate_of_the_first(account: Account) -> None:
    account.deliver("workflow", placed(), authorized(), reserved())
    [first] = account.published()
    assert account.deliver("workflow", placed()) == ["duplicate"]
    assert account.published() == [first]


def test_another_order_under_the_same_id_is_rejected_and_changes_nothing(account: Account) -> None:
    account.deliver("workflow", placed())
    assert account.deliver("workflow", placed(customer_id="c-2")) == ["rejected"]
    assert account.queues.dead()[0]["reason"].startswith("conflict: order.placed.v1")
    account.deliver("workflow", authorized(), reserved())
    assert account.published()[0].data.customer_id == "c-1"


def test_a_refund_is_recorded_and_publishes_nothing_however_often_it_is_delivered(account: Account) -> None:
    refund = refunded()
    account.deliver("workflow", placed(), declined())
    account.published()
    assert account.deliver("workflow", refund) == ["processed"]
    assert account.deliver("workflow", refund) == ["duplicate"]
    assert account.published() == [], "or announcement and refund would loop forever"


def test_a_decision_that_could_not_be_published_is_published_at_the_next_delivery(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.deliver("workflow", placed(), authorized())
    last = reserved()
    with sns_unreachable(monkeypatch):
        assert account.reasons("workflow", last) == ["not published: EndpointConnectionError"]
    assert (state(account), account.published()) == ("CONFIRMED", [])
    assert account.deliver("workflow", last) == ["duplicate"]
    assert [event.type for event in account.published()] == ["order.confirmed.v1"]


def test_the_schedule_cancels_exactly_the_orders_past_their_deadline(account: Account, clock: Clock) -> None:
    account.deliver("workflow", placed("old"), authorized("old"))
    account.deliver("workflow", placed("done"), authorized("done"), reserved("done"))
    account.published()
    clock(timedelta(minutes=14))
    account.deliver("workflow", placed("young"))
    assert sweep(account) == {"cancelled": 0, "announced": 0, "failed": 0}
    clock(timedelta(minutes=2))
    assert sweep(account) == {"cancelled": 1, "announced": 1, "failed": 0}
    assert [(event.data.order_id, event.data.reason) for event in account.published()] == [("old", "deadline_passed")]
    assert [state(account, name) for name in ("old", "young", "done")] == ["CANCELLED", "PENDING", "CONFIRMED"]
    assert sweep(account) == {"cancelled": 0, "announced": 0, "failed": 0}


def test_an_outcome_that_arrives_after_the_deadline_decided_changes_nothing(account: Account, clock: Clock) -> None:
    account.deliver("workflow", placed(), authorized())
    clock(timedelta(hours=1))
    sweep(account)
    [decision] = account.published()
    assert account.deliver("workflow", reserved()) == ["processed"]
    assert (state(account), account.published()) == ("CANCELLED", [])
    account.deliver("workflow", reserved())
    assert {(event.id, event.type) for event in account.published()} <= {(decision.id, decision.type)}


def test_an_order_confirmed_while_the_schedule_reads_it_stays_confirmed(
    account: Account, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index still names it, the last outcome is faster, and the schedule finds it decided."""
    account.deliver("workflow", placed(), authorized())
    clock(timedelta(hours=1))
    due = order_store.due

    def overtaken(now: datetime) -> Iterator[str]:
        for order_id in due(now):
            account.deliver("workflow", reserved())
            account.module("deadlines")
            yield order_id

    monkeypatch.setattr(order_store, "due", overtaken)
    assert sweep(account) == {"cancelled": 0, "announced": 0, "failed": 0}
    assert {event.type for event in account.published()} == {"order.confirmed.v1"}
    assert state(account) == "CONFIRMED"


def test_two_writers_that_read_the_same_version_cannot_both_decide(
    account: Account, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The schedule has read the order as pending when the last outcome is recorded; its own write must fail."""
    account.deliver("workflow", placed(), authorized())
    clock(timedelta(hours=1))
    records = order_store._records()
    read = records.read
    overtaken: list[str] = []

    def read_then_be_overtaken(order_id: str) -> Any:
        found = read(order_id)
        if not overtaken:
            overtaken.append(order_id)
            account.deliver("workflow", reserved())
            account.module("deadlines")
        return found

    monkeypatch.setattr(records, "read", read_then_be_overtaken)
    sweep(account)
    assert overtaken == ["o-1"]
    assert state(account) == "CONFIRMED"
    assert {event.type for event in account.published()} == {"order.confirmed.v1"}


def test_a_decision_of_the_schedule_that_was_not_published_is_published_by_its_next_run(
    account: Account, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.deliver("workflow", placed())
    clock(timedelta(hours=1))
    account.module("deadlines")
    with sns_unreachable(monkeypatch), pytest.raises(RuntimeError, match="1 orders past their deadline"):
        sweep(account)
    assert (state(account), account.published()) == ("CANCELLED", [])
    assert sweep(account) == {"cancelled": 0, "announced": 1, "failed": 0}
    assert [event.data.reason for event in account.published()] == ["deadline_passed"]


def test_one_order_that_fails_blocks_no_other(account: Account, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"o-{number}" for number in range(20)]
    account.deliver("workflow", *[placed(name) for name in names])
    clock(timedelta(hours=1))
    cancel = order_store.cancel_if_overdue

    def broken_for_one(order_id: str) -> Any:
        if order_id == "o-7":
            raise ValueError("a broken record")
        return cancel(order_id)

    monkeypatch.setattr(order_store, "cancel_if_overdue", broken_for_one)
    with pytest.raises(RuntimeError, match="1 orders"):
        sweep(account)
    assert {event.data.order_id for event in account.published()} == set(names) - {"o-7"}


def test_a_run_that_is_out_of_time_leaves_the_rest_to_the_next(account: Account, clock: Clock) -> None:
    account.deliver("workflow", placed("a"), placed("b"))
    clock(timedelta(hours=1))
    assert sweep(account, seconds=3) == {"cancelled": 0, "announced": 0, "failed": 0}
    assert sweep(account)["cancelled"] == 2


def test_an_invalid_event_between_valid_ones_affects_none_of_them(account: Account) -> None:
    poison = '{"specversion":"1.0","id":"p","source":"s","type":"order.placed.v1","data":{}}'
    assert account.deliver("workflow", placed(), poison, authorized(), reserved()) == [
        "processed",
        "rejected",
        "processed",
        "processed",
    ]
    assert state(account) == "CONFIRMED"


def test_no_log_line_holds_the_customers_address(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    account.deliver("workflow", placed(), authorized(), reserved())
    account.module("workflow").handler({"Records": []}, LambdaContext())
    assert "ada@example.org" not in capsys.readouterr().out


def test_the_deadline_is_counted_from_now_and_not_from_an_event_that_waited(account: Account) -> None:
    late = Event.new(placed().data, source="urn:test", time=datetime(2020, 1, 1, tzinfo=UTC))
    account.deliver("workflow", late)
    assert sweep(account)["cancelled"] == 0
