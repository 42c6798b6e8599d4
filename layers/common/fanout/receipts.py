"""Receipts: the log lines that a subscriber writes about events, which `fanout trace` reads.

There are two kinds: `received` before the work, one line for every hundred records of a batch, so that a killed
function still shows; and one `receipt` per event after it. They are written directly: Powertools' Logger costs eight
times as much as the rest of a record. A receipt holds the contract's filterable fields and no other data.
"""

import sys
from datetime import UTC, datetime
from typing import Any

import msgspec

from fanout import contracts
from fanout.delivery import Delivery
from fanout.event import Event

_encode = msgspec.json.Encoder().encode
_MAX_TEXT = 1_000

# Lambda cuts a line above 256 KB, and the rest is not JSON; a record with the longest ids takes less than 2 KB.
# https://github.com/newrelic/newrelic-lambda-layers/pull/350
_RECORDS_PER_LINE = 100


class ReceivedRecord(msgspec.Struct):
    """One record of a batch, as a `received` line shows it."""

    event_id: str | None
    message_id: str
    attempt: int


class Received(msgspec.Struct, kw_only=True, tag_field="message", tag="received"):
    """The line that a subscriber writes before it works on a batch."""

    level: str = "INFO"
    timestamp: datetime
    subscriber: str
    request_id: str
    records: list[ReceivedRecord]


class Receipt(msgspec.Struct, kw_only=True, tag_field="message", tag="receipt"):
    """One subscriber's record of the outcome of one event."""

    level: str = "INFO"
    timestamp: datetime
    subscriber: str
    request_id: str
    event_id: str | None
    source: str | None
    type: str | None
    message_id: str
    attempt: int
    outcome: str
    reason: str | None
    code: str | None = None
    """Of a rejection or a discard; the reason begins with it."""
    published_at: datetime
    age_ms: int
    duration_ms: float
    fields: dict[str, Any]


def write_received(subscriber: str, request_id: str, records: list[ReceivedRecord]) -> None:
    """Write the `received` lines of a batch."""
    for first in range(0, len(records), _RECORDS_PER_LINE):
        _write(
            Received(
                timestamp=datetime.now(UTC),
                subscriber=subscriber,
                request_id=request_id,
                records=records[first : first + _RECORDS_PER_LINE],
            )
        )


def write_receipt(
    delivery: Delivery,
    event: Event[Any] | None,
    *,
    subscriber: str,
    request_id: str,
    outcome: str,
    reason: str | None,
    code: str | None,
    duration: float,
) -> Receipt:
    """Write the receipt of one delivery and return it. event: None if the body holds none. duration: in seconds."""
    now = datetime.now(UTC)
    published_at = delivery.notification.timestamp
    typed = event is not None and isinstance(event.data, msgspec.Struct)
    receipt = Receipt(
        timestamp=now,
        subscriber=subscriber,
        request_id=request_id,
        event_id=event.id if event else None,
        source=event.source if event else None,
        type=event.type if event else None,
        message_id=delivery.notification.message_id,
        attempt=delivery.attempt,
        outcome=outcome,
        reason=reason,
        code=code,
        published_at=published_at,
        age_ms=max(0, round((now - published_at).total_seconds() * 1000)),
        duration_ms=round(duration * 1000, 3),
        fields=contracts.filterable_fields(event.type, event.data) if event and typed else {},
    )
    _write(receipt)
    return receipt


def excerpt(text: str) -> str:
    """Return the text, cut off after 1,000 characters.

    An error that names a value quotes it completely, and a megabyte of it costs more to log than the event to handle.
    """
    return text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…"


def _write(line: Received | Receipt) -> None:
    # Lambda passes standard output on to CloudWatch Logs unchanged.
    sys.stdout.write(_encode(line).decode() + "\n")
    sys.stdout.flush()
