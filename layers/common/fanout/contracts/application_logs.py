"""application_logs: log entries of programs, one event each."""

from typing import Annotated, Any, Literal

import msgspec

from fanout.contracts import contract

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]

LONGEST_SERVICE = 64
"""Its escaped form, twelve bytes per character at most, must fit the archive's object names (1,024 bytes)."""


@contract("log.entry.v1", topic="ApplicationLogs", filterable=("level", "service"), holds_anything=True)
class LogEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A program logged something. The event's time is the entry's own."""

    service: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_SERVICE)]
    """The program, never a person: it is in receipts and in the archive's folder names."""
    level: Level
    message: str
    logger: Annotated[str, msgspec.Meta(max_length=256)] = ""
    """The part of the program, by its own name."""
    trace_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] | None = None
    context: dict[str, Any] = {}
    """Other fields: the exception, the place in the code, the program's own."""
