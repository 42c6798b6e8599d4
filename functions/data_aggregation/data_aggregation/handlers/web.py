"""Adds the pageviews of websites to the aggregates."""

from functools import cache

from data_aggregation import aggregates
from data_aggregation.aggregates import Observation
from data_aggregation.settings import AggregateSettings
from fanout import settings
from fanout.contracts.data_aggregation import WebPageview
from fanout.event import Event
from fanout.subscriber import Answer, batch_subscriber


@cache
def _table() -> str:
    return settings.load(AggregateSettings).aggregates_table


def observe(view: WebPageview) -> Observation:
    """A page shown is a contact with a customer and a view."""
    return Observation(
        view.moment,
        measures={"contacts": 1, "views": 1, "engaged_ms": view.visible_ms},
        dimensions={"channel": "web", "country": view.country, "site": view.site},
    )


@batch_subscriber(WebPageview)
def handler(events: list[Event[WebPageview]]) -> list[Answer]:
    """Add a batch."""
    return aggregates.add(_table(), events, observe)
