"""Read and write points in time: RFC 3339 everywhere, and the shorter forms that options take."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from fanout_cli.errors import UsageError

_AGO = re.compile(r"^(?P<number>\d+)(?P<unit>[smhdw])$")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_time(text: Any) -> datetime | None:
    """Return the time in an RFC 3339 text, in UTC; None if it is not one."""
    if not isinstance(text, str):
        return None
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):  # at both ends of what a datetime can hold, UTC lies outside of it
        return None


def format_time(at: datetime | None) -> str | None:
    """Return a time as RFC 3339 in UTC with milliseconds; None for None."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def parse_time_option(text: str, option: str, now: datetime) -> datetime:
    """Return the time given to an option: RFC 3339, a date, or a time before now (90s, 15m, 2h, 7d, 1w).

    Without a zone it is UTC. Raises UsageError that names the option.
    """
    if ago := _AGO.match(text):
        return now - timedelta(**{_UNITS[ago["unit"]]: int(ago["number"])})
    parsed = parse_time(text)
    if parsed is None:
        raise UsageError(
            f"{option} {text}: not a time", "Give 2026-11-22T12:00:00Z, 2026-11-22, or a time before now: 2h."
        )
    return parsed
