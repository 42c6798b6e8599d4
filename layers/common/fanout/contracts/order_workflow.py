"""order_workflow: an order from its placing to its confirmation or cancellation. Money is in minor units (cents)."""

from collections import Counter
from typing import Annotated, Literal

import msgspec

from fanout.contracts import contract
from fanout.locales import DEFAULT, Locale, canonical

# Not "$", which also matches before a final line break; this is the end of the text in Python and in JSON Schema.
_END = r"(?![\s\S])"
_TOPIC = "NewOrder"

MOST_LINES = 250
"""An order of this size is far below the limits of SNS and DynamoDB, also when a table stores it twice."""

OrderId = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=f"^[!-~]+{_END}")]
CustomerId = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=f"^[!-~]+{_END}")]
Sku = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=f"^[!-~]+{_END}")]
Currency = Annotated[str, msgspec.Meta(pattern=f"^[A-Z]{{3}}{_END}")]
"""An ISO 4217 code."""
Amount = Annotated[int, msgspec.Meta(ge=1, le=10**15)]
"""Money in the currency's minor unit: cents, or yen, which has none."""
Quantity = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Email = Annotated[str, msgspec.Meta(min_length=1, max_length=320)]
_Code = Annotated[str, msgspec.Meta(pattern=f"^[A-Za-z0-9_.-]{{1,64}}{_END}")]


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A quantity of one article, at one unit price."""

    sku: Sku
    quantity: Quantity
    unit_price: Annotated[int, msgspec.Meta(ge=0, le=10**12)]
    """In the order's currency, minor units. An article may be a gift."""
    description: Annotated[str, msgspec.Meta(max_length=100)] = ""
    """The article's name for the customer."""


Lines = Annotated[tuple[Line, ...], msgspec.Meta(min_length=1, max_length=MOST_LINES)]


class _Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    order_id: OrderId
    """The order's own key: events with other ids and this key are about the same order."""
    customer_id: CustomerId
    currency: Currency
    lines: Lines
    total: Amount
    """The sum of the lines; tax and shipping are lines too."""
    email: Email | None = None
    """The address for notifications; None if the customer wants none."""
    locale: Locale = DEFAULT
    """The customer's language, a BCP 47 tag: en, de-AT. Other notations are converted, else it is `en`."""

    def __post_init__(self) -> None:
        """Put the locale in canonical form; refuse a total that is not the sum of the lines."""
        msgspec.structs.force_setattr(self, "locale", canonical(self.locale))
        lines = sum(line.quantity * line.unit_price for line in self.lines)
        if lines != self.total:
            raise ValueError(f"total is {self.total}, its lines come to {lines}")

    def quantities(self) -> dict[str, int]:
        """Return how many of each article the lines ask for together, in order of first appearance."""
        wanted: Counter[str] = Counter()
        for line in self.lines:
            wanted[line.sku] += line.quantity
        return dict(wanted)


@contract("order.placed.v1", topic=_TOPIC, filterable=("currency",))
class OrderPlaced(_Order, frozen=True, kw_only=True, omit_defaults=True):
    """A customer has placed an order. `total` must be the sum of the lines."""


class _Payment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    order_id: OrderId
    amount: Amount
    currency: Currency
    provider: _Code
    """The payment provider: `sandbox` is not a payment, no money moves."""


@contract("payment.authorized.v1", topic=_TOPIC, filterable=("provider",))
class PaymentAuthorized(_Payment, frozen=True, kw_only=True, omit_defaults=True):
    """The order's total is authorized."""

    reference: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    """The provider's id of the payment."""


@contract("payment.declined.v1", topic=_TOPIC, filterable=("provider", "code"))
class PaymentDeclined(_Payment, frozen=True, kw_only=True, omit_defaults=True):
    """The order will not be paid."""

    code: _Code
    """The provider's code: card_declined, insufficient_funds."""


@contract("payment.refunded.v1", topic=_TOPIC, filterable=("provider",))
class PaymentRefunded(_Payment, frozen=True, kw_only=True, omit_defaults=True):
    """The whole payment of a cancelled order was refunded."""

    reference: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    """The provider's id of the refund."""


class Reserved(msgspec.Struct, frozen=True, kw_only=True):
    """A quantity of one article."""

    sku: Sku
    quantity: Quantity


@contract("stock.reserved.v1", topic=_TOPIC)
class StockReserved(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every line of the order is reserved."""

    order_id: OrderId
    items: Annotated[tuple[Reserved, ...], msgspec.Meta(min_length=1, max_length=MOST_LINES)]


@contract("stock.unavailable.v1", topic=_TOPIC)
class StockUnavailable(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """At least one line is out of stock, so nothing is reserved."""

    order_id: OrderId
    missing: Annotated[tuple[Sku, ...], msgspec.Meta(min_length=1, max_length=MOST_LINES)]
    """The articles that are out of stock."""


CancellationReason = Literal["payment_declined", "stock_unavailable", "deadline_passed", "conflict"]
"""`conflict`: two different orders have one id."""


@contract("order.confirmed.v1", topic=_TOPIC, filterable=("currency", "payment_provider"))
class OrderConfirmed(_Order, frozen=True, kw_only=True, omit_defaults=True):
    """The order is paid and reserved. Final: there is no `order.cancelled.v1`."""

    payment_provider: _Code
    """`sandbox` is not a payment, no money moved."""


@contract("order.cancelled.v1", topic=_TOPIC, filterable=("currency", "reason"))
class OrderCancelled(_Order, frozen=True, kw_only=True, omit_defaults=True):
    """The order is cancelled. Final: there is no `order.confirmed.v1`."""

    reason: CancellationReason
