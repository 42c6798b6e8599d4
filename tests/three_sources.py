"""The events of three sources, and a reference computation of their totals.

An event is made from the instant it happened at, and written down as its source would: with an offset, in milliseconds,
by the till's clock. What it adds to is computed from the same plain values, without a line of the application's.
"""

import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from fanout.identity import new_id

Amounts = Counter[tuple[str, str]]
"""pk and sk of an aggregate, and its total."""
COUNTRIES = ("AT", "CH", "DE", "JP")


@dataclass(frozen=True)
class Sample:
    """One event, and what it adds to which aggregates."""

    event: dict[str, Any]
    amounts: Amounts


class Sources:
    """Three sources whose clocks show some hours of some days. The same seed gives the same events, under new ids."""

    def __init__(self, seed: int, first: datetime, hours: int) -> None:
        self._chance = random.Random(seed)
        self._first = first
        self._hours = hours

    def sample(self) -> Sample:
        """An event of any of them."""
        return self._chance.choice([self.pageview, self.session, self.sale])()

    def pageview(self) -> Sample:
        """A page shown, by a browser somewhere in the world."""
        at, country, site = self._instant(), self._maybe_country(), self._chance.choice(["shop", "blog"])
        visible = self._chance.choice([0, self._chance.randrange(1, 90_000)])
        data = {"site": site, "path": "/", "visitor": "v_1", "viewed_at": self._local(at)}
        data |= {"visible_ms": visible} if visible else {}
        data |= {"country": country} if country else {}
        measures = {"contacts": 1, "views": 1, "engaged_ms": visible}
        return self._sample("web", "web.pageview.v1", data, at, measures, {"country": country, "site": site})

    def session(self) -> Sample:
        """An app used, in milliseconds since 1970."""
        at, country, platform = self._instant(), self._maybe_country(), self._chance.choice(["android", "ios"])
        length, screens = self._chance.randrange(0, 7_200_000), self._chance.randrange(0, 30)
        start = int((at - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))
        data = {"app": "shop-app", "platform": platform, "device": "d_1", "start_ms": start, "end_ms": start + length}
        data |= {"screens": screens} if screens else {}
        data |= {"geo": {"country": country} if country else {}} if self._chance.random() < 0.8 or country else {}
        measures = {"contacts": 1, "views": screens, "engaged_ms": length}
        dimensions = {"country": country, "app": "shop-app", "platform": platform}
        return self._sample("mobile", "mobile.session.v1", data, at, measures, dimensions)

    def sale(self) -> Sample:
        """A sale, by a till's clock."""
        at, country, currency = self._instant(), self._chance.choice(COUNTRIES), self._chance.choice(["EUR", "CHF"])
        store = self._chance.choice(["vienna-01", "bern-02"])
        lines = [
            {"sku": f"S-{number}", "quantity": self._chance.randrange(1, 5), "unit_price": self._chance.randrange(9999)}
            for number in range(self._chance.randrange(1, 4))
        ]
        items = sum(line["quantity"] for line in lines)
        total = sum(line["quantity"] * line["unit_price"] for line in lines)
        data = {
            "store_id": store, "till": 1, "receipt": "R-1", "sold_at": self._local(at), "country": country,
            "currency": currency, "total": total, "item_count": items, "lines": lines,
        }  # fmt: skip
        measures = {"contacts": 1, "items_sold": items, f"revenue_{currency}": total}
        return self._sample("store", "store.sale.v1", data, at, measures, {"country": country, "store": store})

    def _sample(  # noqa: PLR0917 - every one of them is a part of an event
        self,
        channel: str,
        kind: str,
        data: dict[str, Any],
        at: datetime,
        measures: dict[str, int],
        dimensions: dict[str, str | None],
    ) -> Sample:
        event = {"specversion": "1.0", "id": new_id(), "source": f"urn:test:{channel}", "type": kind, "data": data}
        windows = (at.strftime("hour#%Y-%m-%dT%H"), at.strftime("day#%Y-%m-%d"))
        amounts: Amounts = Counter()
        for measure, amount in measures.items():
            for dimension, value in {"channel": channel, **dimensions}.items():
                for window in windows:
                    if value and amount:
                        amounts[f"{measure}#{dimension}={value}", window] += amount
        return Sample(event, amounts)

    def _instant(self) -> datetime:
        """Milliseconds, as every source's clock has them; now and then the first or the last of an hour."""
        edge = self._chance.choice([0, 3_599_999, *[self._chance.randrange(3_600_000) for _ in range(8)]])
        return self._first + timedelta(hours=self._chance.randrange(self._hours), milliseconds=edge)

    def _local(self, at: datetime) -> str:
        zone = timezone(timedelta(minutes=self._chance.choice([-660, -300, 0, 60, 330, 840])))
        return at.astimezone(zone).isoformat(timespec="milliseconds")

    def _maybe_country(self) -> str | None:
        return self._chance.choice([None, *COUNTRIES])


def expected(samples: list[Sample]) -> Amounts:
    """What the aggregates must hold after these events, each counted once."""
    total: Amounts = Counter()
    for each in {each.event["id"]: each for each in samples}.values():
        total.update(each.amounts)
    return total
