"""data_aggregation: events of three sources about their customers, each with its own schema.

The field with the time differs by schema; `moment` is that instant in each. An event belongs to the hour and the day of
its moment in UTC, also if it arrives late.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec

from fanout.contracts import contract

# Not "$", which also matches before a final line break; this is the end of the text in Python and in JSON Schema.
_END = r"(?![\s\S])"

MOST_LINES = 200
"""A sale of this size is far below the limits of a message and of a record of the lake."""
YEARS = range(2000, 2100)
"""The valid times of a clock; any other time means that the clock is not set."""

# Parts of the aggregates' keys are short, plain words: `#` and `=` are the separators of keys.
Word = Annotated[str, msgspec.Meta(pattern=f"^[a-z0-9][a-z0-9._-]{{0,63}}{_END}")]
Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=f"^[!-~]+{_END}")]
Country = Annotated[str, msgspec.Meta(pattern=f"^[A-Z]{{2}}{_END}")]
"""An ISO 3166-1 alpha-2 code."""
Currency = Annotated[str, msgspec.Meta(pattern=f"^[A-Z]{{3}}{_END}")]
"""An ISO 4217 code."""
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
# Milliseconds since 1970, from 2000 to the end of 2099.
_Milliseconds = Annotated[int, msgspec.Meta(ge=946_684_800_000, lt=4_102_444_800_000)]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _in_utc(name: str, moment: datetime) -> datetime:
    # The given year is checked first: at both ends of the range of datetime, UTC is outside of it.
    if moment.year not in YEARS or moment.astimezone(UTC).year not in YEARS:
        raise ValueError(f"{name} is not a valid time: its year is not in {YEARS[0]}..{YEARS[-1]}")
    return moment.astimezone(UTC)


@contract("web.pageview.v1", topic="DataAggregation", filterable=("site",))
class WebPageview(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A page was shown to a visitor of a website."""

    site: Word
    path: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
    visitor: Identifier
    """A pseudonym, assigned by the site. It is in the lake, never in a log."""
    viewed_at: _Instant
    """By the browser's clock, in any zone."""
    visible_ms: Annotated[int, msgspec.Meta(ge=0, le=86_400_000)] = 0
    """How long the visitor saw the page."""
    country: Country | None = None

    def __post_init__(self) -> None:
        """Refuse a clock that is not set."""
        _in_utc("viewed_at", self.viewed_at)

    @property
    def moment(self) -> datetime:
        """When the page was shown, in UTC."""
        return self.viewed_at.astimezone(UTC)


class Geo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The place that a device reports."""

    country: Country | None = None


@contract("mobile.session.v1", topic="DataAggregation", filterable=("app", "platform"))
class MobileSession(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An app was opened, used and closed. It counts in the hour in which it began."""

    app: Word
    platform: Literal["android", "ios"]
    device: Identifier
    """A pseudonym, assigned by the app. It is in the lake, never in a log."""
    start_ms: _Milliseconds
    end_ms: _Milliseconds
    """Both are milliseconds since 1970."""
    screens: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 0
    """How many screens were shown."""
    geo: Geo | None = None

    def __post_init__(self) -> None:
        """Refuse a session that ends before it begins, or more than a day later: the clock was changed."""
        length = self.end_ms - self.start_ms
        if not 0 <= length <= 86_400_000:
            raise ValueError(f"end_ms lies {length} ms after start_ms, not within a day of it")

    @property
    def moment(self) -> datetime:
        """When the session began, in UTC."""
        return _EPOCH + timedelta(milliseconds=self.start_ms)


class SaleLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A quantity of one article, at one unit price."""

    sku: Identifier
    quantity: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    unit_price: Annotated[int, msgspec.Meta(ge=0, le=10**12)]
    """In the sale's currency, minor units."""


@contract("store.sale.v1", topic="DataAggregation", filterable=("store_id", "currency"))
class StoreSale(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A customer has paid at a till. `total` and `item_count` must be those of the lines."""

    store_id: Word
    till: Annotated[int, msgspec.Meta(ge=1, le=999)]
    receipt: Identifier
    sold_at: _Instant
    """By the till's clock, in the store's zone."""
    country: Country
    currency: Currency
    total: Annotated[int, msgspec.Meta(ge=0, le=10**15)]
    """Minor units (cents)."""
    item_count: Annotated[int, msgspec.Meta(ge=1)]
    lines: Annotated[tuple[SaleLine, ...], msgspec.Meta(min_length=1, max_length=MOST_LINES)]

    def __post_init__(self) -> None:
        """Refuse sums that are not those of the lines: it is unknown which is wrong."""
        _in_utc("sold_at", self.sold_at)
        total = sum(line.quantity * line.unit_price for line in self.lines)
        if total != self.total:
            raise ValueError(f"total is {self.total}, its lines come to {total}")
        items = sum(line.quantity for line in self.lines)
        if items != self.item_count:
            raise ValueError(f"item_count is {self.item_count}, its lines have {items}")

    @property
    def moment(self) -> datetime:
        """When the sale was made, in UTC."""
        return self.sold_at.astimezone(UTC)
