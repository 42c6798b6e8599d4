"""The DynamoDB replica: the rows of the primary under the same keys, each with its version.

A deleted row leaves a tombstone with its key and our attributes, because only a version distinguishes a late update
from a later insert.
"""

from typing import Any

from database_changes import settings
from database_changes.staleness import check_staleness
from fanout import Discard, Event, Outcome, Reject, aws
from fanout.contracts.database_changes import REPLICA, RowChanged, attribute_values
from fanout.dynamodb import condition_failed, to_item
from fanout.idempotency import record_expiry

VERSION = f"{REPLICA}version"
DELETED = f"{REPLICA}deleted"
EXPIRES_AT = f"{REPLICA}expires_at"


def apply(event: Event[RowChanged]) -> Outcome:
    """Bring the row to this version if it has an older one.

    Return PROCESSED or DUPLICATE. Raises Discard for a row of another table or if the replica has a later version,
    Reject for a row that cannot be stored.
    """
    change = event.data
    if change.table != settings.dynamodb().primary_table:
        raise Discard("another-table", "this is the replica of one table, and the row is not in it")
    try:
        aws.client("dynamodb").put_item(
            TableName=settings.dynamodb().replica_table,
            Item=_item(change),
            ConditionExpression="attribute_not_exists(#version) OR #version < :version",
            ExpressionAttributeNames={"#version": VERSION},
            ExpressionAttributeValues={":version": {"S": change.version}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except Exception as error:
        if condition_failed(error):
            return check_staleness(change.version, _present(error))
        # DynamoDB refuses, above all, an item that our attributes make too large; boto3 refuses a wrong type.
        if (aws.error_code(error) or type(error).__name__) in {"ValidationException", "ParamValidationError"}:
            raise Reject("refused", "DynamoDB does not take the row with the replica's own attributes") from None
        raise
    return Outcome.PROCESSED


def _item(change: RowChanged) -> dict[str, Any]:
    marks: dict[str, Any] = {VERSION: change.version}
    if change.after is None:
        marks |= {DELETED: True, EXPIRES_AT: record_expiry()}
    elif any(name.startswith(REPLICA) for name in change.after):
        raise Reject("reserved", f"the row has an attribute whose name begins with {REPLICA}")
    try:
        return {**attribute_values(change.after or change.key), **to_item(marks)}
    except ValueError:
        raise Reject("refused", "the row holds what is not a DynamoDB attribute value") from None


def _present(error: Exception) -> str:
    item: dict[str, dict[str, str]] = getattr(error, "response", {}).get("Item", {})
    return item[VERSION]["S"]
