"""The stored document of an event: masked, in the canonical form of RFC 8785.

    {"event": <the CloudEvent as its producer sent it, its data masked>, "masked": [<each path that matched>]}

It contains the envelope fields of Fanout's events, not `dataschema` or foreign extensions; times have microseconds.

`record` and `preserve` each create it and must produce the same bytes. So it depends on the event only, not on the time
of delivery or the queue. https://www.rfc-editor.org/rfc/rfc8785
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
"""In bytes. A DynamoDB item has at most 400 KB, including its keys and the fields of the link."""


def as_sent(notification: Notification) -> Event[msgspec.Raw] | None:
    """Return the event as its producer sent it, without adding a missing time; None if the runtime is to judge it.

    The runtime would add the time of delivery, which differs between the queues of the two subscribers.
    """
    try:
        return decode(notification.text)
    except InvalidEvent:
        return None


def document(event: Event[AuditRecorded], paths: Sequence[str]) -> bytes:
    """Return the stored document of an event, with the paths masked. Raises Reject if it is too large."""
    masked, hits = _masked(msgspec.to_builtins(event), paths)
    found = rfc8785.dumps({"event": masked, "masked": hits})
    if len(found) > LARGEST:
        raise Reject("too-large", f"{len(found)} bytes are to be kept of it, {LARGEST} is the most")
    return found


def is_of(event: Event[AuditRecorded], kept: bytes, paths: Sequence[str]) -> bool:
    """Return whether a stored document is of this event, even if it was masked by other paths.

    The trace is ignored, because a producer may publish an event again within another trace.
    """
    found = json.loads(kept, parse_int=_number)
    both = sorted({*paths, *found["masked"]})
    ours, theirs = (
        _masked(each | {"traceparent": None}, both)[0] for each in (msgspec.to_builtins(event), found["event"])
    )
    return rfc8785.dumps(ours) == rfc8785.dumps(theirs)


def name_of(event: Event[Any]) -> str:
    """Return the name of an event's document: the SHA-256 of the canonical JSON of [source, id], in hex."""
    return digest(rfc8785.dumps([event.source, event.id]))


def digest(content: bytes) -> str:
    """Return the SHA-256, in hex."""
    return hashlib.sha256(content).hexdigest()


def _masked(event: dict[str, Any], paths: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the event with its data masked, and the paths that matched."""
    data, hits = mask(event["data"], paths)
    return {**event, "data": data}, hits


def _number(text: str) -> int | float:
    """Parse a number. RFC 8785 writes doubles up to 1e21 without a point, so one beyond 2^53-1 was not an integer."""
    number = int(text)
    return number if abs(number) <= LARGEST_INTEGER else float(number)
