"""order_processing: an order that is to be paid, shipped and acknowledged. Money is in minor units (cents)."""

from typing import Annotated

import msgspec

from fanout.contracts import contract
from fanout.locales import DEFAULT, Locale, canonical

# Not "$", which also matches before a final line break; this is the end of the text in Python and in JSON Schema.
_END = r"(?![\s\S])"

MOST_PARCELS = 50
"""An order's label and all its tracking numbers must fit one transaction."""

OrderId = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=f"^[!-~]+{_END}")]
CustomerId = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=f"^[!-~]+{_END}")]
Currency = Annotated[str, msgspec.Meta(pattern=f"^[A-Z]{{3}}{_END}")]
"""An ISO 4217 code."""
Country = Annotated[str, msgspec.Meta(pattern=f"^[A-Z]{{2}}{_END}")]
"""An ISO 3166-1 alpha-2 code."""
_AddressLine = Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=r"\S")]


class Customer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The customer of an order."""

    customer_id: CustomerId
    email: Annotated[str, msgspec.Meta(min_length=1, max_length=320)]
    """Where the acknowledgement is sent. The sender of mail decides whether mail can reach it."""
    locale: Locale = DEFAULT
    """The customer's language, a BCP 47 tag: en, de-AT. Other notations are converted, else it is `en`."""

    def __post_init__(self) -> None:
        """Put the locale in canonical form."""
        msgspec.structs.force_setattr(self, "locale", canonical(self.locale))


class ShippingAddress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The address of the delivery."""

    recipient: _AddressLine
    street: Annotated[tuple[_AddressLine, ...], msgspec.Meta(min_length=1, max_length=3)]
    """Street and number, and further lines for the carrier."""
    city: _AddressLine
    country: Country
    postal_code: Annotated[str, msgspec.Meta(max_length=20)] = ""
    """Some countries have none."""
    region: Annotated[str, msgspec.Meta(max_length=100)] = ""
    """State or province, if addresses have one."""


class Parcel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of the order's parcels, packed."""

    weight_grams: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A quantity of one article, at one unit price."""

    sku: Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=f"^[!-~]+{_END}")]
    quantity: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    unit_price: Annotated[int, msgspec.Meta(ge=0, le=10**12)]
    """In the order's currency, minor units. An article may be a gift."""
    description: Annotated[str, msgspec.Meta(max_length=100)] = ""
    """The article's name for the customer."""


@contract("order.submitted.v1", topic="OrderProcessing", filterable=("currency",))
class OrderSubmitted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order is complete and packed. `total` must be the sum of the lines."""

    order_id: OrderId
    """The order's own key: events with other ids and this key are about the same order."""
    customer: Customer
    shipping_address: ShippingAddress
    parcels: Annotated[tuple[Parcel, ...], msgspec.Meta(min_length=1, max_length=MOST_PARCELS)]
    lines: Annotated[tuple[Line, ...], msgspec.Meta(min_length=1, max_length=250)]
    total: Annotated[int, msgspec.Meta(ge=1, le=10**15)]
    """The sum of the lines; tax and shipping are lines too."""
    currency: Currency

    def __post_init__(self) -> None:
        """Refuse a total that is not that of the lines: it is unknown which is wrong."""
        lines = sum(line.quantity * line.unit_price for line in self.lines)
        if lines != self.total:
            raise ValueError(f"total is {self.total}, its lines come to {lines}")
