"""DynamoDB helpers: attribute values, failed conditions, and transactions that retry a conflict."""

import random
import time
from collections.abc import Mapping, Sequence
from typing import Any

from fanout import aws
from fanout.attribute_values import deserialize, serialize

aws.prepare("dynamodb")

# The longest wait in seconds before each further attempt at a transaction that conflicts with another one. DynamoDB
# leaves these retries to the caller, and after a conflict at a counter the event need not return to its queue.
_CONFLICT_WAITS = (0.05, 0.1, 0.2, 0.4)


class ConditionFailedError(Exception):
    """A condition of a transaction did not hold. `failed`: the indexes of the actions concerned, from 0."""

    def __init__(self, failed: list[int]) -> None:
        super().__init__(f"conditions of actions {failed} did not hold")
        self.failed = failed


def to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plain mapping (str, int, Decimal, bool, None, list, dict, bytes, set) as DynamoDB attribute values."""
    return {name: serialize(value) for name, value in values.items()}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return DynamoDB attribute values as a plain mapping; numbers come as Decimal."""
    return {name: deserialize(value) for name, value in item.items()}


def condition_failed(error: BaseException) -> bool:
    """Return whether a write was refused because its ConditionExpression did not hold.

    For single writes (put_item, update_item, delete_item); `transact` raises ConditionFailedError instead.
    """
    return aws.error_code(error) == "ConditionalCheckFailedException"


def transact(actions: Sequence[Mapping[str, Any]]) -> None:
    """Write up to 100 TransactWriteItems entries in one transaction. A conflict is retried for up to a second.

    Raises ConditionFailedError if an action's condition did not hold, and what DynamoDB raises otherwise; nothing is
    written then. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
    """
    waits = iter(_CONFLICT_WAITS)
    while True:
        try:
            aws.client("dynamodb").transact_write_items(TransactItems=list(actions))
        except Exception as error:
            codes = _cancellation_codes(error)
            failed = [number for number, code in enumerate(codes) if code == "ConditionalCheckFailed"]
            if failed:
                raise ConditionFailedError(failed) from None
            wait = next(waits, None)
            if "TransactionConflict" not in codes or wait is None:
                raise
            time.sleep(random.uniform(0, wait))  # noqa: S311 - jitter keeps no secret
        else:
            return


def _cancellation_codes(error: Exception) -> list[str]:
    """Return why a transaction was cancelled, action by action; an empty list for any other error."""
    if aws.error_code(error) != "TransactionCanceledException":
        return []
    reasons = getattr(error, "response", {}).get("CancellationReasons", [])
    return [reason.get("Code", "None") for reason in reasons]
