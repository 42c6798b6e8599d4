"""How the archive is laid out: logs/service=<service>/dt=YYYY-MM-DD/hour=HH/<name>.jsonl.gz

Each line of an object is one event, as CloudEvents JSON. Whoever reads an archive that was written at least once keeps
the first line of each (source, id).
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

    So a service named `a/dt=1` makes no folders of its own. `urllib.parse.unquote` gives the name back.
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
    """Return the name that these entries always give: a batch delivered again overwrites itself."""
    digest = hashlib.sha256("\n".join(sorted(entry.identity for entry in entries)).encode())
    return f"{digest.hexdigest()[:32]}.jsonl.gz"


def pack(entries: Sequence[Event[LogEntry]]) -> bytes:
    """Return the entries as gzip JSON Lines. The same entries give the same bytes: no time is in the header."""
    return gzip.compress(b"".join(encode(entry) + b"\n" for entry in entries), compresslevel=6, mtime=0)
