"""Adds the sales of stores to the aggregates."""

from data_aggregation import aggregates, settings
from data_aggregation.domain.observation import Observation
from fanout import Event, batch_subscriber
from fanout.contracts.data_aggregation import StoreSale
from fanout.outcomes import Answer


def observe(sale: StoreSale) -> Observation:
    """Return the observation of a sale: one contact with a customer. Revenue is summed per currency."""
    return Observation(
        sale.moment,
        measures={"contacts": 1, "items_sold": sale.item_count, f"revenue_{sale.currency}": sale.total},
        dimensions={"channel": "store", "country": sale.country, "store": sale.store_id},
    )


@batch_subscriber(StoreSale)
def handler(events: list[Event[StoreSale]]) -> list[Answer]:
    """Add a batch to the aggregates."""
    return aggregates.add(settings.load().aggregates_table, events, observe)
