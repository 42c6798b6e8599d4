"""Adds the sales of stores to the aggregates."""

from functools import cache

from data_aggregation import aggregates
from data_aggregation.aggregates import Observation
from data_aggregation.settings import AggregateSettings
from fanout import settings
from fanout.contracts.data_aggregation import StoreSale
from fanout.event import Event
from fanout.subscriber import Answer, batch_subscriber


@cache
def _table() -> str:
    return settings.load(AggregateSettings).aggregates_table


def observe(sale: StoreSale) -> Observation:
    """A sale is a contact with a customer. Amounts of different currencies never meet in one number."""
    return Observation(
        sale.moment,
        measures={"contacts": 1, "items_sold": sale.item_count, f"revenue_{sale.currency}": sale.total},
        dimensions={"channel": "store", "country": sale.country, "store": sale.store_id},
    )


@batch_subscriber(StoreSale)
def handler(events: list[Event[StoreSale]]) -> list[Answer]:
    """Add a batch."""
    return aggregates.add(_table(), events, observe)
