"""Adds the sessions of apps to the aggregates."""

from data_aggregation import aggregates, settings
from data_aggregation.domain.observation import Observation
from fanout import Event, batch_subscriber
from fanout.contracts.data_aggregation import MobileSession
from fanout.outcomes import Answer


def observe(session: MobileSession) -> Observation:
    """Return the observation of a session: one contact with a customer, and a view per screen."""
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
    """Add a batch to the aggregates."""
    return aggregates.add(settings.load().aggregates_table, events, observe)
