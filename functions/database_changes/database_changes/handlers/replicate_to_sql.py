"""Keeps the rows of the primary table in PostgreSQL."""

from database_changes import sql_replica
from fanout.contracts.database_changes import RowChanged
from fanout.event import Event
from fanout.handler import subscriber
from fanout.outcomes import Outcome


@subscriber(RowChanged)
def handler(event: Event[RowChanged]) -> Outcome:
    """Write the row as it is after the change, unless the replica has a later version."""
    return sql_replica.apply(event)
