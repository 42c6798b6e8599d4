"""Times that people type."""

import re
from datetime import datetime, timedelta

from fanout_cli.errors import UsageError
from fanout_cli.receipts import moment

_AGO = re.compile(r"^(?P<number>\d+)(?P<unit>[smhdw])$")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def instant(text: str, option: str, now: datetime) -> datetime:
    """Return the time that a person means: RFC 3339, a date, or how long ago (90s, 15m, 2h, 7d, 1w).

    Without a zone it is UTC. Raises UsageError naming the option.
    """
    if ago := _AGO.match(text):
        return now - timedelta(**{_UNITS[ago["unit"]]: int(ago["number"])})
    parsed = moment(text)
    if parsed is None:
        raise UsageError(f"{option} {text}: no time", "Give 2026-11-22T12:00:00Z, 2026-11-22, or how long ago: 2h.")
    return parsed
