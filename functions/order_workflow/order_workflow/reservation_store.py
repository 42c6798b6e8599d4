"""Stock and its reservation for each order: every line or none, never below zero.

    pk            sk           attributes
    sku#MUG-1     stock        available, reserved
    order#1017    reservation  state, document, version

An order's stock is reserved in one transaction with its reservation record; beyond 99 articles in several transactions,
each of which records its progress. If a later one finds too little stock, the earlier ones are released the same way,
so after a crash the next delivery continues with the reservation. Until then, other orders see less available stock
than there is, never more.

    new ──▶ holding ──▶ held ──▶ releasing ──▶ released
     │         ├──────▶ giving_up ──▶ unavailable
     │         └─────────────────▶ releasing
     ├────▶ unavailable
     └────▶ void          a cancellation that arrived before the order: nothing will be reserved
"""

from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

import msgspec

from fanout import Event, Reject, Retry
from fanout.contracts.order_workflow import (
    OrderPlaced,
    Reserved,
    StockReserved,
    StockUnavailable,
)
from fanout.dynamodb import ConditionFailedError, to_item, transact
from order_workflow import settings
from order_workflow.domain.cause import Cause, cause
from order_workflow.versioned_records import Records

# A transaction has room for 100 actions, and the reservation itself is one of them.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
AT_ONCE = 99
# More than the steps of the largest order, with room for concurrent changes.
_STEPS = 20

_SETTLED = {"held", "unavailable", "releasing", "released", "void"}


class Reservation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The stock reserved for one order."""

    order_id: str
    state: Literal["new", "holding", "held", "giving_up", "unavailable", "releasing", "released", "void"] = "new"
    items: tuple[Reserved, ...] = ()
    parts_held: int = 0
    """How many parts of `items`, of 99 each, are reserved."""
    missing: tuple[str, ...] = ()
    placed: Cause | None = None
    settled_at: datetime | None = None
    cancelled: bool = False

    @property
    def parts(self) -> list[tuple[Reserved, ...]]:
        """The items, grouped by transaction."""
        return [self.items[start : start + AT_ONCE] for start in range(0, len(self.items), AT_ONCE)]

    def outcome(self) -> Event[StockReserved | StockUnavailable] | None:
        """Return the event with the outcome of the reservation, always the same one; None if there is none yet."""
        if self.placed is None or self.settled_at is None:
            return None
        data: StockReserved | StockUnavailable = (
            StockUnavailable(order_id=self.order_id, missing=self.missing)
            if self.missing
            else StockReserved(order_id=self.order_id, items=self.items)
        )
        return self.placed.caused(data, time=self.settled_at)


def reserve(event: Event[OrderPlaced]) -> tuple[Reservation, bool]:
    """Reserve every line of the order or none; return the reservation, and whether this delivery has settled it.

    Raises Reject if another order arrived under the same id before.
    """
    order_id = event.data.order_id
    items = tuple(Reserved(sku=sku, quantity=quantity) for sku, quantity in event.data.quantities().items())
    for _ in range(_STEPS):
        found, version = _records().read(order_id)
        if found.items and found.items != items:
            raise Reject("conflict", "an earlier order under the same id had other lines")
        if found.state in _SETTLED:
            return found, False
        begun = msgspec.structs.replace(found, items=items, placed=cause(event)) if found.state == "new" else found
        step = _release_part(begun, version) if begun.state == "giving_up" else _reserve_part(begun, version)
        if step is not None and step.state in _SETTLED:
            return step, True
    raise Retry("contended: others keep changing this order's reservation", after=1)


def release(order_id: str) -> tuple[Reservation, bool]:
    """Release an order's stock, and prevent a later reservation; return the reservation, and whether it changed."""
    is_new = False
    for _ in range(_STEPS):
        found, version = _records().read(order_id)
        cancelled = msgspec.structs.replace(found, cancelled=True)
        if found.state in {"unavailable", "released", "void"}:
            if found.cancelled:
                return found, is_new
            is_new = _records().write(order_id, cancelled, version)
        elif found.state == "new":
            is_new = _records().write(order_id, msgspec.structs.replace(cancelled, state="void"), version)
        elif found.state == "giving_up":
            is_new = _release_part(cancelled, version) is not None or is_new
        else:
            is_new = _release_part(msgspec.structs.replace(cancelled, state="releasing"), version) is not None or is_new
    raise Retry("contended: others keep changing this order's reservation", after=1)


def _reserve_part(reservation: Reservation, version: int) -> Reservation | None:
    """Reserve the next part. Return the changed reservation; None if another delivery has changed it."""
    part = reservation.parts[reservation.parts_held]
    held = reservation.parts_held + 1
    done = held == len(reservation.parts)
    taken = msgspec.structs.replace(
        reservation,
        state="held" if done else "holding",
        parts_held=held,
        settled_at=datetime.now(UTC) if done else None,
    )
    try:
        _write_with_stock(taken, version, part, sign=-1)
    except ConditionFailedError as error:
        if 0 in error.failed:
            return None
        missing = tuple(part[number - 1].sku for number in error.failed)
        given_up = _given_up(msgspec.structs.replace(reservation, missing=missing))
        return given_up if _records().write(reservation.order_id, given_up, version) else None
    return taken


def _given_up(reservation: Reservation) -> Reservation:
    if reservation.parts_held:
        return msgspec.structs.replace(reservation, state="giving_up")
    return msgspec.structs.replace(reservation, state="unavailable", settled_at=datetime.now(UTC))


def _release_part(reservation: Reservation, version: int) -> Reservation | None:
    """Release the last part. Return the changed reservation; None if another delivery has changed it."""
    held = reservation.parts_held - 1
    given = msgspec.structs.replace(reservation, parts_held=held)
    if not held:
        given = (
            _given_up(given) if reservation.state == "giving_up" else msgspec.structs.replace(given, state="released")
        )
    try:
        _write_with_stock(given, version, reservation.parts[held], sign=1)
    except ConditionFailedError:
        return None
    return given


def _write_with_stock(reservation: Reservation, version: int, part: tuple[Reserved, ...], *, sign: int) -> None:
    put = {"Put": _records().put(reservation.order_id, reservation, version)}
    transact([put, *(_stock_update(item, sign) for item in part)])


def _stock_update(item: Reserved, sign: int) -> dict[str, Any]:
    """Add to what is available or, with sign -1, subtract from it if there is enough."""
    values = {":available": sign * item.quantity, ":reserved": -sign * item.quantity}
    condition = {"ConditionExpression": "available >= :wanted"} if sign < 0 else {}
    return {
        "Update": {
            "TableName": settings.stock().stock_table,
            "Key": to_item({"pk": f"sku#{item.sku}", "sk": "stock"}),
            "UpdateExpression": "ADD available :available, reserved :reserved",
            "ExpressionAttributeValues": to_item({**values, **({":wanted": item.quantity} if sign < 0 else {})}),
            **condition,
        }
    }


@cache
def _records() -> Records[Reservation]:
    return Records(
        settings.stock().stock_table, "reservation", lambda order_id: Reservation(order_id=order_id), _attributes
    )


def _attributes(reservation: Reservation) -> dict[str, Any]:
    return {"order_id": reservation.order_id, "state": reservation.state}
