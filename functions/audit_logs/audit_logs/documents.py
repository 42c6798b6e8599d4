"""The document that is kept of an event: masked, and in the one form that RFC 8785 gives it.

    {"event": <the CloudEvent as its producer sent it, its data masked>, "masked": [<each path that led to something>]}

Of the envelope it holds what Fanout's events have; `dataschema` and foreign extensions are left out, and a time is kept
to the microsecond.

`record` and `preserve` make it each for itself, and must come to the same bytes. So nothing goes into it but the event:
no time of delivery, nothing of the queue it came through. https://www.rfc-editor.org/rfc/rfc8785
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import msgspec
import rfc8785

from audit_logs.domain.masking import mask
from fanout import Event, Reject
from fanout.contracts.audit_logs import LARGEST_INTEGER, AuditRecorded
from fanout.delivery import Notification
from fanout.event import InvalidEvent, decode

LARGEST = 350_000
"""Bytes. An item of DynamoDB holds 400 KB, its keys and the link of the chain included."""


def as_sent(notification: Notification) -> Event[msgspec.Raw] | None:
    """Return the event as its producer sent it: without a time, where it has none. None for the runtime to judge.

    The runtime would fill in the time of delivery, and that differs from one subscriber's queue to the other's.
    """
    try:
        return decode(notification.text)
    except InvalidEvent:
        return None


def document(event: Event[AuditRecorded], paths: Sequence[str]) -> bytes:
    """Return what is kept of an event, with what the paths lead to masked. Raises Reject for one too large to keep."""
    masked, hits = _masked(msgspec.to_builtins(event), paths)
    found = rfc8785.dumps({"event": masked, "masked": hits})
    if len(found) > LARGEST:
        raise Reject("too-large", f"{len(found)} bytes are to be kept of it, {LARGEST} is the most")
    return found


def is_of(event: Event[AuditRecorded], kept: bytes, paths: Sequence[str]) -> bool:
    """Tell whether a document is of this very event, also if it was masked by other paths than these.

    A producer may publish an event again within another trace.
    """
    found = json.loads(kept, parse_int=_number)
    both = sorted({*paths, *found["masked"]})
    ours, theirs = (
        _masked(each | {"traceparent": None}, both)[0] for each in (msgspec.to_builtins(event), found["event"])
    )
    return rfc8785.dumps(ours) == rfc8785.dumps(theirs)


def name_of(event: Event[Any]) -> str:
    """Return the name under which an event is kept: the SHA-256 of the canonical JSON of [source, id], in hex."""
    return digest(rfc8785.dumps([event.source, event.id]))


def digest(content: bytes) -> str:
    """Return the SHA-256, in hex."""
    return hashlib.sha256(content).hexdigest()


def _masked(event: dict[str, Any], paths: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The event with its data masked, and the paths that led to something."""
    data, hits = mask(event["data"], paths)
    return {**event, "data": data}, hits


def _number(text: str) -> int | float:
    """A number of a document. RFC 8785 writes a double up to 1e21 without a point: one beyond 2^53-1 was no integer."""
    number = int(text)
    return number if abs(number) <= LARGEST_INTEGER else float(number)
