"""Keeps a second DynamoDB table equal to the primary one."""

from database_changes import dynamodb_replica
from fanout import Event, Outcome, subscriber
from fanout.contracts.database_changes import RowChanged


@subscriber(RowChanged)
def handler(event: Event[RowChanged]) -> Outcome:
    """Write the row as it is after the change, unless the replica has a later version."""
    return dynamodb_replica.apply(event)
