"""What this checkout has published: `.fanout/published.jsonl`, one line per event.

It lets `fanout trace` say `pending` before any subscriber has written a receipt, and find an event by the MessageId
that SNS gave it where subscribers do not see that. It holds no event data but the contract's filterable fields.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

# A journal above this size is rotated, and the previous one deleted: it is for recent events only.
_ROTATE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Published:
    """One published event."""

    event_id: str
    source: str
    type: str
    topic: str
    """the topic's ARN"""
    published_at: str
    message_id: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


class Journal:
    """The journal in a state folder."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "published.jsonl"
        self._previous = folder / "published.previous.jsonl"

    def append(self, published: Iterable[Published]) -> None:
        """Record events that SNS has accepted."""
        lines = "".join(json.dumps(asdict(each), ensure_ascii=False) + "\n" for each in published)
        if not lines:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        if self._file.exists() and self._file.stat().st_size > _ROTATE_BYTES:
            self._file.replace(self._previous)
        # One write to a file opened for appending: lines of commands that run at the same time do not mix.
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, lines.encode())
        finally:
            os.close(descriptor)

    def find(self, key: str) -> list[Published]:
        """Return what was published under this event id or MessageId, oldest first."""
        return [
            published
            for line in self._lines()
            if key in line and (published := _parse(line)) and key in (published.event_id, published.message_id)
        ]

    def all(self) -> dict[str, list[Published]]:
        """Return everything published, by event id, oldest first."""
        found: dict[str, list[Published]] = {}
        for line in self._lines():
            if published := _parse(line):
                found.setdefault(published.event_id, []).append(published)
        return found

    def _lines(self) -> Iterator[str]:
        for file in (self._previous, self._file):
            if file.exists():
                with file.open(encoding="utf-8", errors="replace") as lines:
                    yield from lines


def _parse(line: str) -> Published | None:
    try:
        return msgspec.json.decode(line, type=Published)
    except (ValueError, RecursionError):
        return None  # a line of another version, one cut off by a full disk, or none of ours
