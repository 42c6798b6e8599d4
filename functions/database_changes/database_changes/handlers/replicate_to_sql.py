"""Keeps the rows of the primary table in PostgreSQL."""

from database_changes import sql_replica
from fanout import Event, Outcome, subscriber
from fanout.contracts.database_changes import RowChanged


@subscriber(RowChanged)
def handler(event: Event[RowChanged]) -> Outcome:
    """Write the row as it is after the change, unless the replica has a later version."""
    return sql_replica.apply(event)
