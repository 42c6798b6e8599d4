"""Label records: how an order's parcels are sent, and under which tracking numbers.

    pk                  sk         attributes
    order#<order>       label      order_id, zone, address, parcels: [{tracking_number, service, weight_grams}], made_at
    tracking#<number>   parcel     order_id, parcel: the number of the parcel in the order, from 1

The label and all its tracking numbers are written in one transaction, so an order has one label and a number has one
parcel. The second kind of item finds the order of a parcel by its tracking number.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from fanout import Event, Outcome, Reject, Retry, aws
from fanout.contracts.order_processing import OrderSubmitted
from fanout.dynamodb import ConditionFailedError, from_item, to_item, transact
from order_processing import settings
from order_processing.domain.tariffs import Service
from order_processing.domain.tracking_numbers import tracking_number

# A number taken by another order's parcel is extremely unlikely; the next series is used then.
_SERIES = 3


def make(event: Event[OrderSubmitted], services: Sequence[Service]) -> Outcome:
    """Write the order's label, one service per parcel, once. Raises Reject if the order has another label already."""
    order = event.data
    for series in range(_SERIES):
        numbers = [tracking_number(order.order_id, parcel, series) for parcel in range(1, len(order.parcels) + 1)]
        try:
            transact(_label(order, services, numbers))
        except ConditionFailedError as error:
            if 0 in error.failed:
                return _compare(order)
        else:
            return Outcome.PROCESSED
    raise Retry("tracking-numbers: those of this order are already taken")


def _label(order: OrderSubmitted, services: Sequence[Service], numbers: Sequence[str]) -> list[dict[str, Any]]:
    parcels = [
        {"tracking_number": number, "service": service.name, "weight_grams": parcel.weight_grams}
        for number, service, parcel in zip(numbers, services, order.parcels, strict=True)
    ]
    label = {
        **_key(order.order_id),
        "order_id": order.order_id,
        "zone": services[0].zone,
        "address": msgspec.to_builtins(order.shipping_address),
        "parcels": parcels,
        "consignment": _consignment(order),
        "made_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    tracking = [
        {"pk": f"tracking#{number}", "sk": "parcel", "order_id": order.order_id, "parcel": position}
        for position, number in enumerate(numbers, 1)
    ]
    return [
        {
            "Put": {
                "TableName": settings.labels().label_table,
                "Item": to_item(item),
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }
        for item in (label, *tracking)
    ]


def _compare(order: OrderSubmitted) -> Outcome:
    answer = aws.client("dynamodb").get_item(
        TableName=settings.labels().label_table, Key=to_item(_key(order.order_id)), ConsistentRead=True
    )
    found = from_item(answer.get("Item", {}))
    if not found:
        raise Retry("label: it was deleted concurrently")
    if found["consignment"] != _consignment(order):
        raise Reject("conflict", "an earlier order under the same id had another address or other parcels")
    return Outcome.DUPLICATE


def _consignment(order: OrderSubmitted) -> str:
    """Return a digest of address and parcels, which distinguishes a duplicate from another order under the same id."""
    return hashlib.sha256(msgspec.json.encode([order.shipping_address, order.parcels], order="sorted")).hexdigest()


def _key(order_id: str) -> dict[str, str]:
    return {"pk": f"order#{order_id}", "sk": "label"}
