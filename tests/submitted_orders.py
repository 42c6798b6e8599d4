"""Orders to put through order_processing."""

from typing import Any

from fanout.contracts.order_processing import Customer, Line, OrderSubmitted, Parcel, ShippingAddress
from fanout.event import Event

ADDRESS = ShippingAddress(recipient="Ada Example", street=("Beispielweg 1",), city="Berlin", country="DE")
LINES = (
    Line(sku="MUG", quantity=2, unit_price=1250, description="Mug, blue"),
    Line(sku="TEA", quantity=1, unit_price=890),
)


def submitted(
    order_id: str = "o-1",
    *,
    event_id: str | None = None,
    email: str = "ada@example.org",
    locale: str = "en",
    country: str = "DE",
    weights: tuple[int, ...] = (1500,),
    **fields: Any,
) -> Event[OrderSubmitted]:
    """An order of two mugs and a tea for 33.90 EUR, in one parcel unless given otherwise."""
    values = {"lines": LINES, "currency": "EUR", **fields}
    total = sum(line.quantity * line.unit_price for line in values["lines"])
    data = OrderSubmitted(
        order_id=order_id,
        customer=Customer(customer_id="customer-of-a-test", email=email, locale=locale),
        shipping_address=ShippingAddress(
            recipient=ADDRESS.recipient, street=ADDRESS.street, city=ADDRESS.city, country=country
        ),
        parcels=tuple(Parcel(weight_grams=weight) for weight in weights),
        **{"total": total, **values},
    )
    return Event.new(data, source="urn:test", id=event_id)


def costing(cents: int) -> tuple[Line, ...]:
    """Lines that come to this total."""
    return (Line(sku="GIFT", quantity=1, unit_price=cents),)
