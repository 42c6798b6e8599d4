"""order_processing: an order that is to be paid, shipped and acknowledged. Money is in minor units (cents)."""

from typing import Annotated

import msgspec

from fanout.contracts import contract
from fanout.locales import DEFAULT, Locale, canonical

# "$" would let a line break through at the end; this is the end of the text in Python and in JSON Schema alike.
_END = r"(?![\s\S])"

MOST_PARCELS = 50
"""So that an order's label and all its tracking numbers fit one transaction."""

OrderId = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=f"^[!-~]+{_END}")]
CustomerId = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=f"^[!-~]+{_END}")]
Currency = Annotated[str, msgspec.Meta(pattern=f"^[A-Z]{{3}}{_END}")]
"""An ISO 4217 code."""
Country = Annotated[str, msgspec.Meta(pattern=f"^[A-Z]{{2}}{_END}")]
"""An ISO 3166-1 alpha-2 code."""
_AddressLine = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=r"\S")]


class Customer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who has ordered."""

    customer_id: CustomerId
    email: Annotated[str, msgspec.Meta(min_length=1, max_length=320)]
    """Where the order is acknowledged. Whether mail can reach it is for whoever sends mail to judge."""
    locale: Locale = DEFAULT
    """The customer's language, a BCP 47 tag: en, de-AT. Others become one, or `en`."""

    def __post_init__(self) -> None:
        """Put the locale in canonical form."""
        msgspec.structs.force_setattr(self, "locale", canonical(self.locale))


class ShippingAddress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the parcels go."""

    recipient: _AddressLine
    street: Annotated[tuple[_AddressLine, ...], msgspec.Meta(min_length=1, max_length=3)]
    """Street and number, and what else the carrier needs to find the door."""
    city: _AddressLine
    country: Country
    postal_code: Annotated[str, msgspec.Meta(max_length=20)] = ""
    """Some countries have none."""
    region: Annotated[str, msgspec.Meta(max_length=100)] = ""
    """State or province, where addresses have one."""


class Parcel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of the order's parcels, packed."""

    weight_grams: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """So many of one article, at one price each."""

    sku: Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=f"^[!-~]+{_END}")]
    quantity: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    unit_price: Annotated[int, msgspec.Meta(ge=0, le=10**12)]
    """In the order's currency, minor units. An article may be a gift."""
    description: Annotated[str, msgspec.Meta(max_length=100)] = ""
    """What the customer knows the article as."""


@contract("order.submitted.v1", topic="OrderProcessing", filterable=("currency",))
class OrderSubmitted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order is complete and packed. `total` is the sum of the lines, or the order is refused."""

    order_id: OrderId
    """The order's own key: whoever tells of it again, under whatever event id, tells of the same order."""
    customer: Customer
    shipping_address: ShippingAddress
    parcels: Annotated[tuple[Parcel, ...], msgspec.Meta(min_length=1, max_length=MOST_PARCELS)]
    lines: Annotated[tuple[Line, ...], msgspec.Meta(min_length=1, max_length=250)]
    total: Annotated[int, msgspec.Meta(ge=1, le=10**15)]
    """The sum of the lines, tax and shipping being lines of their own."""
    currency: Currency

    def __post_init__(self) -> None:
        """Refuse a total that is not that of the lines: one of the two is wrong, and nobody can know which."""
        lines = sum(line.quantity * line.unit_price for line in self.lines)
        if lines != self.total:
            raise ValueError(f"total is {self.total}, its lines come to {lines}")
