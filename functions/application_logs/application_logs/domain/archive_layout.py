"""The layout of the archive: logs/service=<service>/dt=YYYY-MM-DD/hour=HH/<name>.jsonl.gz

Each line of an object is one event, as CloudEvents JSON. The archive is written at least once, so readers keep the
first line of each (source, id).
"""

import gzip
import hashlib
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from fanout import Event
from fanout.contracts.application_logs import LogEntry
from fanout.event import encode


def prefix(service: str) -> str:
    """Return the folder of a service's entries. Characters other than letters, digits and `_.-~` are percent-encoded.

    So a service named `a/dt=1` does not create other folders. `urllib.parse.unquote` restores the name.
    """
    return f"logs/service={quote(service, safe='')}"


def partition(event: Event[LogEntry]) -> str:
    """Return the folder of an entry: its service, and the day and hour in UTC that it was logged in."""
    day, _, clock = event.occurred_at.isoformat().partition("T")
    return f"{prefix(event.data.service)}/dt={day}/hour={clock[:2]}"


def split(events: Iterable[Event[LogEntry]]) -> dict[str, list[Event[LogEntry]]]:
    """Return the events by partition, each partition's in the order they were logged in."""
    partitions: dict[str, list[Event[LogEntry]]] = {}
    for event in sorted(events, key=lambda event: (event.occurred_at, event.identity)):
        partitions.setdefault(partition(event), []).append(event)
    return partitions


def object_name(entries: Sequence[Event[LogEntry]]) -> str:
    """Return the name for these entries, always the same: a redelivered batch overwrites itself."""
    digest = hashlib.sha256("\n".join(sorted(entry.identity for entry in entries)).encode())
    return f"{digest.hexdigest()[:32]}.jsonl.gz"


def pack(entries: Sequence[Event[LogEntry]]) -> bytes:
    """Return the entries as gzip JSON Lines. The same entries give the same bytes: the header contains no time."""
    return gzip.compress(b"".join(encode(entry) + b"\n" for entry in entries), compresslevel=6, mtime=0)
