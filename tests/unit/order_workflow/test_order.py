"""The decision depends on the events alone, in any order of arrival and with any number of duplicates."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fanout.event import Event
from fanout.outcomes import Reject
from order_workflow.domain.order import Order

from .conftest import authorized, declined, placed, reserved, unavailable

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PATIENCE = timedelta(minutes=15)


@pytest.fixture
def order() -> Callable[..., Any]:
    """An order that has learnt these facts, in this order."""

    def learnt(*events: Event[Any]) -> Any:
        known = Order(order_id="o-1")
        for event in events:
            known = known.apply(event, NOW, PATIENCE)
        return known

    return learnt


FACTS = {
    "paid and reserved": (placed(), authorized(), reserved()),
    "declined and reserved": (placed(), declined(), reserved()),
    "paid and unavailable": (placed(), authorized(), unavailable()),
    "declined and unavailable": (placed(), declined(), unavailable()),
    "paid": (placed(), authorized()),
    "reserved": (placed(), reserved()),
    "placed": (placed(),),
    "outcomes only": (authorized(), reserved()),
    "bad outcomes only": (declined(), unavailable()),
}
EXPECTED = {
    "paid and reserved": {"CONFIRMED"},
    "declined and reserved": {"CANCELLED payment_declined"},
    "paid and unavailable": {"CANCELLED stock_unavailable"},
    "declined and unavailable": {"CANCELLED payment_declined", "CANCELLED stock_unavailable"},
    "paid": {"PENDING"},
    "reserved": {"PENDING"},
    "placed": {"PENDING"},
    "outcomes only": {"PENDING"},
    "bad outcomes only": {"PENDING"},
}


def ending(order: Any) -> str:
    return f"{order.state} {order.reason}" if order.reason else str(order.state)


@pytest.mark.parametrize("facts", FACTS)
def test_every_order_of_arrival_with_every_duplicate_ends_in_the_same_state(
    order: Callable[..., Any], facts: str
) -> None:
    for arrival in itertools.permutations(FACTS[facts]):
        found = order(*arrival)
        assert ending(found) in EXPECTED[facts]
        for again in itertools.product(arrival, repeat=2):
            assert order(*arrival, *again) == found
    mixed = [event for event in FACTS[facts] for _ in range(2)]
    assert {ending(order(*arrival)) for arrival in itertools.permutations(mixed[:6])} <= EXPECTED[facts]


def test_of_two_bad_outcomes_the_first_one_known_is_the_reason(order: Callable[..., Any]) -> None:
    assert order(placed(), unavailable(), declined()).reason == "stock_unavailable"
    assert order(placed(), declined(), unavailable()).reason == "payment_declined"


def test_a_decision_never_changes(order: Callable[..., Any]) -> None:
    late = order(placed(), declined()).apply(reserved(), NOW + timedelta(hours=1), PATIENCE)
    assert (late.state, late.reason, late.decided_at) == ("CANCELLED", "payment_declined", NOW)
    assert late.reserved is not None
    expired = order(placed()).overdue(NOW + PATIENCE)
    for event in (authorized(), reserved()):
        expired = expired.apply(event, NOW + timedelta(hours=1), PATIENCE)
    assert ending(expired) == "CANCELLED deadline_passed"


def test_the_deadline_counts_from_the_recording_and_ends_what_is_undecided_only(order: Callable[..., Any]) -> None:
    pending = order(authorized(), placed())
    assert pending.deadline == NOW + PATIENCE
    assert pending.overdue(NOW + PATIENCE - timedelta(microseconds=1)) == pending
    assert ending(pending.overdue(NOW + PATIENCE)) == "CANCELLED deadline_passed"
    done = order(placed(), authorized(), reserved())
    assert done.overdue(NOW + timedelta(days=9)) == done
    assert order(authorized()).overdue(NOW + timedelta(days=9)).state == "PENDING", "the order itself is unknown"


@pytest.mark.parametrize("wrong", [authorized(amount=1), reserved(MUG=1, TEA=1)], ids=["payment", "stock"])
def test_an_outcome_about_another_order_of_the_same_id_confirms_nothing(
    order: Callable[..., Any], wrong: Event[Any]
) -> None:
    right = {"payment.authorized.v1": reserved(), "stock.reserved.v1": authorized()}[wrong.type]
    for arrival in itertools.permutations((placed(), wrong, right)):
        assert ending(order(*arrival)) == "CANCELLED conflict"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (placed(), placed(customer_id="c-2")),
        (authorized(), declined()),
        (declined(), authorized()),
        (reserved(), unavailable()),
        (unavailable(), reserved()),
        (authorized(), authorized(amount=5)),
    ],
    ids=lambda event: event.type,
)
def test_an_event_that_contradicts_an_earlier_one_is_rejected(
    order: Callable[..., Any], first: Event[Any], second: Event[Any]
) -> None:
    with pytest.raises(Reject, match="conflict"):
        order(first, second)


def test_the_decision_is_one_document_that_names_the_order_and_its_cause(order: Callable[..., Any]) -> None:
    first, last = placed(), reserved()
    event = order(first, authorized(), last).decision()
    assert (event.type, event.source) == ("order.confirmed.v1", "urn:fanout:order_workflow/workflow")
    assert (event.causationid, event.time) == (last.id, NOW)
    assert event.data.lines == first.data.lines
    assert event.data.payment_provider == "http"
    again = order(first, authorized(), last, first, last, authorized()).decision()
    assert again == event
    assert order(first).decision() is None
    expired = order(first).overdue(NOW + PATIENCE).decision()
    assert (expired.type, expired.data.reason, expired.causationid) == (
        "order.cancelled.v1",
        "deadline_passed",
        first.id,
    )
