"""The aggregates: one number per measure, dimension and window, over all sources.

    pk                               sk                    total
    views#channel=web                hour#2026-11-22T14    1204
    views#channel=web                day#2026-11-22        20511
    revenue_EUR#country=DE           hour#2026-11-22T14    88450

The events of a batch are written in as few transactions as DynamoDB allows. Each has an idempotency record per event,
so that an event counts once, and one update per distinct key, so that writes grow with keys and not with events.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from data_aggregation.domain.observation import Key, Observation
from fanout import Event, Retry
from fanout.dynamodb import to_item
from fanout.idempotency import transact_batch_once
from fanout.observability import describe, log_failure
from fanout.outcomes import Answer

D = TypeVar("D")
MOST_ACTIONS = 100
"""Actions in one transaction, idempotency records included.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html"""


Observe = Callable[[D], Observation]


def add(table: str, events: Sequence[Event[D]], observe: Observe[D]) -> list[Answer]:
    """Add the events to the aggregates, each event once. Return one answer per event, in order.

    observe: maps a source's data to an observation. A failed transaction does not affect the events of the others.
    """
    answers: dict[str, Answer] = {}
    for chunk in _chunks(events, observe):
        answers |= _write(table, chunk, observe)
    return [answers[event.identity] for event in events]


def _chunks(events: Sequence[Event[D]], observe: Observe[D]) -> Iterator[list[Event[D]]]:
    """Split events so that the idempotency records and distinct keys of each part fit one transaction.

    Events are sorted by time and identity: events of one hour, which share keys, stay together, and a redelivered batch
    is split in the same way. A single event always fits.
    """
    chunk: list[Event[D]] = []
    keys: set[Key] = set()
    for event in sorted(events, key=lambda event: (observe(event.data).moment, event.identity)):
        added = observe(event.data).amounts().keys()
        if chunk and len(chunk) + 1 + len(keys | added) > MOST_ACTIONS:
            yield chunk
            chunk, keys = [], set()
        chunk.append(event)
        keys |= added
    if chunk:
        yield chunk


def _write(table: str, events: list[Event[D]], observe: Observe[D]) -> dict[str, Answer]:
    try:
        outcomes = transact_batch_once(events, table, lambda fresh: _updates(table, fresh, observe))
    except Exception as error:  # the answers of the other transactions stay valid
        log_failure(error, None)
        return {event.identity: Retry(describe(error)) for event in events}
    return {event.identity: outcome for event, outcome in zip(events, outcomes, strict=True)}


def _updates(table: str, events: list[Event[D]], observe: Observe[D]) -> list[dict[str, Any]]:
    """Return one update per distinct key, sorted by key."""
    totals: Counter[Key] = Counter()
    for event in events:
        totals.update(observe(event.data).amounts())
    return [_update(table, key, totals[key]) for key in sorted(totals)]


def _update(table: str, key: Key, amount: int) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": table,
            "Key": to_item({"pk": key[0], "sk": key[1]}),
            "UpdateExpression": "ADD #total :amount",
            "ExpressionAttributeNames": {"#total": "total"},
            "ExpressionAttributeValues": to_item({":amount": amount}),
        }
    }
