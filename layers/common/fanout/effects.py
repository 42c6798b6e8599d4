"""Effects that happen once although events are delivered at least once.

Four cases. The effect is one item whose key holds the event's identity: `put_once`. The effect is a state whose own
condition tells whether an event has had its turn (the latest wins, a step follows another): `transact`. The effect is
any other write to DynamoDB: `transact_once` writes a marker with the identity in the same transaction. The effect is
outside and has no idempotency key (a mail, a chat message): `at_most_once` records the intent, then acts; where nobody
can know whether it happened, a person decides.
"""

import math
import os
import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from fanout import aws
from fanout.deadline import seconds_until_killed
from fanout.event import Event
from fanout.failures import Discard, Reject, Retry
from fanout.identity import subscriber_name
from fanout.subscriber import Outcome

D = TypeVar("D")

# A marker must outlive every way an event can come back: queues keep 14 days, the event archive up to a year.
_MARKER_DAYS = 400

# Seconds to wait at most before each further attempt at a transaction that met another one at the same item. DynamoDB
# leaves that to its caller, and two transactions at one counter are no reason to send an event back to its queue.
_CONFLICT_WAITS = (0.05, 0.1, 0.2, 0.4)

# The same for the record of something that cannot be undone. Together a few seconds: other records of the batch wait.
_RECORD_WAITS = (0.2, 0.5, 1.0, 2.0)
_RECORD_SECONDS = 5.0


class ConditionFailedError(Exception):
    """A condition of the effect itself did not hold. `failed` numbers the actions concerned, from 0, as given."""

    def __init__(self, failed: list[int]) -> None:
        super().__init__(f"conditions of actions {failed} did not hold")
        self.failed = failed


@cache
def _types() -> tuple[Any, Any]:
    from boto3.dynamodb.types import TypeDeserializer, TypeSerializer  # noqa: PLC0415 - start-up, see fanout.aws

    return TypeSerializer(), TypeDeserializer()


def to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plain mapping (str, int, Decimal, bool, None, list, dict, bytes, set) as DynamoDB attribute values."""
    serializer, _ = _types()
    return {name: serializer.serialize(value) for name, value in values.items()}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return DynamoDB attribute values as a plain mapping; numbers come as Decimal."""
    _, deserializer = _types()
    return {name: deserializer.deserialize(value) for name, value in item.items()}


def marker_expiry() -> int:
    """Return when a marker made now may go, as Unix time in seconds, for the table's TTL attribute."""
    return int(time.time()) + int(os.environ.get("FANOUT_MARKER_DAYS", _MARKER_DAYS)) * 86_400


def put_once(table: str, item: Mapping[str, Any]) -> Outcome:
    """Put an item with keys `pk` and `sk` that are made from the event's identity.

    Returns PROCESSED, or DUPLICATE if an item with that key is there already, which is left as it is.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html
    """
    try:
        aws.client("dynamodb").put_item(
            TableName=table, Item=to_item(item), ConditionExpression="attribute_not_exists(pk)"
        )
    except Exception as error:
        if aws.error_code(error) == "ConditionalCheckFailedException":
            return Outcome.DUPLICATE
        raise
    return Outcome.PROCESSED


def transact(actions: Sequence[Mapping[str, Any]]) -> None:
    """Write up to 100 TransactWriteItems entries in one transaction, for effects whose own conditions make them happen
    once. A conflict with another transaction is tried again for up to a second.

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


def transact_once(event: Event[Any], table: str, actions: Sequence[Mapping[str, Any]]) -> Outcome:
    """Write `actions` and the event's marker (in `table`, keys `pk` and `sk`) in one transaction.

    actions: up to 99 TransactWriteItems entries ({"Put": ...}, {"Update": ...}, ...) with attribute values as DynamoDB
    takes them (`to_item`). A conflict with another transaction is tried again for up to a second.

    Returns PROCESSED, or DUPLICATE if the marker is there already; nothing is written then.
    Raises ConditionFailedError if an action's own condition did not hold, and what DynamoDB raises otherwise.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
    """
    return transact_batch_once([event], table, lambda _: actions)[0]


def transact_batch_once(
    events: Sequence[Event[D]], table: str, actions: Callable[[list[Event[D]]], Sequence[Mapping[str, Any]]]
) -> list[Outcome]:
    """Write what several events come to, and a marker for each of them, in one transaction: `transact_once` for many.

    events: each once. actions: makes the entries out of those events whose effect is not there yet; called again with
    fewer where a marker shows one to be a duplicate. Markers and entries together are 100 at most.

    Returns each event's outcome, in order. Raises as `transact_once` does, and nothing is written then.
    """
    fresh = list(events)
    while fresh:
        markers = [_marker(event, table) for event in fresh]
        try:
            transact([*markers, *actions(fresh)])
        except ConditionFailedError as error:
            duplicates = {number for number in error.failed if number < len(fresh)}
            if not duplicates:
                raise ConditionFailedError([number - len(fresh) for number in error.failed]) from None
            fresh = [event for number, event in enumerate(fresh) if number not in duplicates]
        else:
            break
    written = {event.identity for event in fresh}
    return [Outcome.PROCESSED if event.identity in written else Outcome.DUPLICATE for event in events]


def _marker(event: Event[Any], table: str) -> dict[str, Any]:
    marker = {"pk": f"event#{event.identity}", "sk": subscriber_name(), "expires_at": marker_expiry()}
    return {"Put": {"TableName": table, "Item": to_item(marker), "ConditionExpression": "attribute_not_exists(pk)"}}


def _cancellation_codes(error: Exception) -> list[str]:
    """Why a transaction was cancelled, action by action; empty for any other error."""
    if aws.error_code(error) != "TransactionCanceledException":
        return []
    reasons = getattr(error, "response", {}).get("CancellationReasons", [])
    return [reason.get("Code", "None") for reason in reasons]


def at_most_once(
    event: Event[Any],
    table: str,
    act: Callable[[], Mapping[str, Any] | None],
    *,
    key: str | None = None,
    prepare: Callable[[], None] | None = None,
    lease_seconds: float | None = None,
) -> Outcome:
    """Do what cannot be undone or recognised by its receiver, never twice.

    act: does it, without retries of its own, and returns what is worth recording. If it raises Retry, Reject or Discard
    it says that nothing went out, and the event may be tried again. Any other exception leaves that open: the event is
    rejected as `outcome-unknown`, and so is every later delivery of it.
    key: what it must happen once for, where that is more than one event (all events about one registration); as such a
    thing does not grow old with the archive, its record is kept for ever. The event's identity unless given.
    prepare: what comes before `act` and sends nothing: look-ups, rendering. Whatever it raises, nothing went out.
    lease_seconds: until then a second delivery waits, afterwards the first must have been killed. What is left of the
    invocation unless given; outside of a handler it must be.

    Returns PROCESSED, or DUPLICATE if it was done before. The record stands in `table` under pk `once#<key>` and
    sk the subscriber; a person who has found out what happened sets its `state` to `done`, or deletes it to try again.
    """
    lease = seconds_until_killed() if lease_seconds is None else lease_seconds
    if lease is None:
        raise TypeError("at_most_once outside of a handler needs lease_seconds")
    record = _Once(table, event, key)
    if not record.begin(lease):
        return Outcome.DUPLICATE
    sending = False
    try:
        if prepare is not None:
            prepare()
        sending = True
        details = act()
    except (Retry, Reject, Discard):
        record.set("released", {})
        raise
    except Exception as error:
        if not sending:
            record.set("released", {})
            raise
        code = aws.error_code(error) or type(error).__name__
        raise Reject(f"outcome-unknown: {code} while it was under way; find out whether it happened") from error
    record.set("done", details or {})
    return Outcome.PROCESSED


class _Once:
    """The record of one thing done at most once: `begun`, then `done`, or `released` if nothing went out."""

    def __init__(self, table: str, event: Event[Any], key: str | None) -> None:
        self._table = table
        self._key = {"pk": f"once#{event.identity if key is None else key}", "sk": subscriber_name()}
        self._facts = {"event": event.identity} if key is not None else {"expires_at": marker_expiry()}
        # Recognises our own record when the client repeats a call whose answer was lost.
        self._attempt = str(uuid.uuid4())

    def begin(self, lease_seconds: float) -> bool:
        """Record the intent. False if it was done before; raises Retry or Reject where another attempt has begun."""
        now = time.time()
        begun = {"state": "begun", "attempt": self._attempt, "lease_until": math.ceil(now + lease_seconds)}
        try:
            aws.client("dynamodb").put_item(
                TableName=self._table,
                Item=to_item({**self._key, **self._facts, **begun}),
                ConditionExpression="attribute_not_exists(pk) OR #state = :released OR attempt = :attempt",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues=to_item({":released": "released", ":attempt": self._attempt}),
            )
        except Exception as error:
            if aws.error_code(error) != "ConditionalCheckFailedException":
                raise
            return self._meet(now)
        return True

    def _meet(self, now: float) -> bool:
        """Say what another attempt's record means for this one."""
        answer = aws.client("dynamodb").get_item(TableName=self._table, Key=to_item(self._key), ConsistentRead=True)
        found = from_item(answer.get("Item", {}))
        if found.get("state") == "done":
            return False
        if found.get("state") != "begun":  # released or deleted in this very moment
            raise Retry("another attempt has just ended", after=1)
        left = float(found["lease_until"]) - now
        if left > 0:
            raise Retry("another attempt is under way", after=left + 1)
        raise Reject("outcome-unknown: an earlier attempt began and never ended; find out whether it happened")

    def set(self, state: str, details: Mapping[str, Any]) -> None:
        """Record how the attempt ended, with what is worth knowing about it, while the record is still this attempt's.

        Tried for some seconds beyond botocore's own retries: nobody but us knows it now, and what is not recorded a
        person has to find out. A try whose answer was lost has counted, and others may have gone on since: what they
        have recorded stays.
        """
        request = {
            "TableName": self._table,
            "Key": to_item(self._key),
            "UpdateExpression": "SET #state = :state, details = :details",
            "ConditionExpression": "attempt = :attempt",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": to_item(
                {":state": state, ":details": dict(details), ":attempt": self._attempt}
            ),
        }
        give_up = time.monotonic() + _RECORD_SECONDS
        waits = iter(_RECORD_WAITS)
        while True:
            try:
                aws.client("dynamodb").update_item(**request)
            except Exception as error:
                if aws.error_code(error) == "ConditionalCheckFailedException":
                    return
                wait = next(waits, None)
                if wait is None or time.monotonic() > give_up:
                    raise
                time.sleep(random.uniform(0.5, 1) * wait)  # noqa: S311 - jitter keeps no secret
            else:
                return
