"""Effects that happen once although events are delivered at least once.

There are four cases:

- The effect is one item whose key holds the event's identity: `put_once`.
- The effect is any other write to DynamoDB: `transact_once` writes an idempotency record with the event's identity in
  the same transaction; `transact_batch_once` does so for several events.
- The effect is a state whose own condition tells whether the event was applied (the latest wins, a step follows
  another): `fanout.dynamodb.transact`. No record is needed.
- The effect is outside AWS and has no idempotency key (a mail, a chat message): `at_most_once` records the intent, then
  acts. If the outcome is unknown, a person decides.
"""

import math
import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from fanout import aws
from fanout.deadline import seconds_until_killed
from fanout.dynamodb import ConditionFailedError, condition_failed, from_item, to_item, transact
from fanout.event import Event
from fanout.identity import subscriber_name
from fanout.outcomes import Discard, Outcome, Reject, Retry

D = TypeVar("D")

# A record must outlive every way an event can be delivered again: queues keep 14 days, the event archive up to a year.
_RECORD_DAYS = 400

# Seconds to wait before each further attempt to record the outcome of what cannot be undone. A few seconds in all:
# other records of the batch wait.
_SAVE_WAITS = (0.2, 0.5, 1.0, 2.0)
_SAVE_SECONDS = 5.0


def record_expiry() -> int:
    """Return when an idempotency record written now expires: Unix time in seconds, for the table's TTL attribute."""
    return int(time.time()) + _RECORD_DAYS * 86_400


def put_once(table: str, item: Mapping[str, Any]) -> Outcome:
    """Put an item whose keys `pk` and `sk` are made from the event's identity.

    Returns PROCESSED, or DUPLICATE if an item with that key exists; it is left unchanged.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ConditionExpressions.html
    """
    try:
        aws.client("dynamodb").put_item(
            TableName=table, Item=to_item(item), ConditionExpression="attribute_not_exists(pk)"
        )
    except Exception as error:
        if condition_failed(error):
            return Outcome.DUPLICATE
        raise
    return Outcome.PROCESSED


def transact_once(event: Event[Any], table: str, actions: Sequence[Mapping[str, Any]]) -> Outcome:
    """Write `actions` and the event's idempotency record (in `table`, keys `pk` and `sk`) in one transaction.

    actions: up to 99 TransactWriteItems entries ({"Put": ...}, {"Update": ...}, ...) with attribute values as DynamoDB
    takes them (`to_item`). A conflict with another transaction is retried for up to a second.

    Returns PROCESSED, or DUPLICATE if the record exists; nothing is written then.
    Raises ConditionFailedError if an action's own condition did not hold, and what DynamoDB raises otherwise.
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
    """
    return transact_batch_once([event], table, lambda _: actions)[0]


def transact_batch_once(
    events: Sequence[Event[D]], table: str, actions: Callable[[list[Event[D]]], Sequence[Mapping[str, Any]]]
) -> list[Outcome]:
    """Write the effect of several events, and an idempotency record for each, in one transaction.

    events: distinct events. actions: makes the entries for the events that have no effect yet; called again with fewer
    events if a record shows that one is a duplicate. Records and entries together are 100 at most.

    Returns each event's outcome, in order. Raises as `transact_once` does, and nothing is written then.
    """
    fresh = list(events)
    while fresh:
        records = [_record(event, table) for event in fresh]
        try:
            transact([*records, *actions(fresh)])
        except ConditionFailedError as error:
            duplicates = {number for number in error.failed if number < len(fresh)}
            if not duplicates:
                raise ConditionFailedError([number - len(fresh) for number in error.failed]) from None
            fresh = [event for number, event in enumerate(fresh) if number not in duplicates]
        else:
            break
    written = {event.identity for event in fresh}
    return [Outcome.PROCESSED if event.identity in written else Outcome.DUPLICATE for event in events]


def _record(event: Event[Any], table: str) -> dict[str, Any]:
    record = {"pk": f"event#{event.identity}", "sk": subscriber_name(), "expires_at": record_expiry()}
    return {"Put": {"TableName": table, "Item": to_item(record), "ConditionExpression": "attribute_not_exists(pk)"}}


def at_most_once(
    event: Event[Any],
    table: str,
    act: Callable[[], Mapping[str, Any] | None],
    *,
    key: str | None = None,
    prepare: Callable[[], None] | None = None,
    lease_seconds: float | None = None,
) -> Outcome:
    """Do at most once what can neither be undone nor recognised as a duplicate by its receiver.

    act: does it, without retries of its own, and returns details to record. If it raises Retry, Reject or Discard,
    nothing was sent, and the event may be tried again. Any other exception leaves the outcome unknown: the event is
    rejected as `outcome-unknown`, and so is every later delivery of it.
    key: what it happens at most once for, if that is more than one event (all events about one registration). Such a
    record never expires. The event's identity unless given.
    prepare: look-ups and rendering before `act`. It sends nothing, so its exceptions never leave the outcome unknown.
    lease_seconds: a second delivery waits that long; after it, the first is taken as killed. Default: the rest of the
    invocation. Required outside of a handler.

    Returns PROCESSED, or DUPLICATE if it was done before. The record is in `table` under pk `once#<key>` and sk the
    subscriber. An operator who has found out what happened sets its `state` to `done`, or deletes it to try again.
    """
    lease = seconds_until_killed() if lease_seconds is None else lease_seconds
    if lease is None:
        raise TypeError("at_most_once outside of a handler needs lease_seconds")
    record = _OnceRecord(table, event, key)
    if not record.begin(lease):
        return Outcome.DUPLICATE
    sending = False
    try:
        if prepare is not None:
            prepare()
        sending = True
        details = act()
    except (Retry, Reject, Discard):
        record.save("released", {})
        raise
    except Exception as error:
        if not sending:
            record.save("released", {})
            raise
        code = aws.error_code(error) or type(error).__name__
        raise Reject("outcome-unknown", f"{code} while it was under way; find out whether it happened") from error
    record.save("done", details or {})
    return Outcome.PROCESSED


class _OnceRecord:
    """The record of one effect: state `begun`, then `done`, or `released` if nothing was sent."""

    def __init__(self, table: str, event: Event[Any], key: str | None) -> None:
        self._table = table
        self._key = {"pk": f"once#{event.identity if key is None else key}", "sk": subscriber_name()}
        self._facts = {"event": event.identity} if key is not None else {"expires_at": record_expiry()}
        # Recognises our own record when the client repeats a call whose answer was lost.
        self._attempt = str(uuid.uuid4())

    def begin(self, lease_seconds: float) -> bool:
        """Record the intent. False if it was done before; raises Retry or Reject if another attempt has begun."""
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
            if not condition_failed(error):
                raise
            return self._check_other_attempt(now)
        return True

    def _check_other_attempt(self, now: float) -> bool:
        """Return False if another attempt is done; raise Retry if it may still end, Reject if it was killed."""
        answer = aws.client("dynamodb").get_item(TableName=self._table, Key=to_item(self._key), ConsistentRead=True)
        found = from_item(answer.get("Item", {}))
        if found.get("state") == "done":
            return False
        if found.get("state") != "begun":  # released or deleted since the condition was checked
            raise Retry("another attempt has just ended", after=1)
        left = float(found["lease_until"]) - now
        if left > 0:
            raise Retry("another attempt is under way", after=left + 1)
        raise Reject("outcome-unknown", "an earlier attempt began and never ended; find out whether it happened")

    def save(self, state: str, details: Mapping[str, Any]) -> None:
        """Record how the attempt ended, with its details, if the record still belongs to this attempt.

        Retried for some seconds beyond botocore's own retries: an outcome that is not recorded must be found out by a
        person. An attempt whose answer was lost has been written, and another attempt may have begun since: its record
        is left unchanged.
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
        give_up = time.monotonic() + _SAVE_SECONDS
        waits = iter(_SAVE_WAITS)
        while True:
            try:
                aws.client("dynamodb").update_item(**request)
            except Exception as error:
                if condition_failed(error):
                    return
                wait = next(waits, None)
                if wait is None or time.monotonic() > give_up:
                    raise
                time.sleep(random.uniform(0.5, 1) * wait)  # noqa: S311 - jitter keeps no secret
            else:
                return
