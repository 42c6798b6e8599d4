"""Adds the sessions of apps to the aggregates."""

from functools import cache

from data_aggregation import aggregates
from data_aggregation.aggregates import Observation
from data_aggregation.settings import AggregateSettings
from fanout import settings
from fanout.contracts.data_aggregation import MobileSession
from fanout.event import Event
from fanout.subscriber import Answer, batch_subscriber


@cache
def _table() -> str:
    return settings.load(AggregateSettings).aggregates_table


def observe(session: MobileSession) -> Observation:
    """A session is one contact with a customer, and as many views as it had screens."""
    return Observation(
        session.moment,
        measures={"contacts": 1, "views": session.screens, "engaged_ms": session.end_ms - session.start_ms},
        dimensions={
            "channel": "mobile",
            "country": session.geo.country if session.geo else None,
            "app": session.app,
            "platform": session.platform,
        },
    )


@batch_subscriber(MobileSession)
def handler(events: list[Event[MobileSession]]) -> list[Answer]:
    """Add a batch."""
    return aggregates.add(_table(), events, observe)
