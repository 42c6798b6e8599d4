"""The identity of events: (source, id). Idempotency is based on it."""

import hashlib
import json
import os
import time
import uuid

# The namespace of derived ids. It must never change: a redelivered cause must give the same derived id forever.
_DERIVED = uuid.UUID("3c1b9d6e-51f0-5c0e-9a53-0f7f3d6b8a41")

_MAX_KEY_BYTES = 512


def new_id() -> str:
    """Return a UUIDv7 for a new event: unique, and sortable by the millisecond of its creation.

    Layout: RFC 9562, section 5.7. (`uuid.uuid7` comes with Python 3.14; functions run on 3.13.)
    """
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & (1 << 48) - 1) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76  # version
    value = value & ~(0x3 << 62) | 0x2 << 62  # variant
    return str(uuid.UUID(int=value))


def made_at(event_id: str) -> float | None:
    """Return the Unix time in seconds at which a UUIDv7 was created; None for any other id."""
    try:
        value = uuid.UUID(event_id)
    except ValueError:
        return None
    return (value.int >> 80) / 1000 if value.version == 7 else None


def derived_id(source: str, event_id: str, subscriber: str, event_type: str, ordinal: int) -> str:
    """Return the id of an event that another event caused.

    The same cause, subscriber, type and ordinal always give the same id, so an event that is published again because
    its cause was delivered again is a duplicate of the first, not a second event. UUIDv5: RFC 9562, section 5.5.
    """
    name = json.dumps([source, event_id, subscriber, event_type, ordinal], ensure_ascii=False, separators=(",", ":"))
    return str(uuid.uuid5(_DERIVED, name))


def identity(source: str, event_id: str) -> str:
    """Return (source, id) as one string for use as a key: `<source>#<id>`, unambiguous for any source and id.

    A text that is too long for a part of a DynamoDB sort key (1,024 bytes in all) is digested: `sha256:<hex>`.
    CloudEvents 1.0, "id": producers must ensure that source + id is unique for each distinct event.
    """
    escaped = source.replace("%", "%25").replace("#", "%23")
    key = f"{escaped}#{event_id}"
    if len(key.encode()) > _MAX_KEY_BYTES:
        return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"
    return key


def subscriber_name() -> str:
    """Return this function's name, `<use case>/<subscriber>`, from FANOUT_SUBSCRIBER."""
    return os.environ["FANOUT_SUBSCRIBER"]
