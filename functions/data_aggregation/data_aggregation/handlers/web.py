"""Adds the pageviews of websites to the aggregates."""

from data_aggregation import aggregates, settings
from data_aggregation.domain.observation import Observation
from fanout import Event, batch_subscriber
from fanout.contracts.data_aggregation import WebPageview
from fanout.outcomes import Answer


def observe(view: WebPageview) -> Observation:
    """Return the observation of a pageview: one contact with a customer, and a view."""
    return Observation(
        view.moment,
        measures={"contacts": 1, "views": 1, "engaged_ms": view.visible_ms},
        dimensions={"channel": "web", "country": view.country, "site": view.site},
    )


@batch_subscriber(WebPageview)
def handler(events: list[Event[WebPageview]]) -> list[Answer]:
    """Add a batch to the aggregates."""
    return aggregates.add(settings.load().aggregates_table, events, observe)
