"""Format a dead letter as text or as JSON."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from fanout_cli.dead_letters.dead_letter import DeadLetter, Origin
from fanout_cli.output import printable
from fanout_cli.stack.topology import Subscriber
from fanout_cli.times import format_time

_ORIGINS = {
    Origin.RUNTIME: "the subscriber",
    Origin.SQS: "SQS, after too many receives",
    Origin.LAMBDA: "Lambda, as a failed invocation",
    Origin.SNS: "SNS, as a failed delivery",
}


def line(dead_letter: DeadLetter) -> dict[str, Any]:
    """Return the JSON fields of a dead letter without its body."""
    return {
        "message_id": dead_letter.message_id,
        "event_id": dead_letter.event_id,
        "type": dead_letter.event_type,
        "outcome": dead_letter.outcome,
        "code": dead_letter.code,
        "reason": dead_letter.cause,
        "attempts": dead_letter.attempts,
        "at": format_time(dead_letter.at),
    }


def document(dead_letter: DeadLetter, subscriber: Subscriber) -> dict[str, Any]:
    """Return all JSON fields: `body` is the exact text, `event` the parsed body if that is an object."""
    event = _event(dead_letter)
    return {
        "subscriber": subscriber.name,
        **line(dead_letter),
        "put_there_by": dead_letter.origin.value,
        "message_ids": sorted(dead_letter.message_ids),
        "claim_check": claim_check(event, subscriber),
        "event": event,
        "body": dead_letter.event,
    }


def lines(dead_letter: DeadLetter, subscriber: Subscriber, now: datetime) -> Iterator[str]:
    """Yield the lines of a dead letter as text, without control characters."""
    event = _event(dead_letter) or {}
    shown = {
        "subscriber": subscriber.name,
        "outcome": dead_letter.outcome,
        "code": dead_letter.code,
        "reason": dead_letter.cause,
        "attempts": dead_letter.attempts,
        "dead-lettered": f"{format_time(dead_letter.at)}, {age(dead_letter.at, now)} ago" if dead_letter.at else None,
        "origin": _ORIGINS[dead_letter.origin],
        "event": dead_letter.event_id,
        "type": dead_letter.event_type,
        "source": event.get("source"),
        "event time": event.get("time"),
        "messages": ", ".join(sorted(dead_letter.message_ids)),
        "claim check": claim_check(event, subscriber),
    }
    for name, value in shown.items():
        if value is not None:
            yield f"{name:13} {printable(str(value))}"
    yield ""
    yield printable(_pretty(dead_letter.event), keep="\n")


def claim_check(event: Any, subscriber: Subscriber) -> str | None:
    """Return where the claim check is stored, if the dead letter holds a stub. The bucket is the function's own."""
    digest = event.get("claimcheck") if isinstance(event, dict) else None
    if not isinstance(digest, str):
        return None
    bucket = subscriber.environment.get("FANOUT_CLAIM_CHECK_BUCKET")
    return f"s3://{bucket}/{subscriber.use_case}/{digest}" if bucket else f"{digest} (no bucket is configured)"


def age(at: datetime | None, now: datetime) -> str:
    """Return how long ago that is, in the largest unit that fits."""
    if at is None:
        return "unknown"
    seconds = max(0, (now - at.astimezone(UTC)).total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _event(dead_letter: DeadLetter) -> dict[str, Any] | None:
    try:
        event = json.loads(dead_letter.event)
        json.dumps(event, allow_nan=False)  # what we could not print again is shown as text only
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _pretty(text: str) -> str:
    """Indent JSON and change nothing else: duplicate keys and the text of numbers stay."""
    try:
        return msgspec.json.format(text, indent=2)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return text
