"""Keeps a second DynamoDB table equal to the primary one."""

from database_changes import dynamodb_replica
from fanout.contracts.database_changes import RowChanged
from fanout.event import Event
from fanout.handler import subscriber
from fanout.outcomes import Outcome


@subscriber(RowChanged)
def handler(event: Event[RowChanged]) -> Outcome:
    """Write the row as it is after the change, unless the replica has a later version."""
    return dynamodb_replica.apply(event)
