"""Counters of the monitor: warnings and errors per service and minute, errors per service and alert window.

    pk                  sk                               attributes
    service#checkout    minute#2026-11-22T14:05Z         warnings, errors
    service#checkout    window#2026-11-22T14:05:00Z/300  errors, and the state of its alert: see `alerts`

Minute and window follow from the entry's own time, also for a late entry.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from fanout import Event, Outcome
from fanout.contracts.application_logs import LogEntry
from fanout.dynamodb import to_item
from fanout.idempotency import record_expiry, transact_batch_once

# A transaction has room for 100 actions: an event needs one for its idempotency record and at most one for its minute;
# the window needs one. https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
_MOST_AT_ONCE = 49


class Window(msgspec.Struct, frozen=True):
    """A span of time in which one service's errors are counted together."""

    service: str
    start: int
    """Unix time in seconds, a multiple of the length."""
    seconds: int

    @classmethod
    def of(cls, event: Event[LogEntry], seconds: int) -> "Window":
        """Return the window of this length that an entry belongs to."""
        start = int(event.occurred_at.timestamp() // seconds) * seconds
        return cls(event.data.service, start, seconds)

    @property
    def key(self) -> dict[str, str]:
        """The key of its counter."""
        return {"pk": f"service#{self.service}", "sk": f"window#{instant(self.start)}/{self.seconds}"}


def instant(seconds: int) -> str:
    """Return a Unix time in RFC 3339."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def is_error(event: Event[LogEntry]) -> bool:
    """Return whether an entry counts as an error: ERROR and above."""
    return event.data.level in {"ERROR", "CRITICAL"}


def is_counted(event: Event[LogEntry]) -> bool:
    """Return whether an entry is counted: WARNING and above."""
    return is_error(event) or event.data.level == "WARNING"


def add(table: str, window: Window, events: Sequence[Event[LogEntry]]) -> list[Outcome]:
    """Count events of one window, each once. Return PROCESSED or DUPLICATE for each, in order.

    Raises what DynamoDB raises. Some events may be counted by then; they are duplicates when they are redelivered.
    """
    outcomes: list[Outcome] = []
    for first in range(0, len(events), _MOST_AT_ONCE):
        chunk = events[first : first + _MOST_AT_ONCE]
        outcomes += transact_batch_once(chunk, table, lambda fresh: _increments(table, window, fresh))
    return outcomes


def _increments(table: str, window: Window, events: list[Event[LogEntry]]) -> list[dict[str, Any]]:
    errors = Counter(_minute(event) for event in events if is_error(event))
    warnings = Counter(_minute(event) for event in events if not is_error(event))
    increments = [
        _increment(
            table,
            {"pk": window.key["pk"], "sk": f"minute#{minute}"},
            {"errors": errors[minute], "warnings": warnings[minute]},
        )
        for minute in sorted(errors.keys() | warnings.keys())
    ]
    if errors:
        increments.append(_increment(table, window.key, {"errors": errors.total()}))
    return increments


def _minute(event: Event[LogEntry]) -> str:
    return f"{event.occurred_at.isoformat()[:16]}Z"


def _increment(table: str, key: dict[str, str], numbers: dict[str, int]) -> dict[str, Any]:
    added = ", ".join(f"{name} :{name}" for name in numbers)
    values = {f":{name}": number for name, number in numbers.items()}
    return {
        "Update": {
            "TableName": table,
            "Key": to_item(key),
            "UpdateExpression": f"ADD {added} SET expires_at = :expires_at",
            "ExpressionAttributeValues": to_item({**values, ":expires_at": record_expiry()}),
        }
    }
