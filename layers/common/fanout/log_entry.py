"""Log entries from any log record: every level, value and length is converted to what the contract allows.

Nothing is refused: a line that is too long is cut and says so, a value that JSON does not have becomes text. Personal
data in a record is published unchanged: keep it out where it is logged.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence, Set
from datetime import date
from typing import Any

import msgspec

from fanout.contracts.application_logs import LONGEST_SERVICE, Level, LogEntry
from fanout.publisher import MAX_BYTES

MAX_ENTRY_BYTES = MAX_BYTES - 4_096
"""The largest JSON of an entry whose event still fits into one SNS message."""

_MAX_DEPTH = 6
_MAX_ITEMS = 200
_MAX_VALUE = 16_384
# The names of the contract's five levels in other loggers: syslog, log4j, java.util.logging, Go's zap, logrus, zerolog
# and log15, pino, Serilog, .NET's console.
_LEVELS: dict[str, Level] = {
    **dict.fromkeys(("TRACE", "TRAC", "TRCE", "TRC", "VERBOSE", "VRB"), "DEBUG"),
    **dict.fromkeys(("DEBUG", "DEBU", "DBUG", "DBG", "FINE", "FINER", "FINEST", "CONFIG"), "DEBUG"),
    **dict.fromkeys(("INFO", "INFORMATION", "INFORMATIONAL", "INF", "NOTICE"), "INFO"),
    **dict.fromkeys(("WARN", "WARNING", "WRN"), "WARNING"),
    **dict.fromkeys(("ERROR", "ERR", "ERRO", "EROR", "SEVERE"), "ERROR"),
    **dict.fromkeys(("CRITICAL", "CRIT", "FATAL", "FATA", "FTL", "ALERT", "EMERG", "EMERGENCY"), "CRITICAL"),
    **dict.fromkeys(("PANIC", "PANI", "PNC", "DPANIC"), "CRITICAL"),
}
LEVEL_WORDS = frozenset(_LEVELS)
"""Every name of a level, in upper case."""


def level_named(name: str) -> Level | None:
    """Return the level with this name, in any case; None if there is none."""
    return _LEVELS.get(name.upper())


def level_numbered(number: int) -> Level:
    """Return the level for a number of Python's logging, in which any number is allowed."""
    levels: list[Level] = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
    return levels[min(max(number // 10, 1), 5) - 1]


def make(
    *,
    service: str,
    level: Level,
    message: str,
    logger: str = "",
    trace_id: str | None = None,
    context: Mapping[str, Any],
) -> LogEntry:
    """Return an entry that satisfies the contract and fits into one SNS message, for arguments of any length."""
    entry = LogEntry(
        service=service_name(service),
        level=level,
        message=_clean(message),
        logger=_clean(logger)[:256],
        trace_id=_clean(trace_id)[:128] if trace_id else None,
        context={_clean(str(name)): plain(value) for name, value in context.items()},
    )
    # JSON takes six bytes per character at most, so most entries need no measuring.
    if not entry.context and 6 * (len(message) + 1_000) <= MAX_ENTRY_BYTES:
        return entry
    return entry if _size(entry) <= MAX_ENTRY_BYTES else _cut(entry)


def service_name(name: str) -> str:
    """Return the name as the contract allows it; a longer one is cut and ends in a digest, which keeps it unique."""
    clean = _clean(name).strip() or "unknown"
    if len(clean) <= LONGEST_SERVICE:
        return clean
    digest = hashlib.sha256(clean.encode()).hexdigest()[:8]
    return f"{clean[: LONGEST_SERVICE - 9]}~{digest}"


def plain(value: Any, depth: int = 0) -> Any:
    """Return the value as JSON: other types as text, cut if too deep or too long.

    Never raises, even if a method of the value does.
    """
    if value is None or isinstance(value, bool | str | int | float):
        return _plain_scalar(value)
    try:
        if isinstance(value, Mapping) and depth < _MAX_DEPTH:
            items = list(value.items())
            kept = {_clean(str(name)): plain(each, depth + 1) for name, each in items[:_MAX_ITEMS]}
            return kept if len(items) <= _MAX_ITEMS else {**kept, "…": f"{len(items) - _MAX_ITEMS} more"}
        if isinstance(value, Sequence | Set) and not isinstance(value, bytes | bytearray) and depth < _MAX_DEPTH:
            values = list(value)
            listed = [plain(each, depth + 1) for each in values[:_MAX_ITEMS]]
            return listed if len(values) <= _MAX_ITEMS else [*listed, f"… {len(values) - _MAX_ITEMS} more"]
        return _plain_scalar(value.isoformat() if isinstance(value, date) else str(value))
    except Exception as error:  # raised by the value's __str__, __iter__ or items()
        return f"<{type(value).__name__}: {type(error).__name__} while it was read>"


def _plain_scalar(value: str | int | float | None) -> str | int | float | None:
    """Return a value of exactly JSON's type: an enum's member may be a str or an int as well."""
    if isinstance(value, str):
        return _clean(_mark(value, _MAX_VALUE))
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value) if -(2**63) <= value < 2**63 else _digits(int(value))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    return value


def _digits(number: int) -> str:
    """Return a number beyond 64 bits as text, which every JSON reader keeps; Python formats 4,300 digits at most."""
    try:
        return str(number)
    except ValueError:
        return hex(number)


def _clean(text: str) -> str:
    """Return the text with lone surrogates escaped, which UTF-8 cannot encode."""
    text = str(text)
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()


def _cut(entry: LogEntry) -> LogEntry:
    """Return the entry with its context, then its message, cut to fit."""
    if _size(entry.context) > MAX_ENTRY_BYTES // 2:
        entry = msgspec.structs.replace(entry, context=_cut_context(entry.context, MAX_ENTRY_BYTES // 2))
    room = MAX_ENTRY_BYTES - (_size(entry) - _size(entry.message))
    fits, too_long = 0, len(entry.message) + 1
    while too_long - fits > 1:  # the most characters that fit, by bisection
        middle = (fits + too_long) // 2
        if _size(_mark(entry.message, middle)) <= room:
            fits = middle
        else:
            too_long = middle
    return msgspec.structs.replace(entry, message=_mark(entry.message, fits))


def _cut_context(context: dict[str, Any], room: int) -> dict[str, Any]:
    """Return as many fields as fit, in order, and the number of the others."""
    kept: dict[str, Any] = {}
    room -= 100
    for name, value in context.items():
        size = _size(name) + _size(value) + 2
        if size <= room:
            kept[name] = value
            room -= size
    return {**kept, "…": f"{len(context) - len(kept)} fields cut off"}


def _mark(text: str, length: int) -> str:
    return text if length >= len(text) else f"{text[:length]}… [{len(text) - length} of {len(text)} characters cut off]"


def _size(value: Any) -> int:
    return len(msgspec.json.encode(value))
