"""The aggregates: one number per measure, dimension and window, whichever source it comes from.

    pk                               sk                    total
    views#channel=web                hour#2026-11-22T14    1204
    views#channel=web                day#2026-11-22        20511
    revenue_EUR#country=DE           hour#2026-11-22T14    88450

A batch's events are written in as few transactions as DynamoDB allows. Each holds a marker per event, so that an event
counts once however often it comes, and one update per distinct key, so that writes grow with keys and not with events.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from fanout.effects import to_item, transact_batch_once
from fanout.event import Event
from fanout.failures import Retry
from fanout.observability import describe, log_failure
from fanout.subscriber import Answer

D = TypeVar("D")
Key = tuple[str, str]
"""pk and sk of an aggregate."""

MOST_ACTIONS = 100
"""What a transaction has room for, markers included.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html"""


class Observation(msgspec.Struct, frozen=True):
    """What one event means, in words that all sources share."""

    moment: datetime
    """In UTC."""
    measures: dict[str, int]
    dimensions: dict[str, str | None]
    """None: the source does not say."""

    def amounts(self) -> Counter[Key]:
        """Return what it adds to which aggregates: every measure by every dimension, in its hour and in its day."""
        instant = self.moment.isoformat()
        windows = (f"hour#{instant[:13]}", f"day#{instant[:10]}")
        return Counter(
            {
                (f"{measure}#{dimension}={value}", window): amount
                for measure, amount in self.measures.items()
                if amount
                for dimension, value in self.dimensions.items()
                if value is not None
                for window in windows
            }
        )


Observe = Callable[[D], Observation]


def add(table: str, events: Sequence[Event[D]], observe: Observe[D]) -> list[Answer]:
    """Add what the events mean to the aggregates, each event once. Returns an answer for each, in order.

    observe: maps a source's data to an observation. Trouble with one transaction holds up no event of another.
    """
    answers: dict[str, Answer] = {}
    for chunk in _chunks(events, observe):
        answers |= _write(table, chunk, observe)
    return [answers[event.identity] for event in events]


def _chunks(events: Sequence[Event[D]], observe: Observe[D]) -> Iterator[list[Event[D]]]:
    """Split events into what fits a transaction each: their markers and their distinct keys together.

    The order is that of time and identity, whatever that of the batch: events of one hour, which share keys, stay
    together, and a batch that comes again is split as before. No event has more keys than fit beside its marker.
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
    except Exception as error:  # whatever it is, the other transactions' answers stand
        log_failure(error, None)
        return {event.identity: Retry(describe(error)) for event in events}
    return {event.identity: outcome for event, outcome in zip(events, outcomes, strict=True)}


def _updates(table: str, events: list[Event[D]], observe: Observe[D]) -> list[dict[str, Any]]:
    """One update per distinct key, always in the same order."""
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
