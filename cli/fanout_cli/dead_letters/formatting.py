"""One dead letter as a person reads it, and as a program does."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from fanout_cli.dead_letters.dead_letter import DeadLetter, Origin
from fanout_cli.output import printable
from fanout_cli.stack.topology import Subscriber
from fanout_cli.times import format_time

_HANDS = {
    Origin.RUNTIME: "the subscriber",
    Origin.SQS: "SQS, after too many receives",
    Origin.LAMBDA: "Lambda, as a failed invocation",
    Origin.SNS: "SNS, as a failed delivery",
}


def line(letter: DeadLetter) -> dict[str, Any]:
    """A letter without its body, as `--json` shows it."""
    return {
        "message_id": letter.message_id,
        "event_id": letter.event_id,
        "type": letter.event_type,
        "outcome": letter.outcome,
        "code": letter.code,
        "reason": letter.cause,
        "attempts": letter.attempts,
        "at": format_time(letter.at),
    }


def document(letter: DeadLetter, subscriber: Subscriber) -> dict[str, Any]:
    """A letter with everything in it, as `--json` shows it: `body` to the letter, `event` where that is an object."""
    event = _event(letter)
    return {
        "subscriber": subscriber.name,
        **line(letter),
        "put_there_by": letter.origin.value,
        "message_ids": sorted(letter.message_ids),
        "claim_check": claim_check(event, subscriber),
        "event": event,
        "body": letter.event,
    }


def lines(letter: DeadLetter, subscriber: Subscriber, now: datetime) -> Iterator[str]:
    """A letter as a person reads it; nothing in it can steer the terminal."""
    event = _event(letter) or {}
    shown = {
        "subscriber": subscriber.name,
        "outcome": letter.outcome,
        "code": letter.code,
        "reason": letter.cause,
        "attempts": letter.attempts,
        "given up": f"{format_time(letter.at)}, {age(letter.at, now)} ago" if letter.at else None,
        "put there by": _HANDS[letter.origin],
        "event": letter.event_id,
        "type": letter.event_type,
        "source": event.get("source"),
        "event time": event.get("time"),
        "messages": ", ".join(sorted(letter.message_ids)),
        "claim check": claim_check(event, subscriber),
    }
    for name, value in shown.items():
        if value is not None:
            yield f"{name:13} {printable(str(value))}"
    yield ""
    yield printable(_pretty(letter.event), keep="\n")


def claim_check(event: Any, subscriber: Subscriber) -> str | None:
    """Where the whole event is parked, if the letter holds a stub. Where the function would look, nowhere else."""
    digest = event.get("claimcheck") if isinstance(event, dict) else None
    if not isinstance(digest, str):
        return None
    bucket = subscriber.environment.get("FANOUT_CLAIM_CHECK_BUCKET")
    return f"s3://{bucket}/{subscriber.use_case}/{digest}" if bucket else f"{digest} (no bucket is configured)"


def age(at: datetime | None, now: datetime) -> str:
    """How long ago that is, in the largest unit that fits."""
    if at is None:
        return "unknown"
    seconds = max(0, (now - at.astimezone(UTC)).total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _event(letter: DeadLetter) -> dict[str, Any] | None:
    try:
        event = json.loads(letter.event)
        json.dumps(event, allow_nan=False)  # what we could not print again is shown as text only
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _pretty(text: str) -> str:
    """JSON with line ends, and otherwise to the letter as it was sent: doubled keys and odd numbers included."""
    try:
        return msgspec.json.format(text, indent=2)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return text
