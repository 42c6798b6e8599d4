"""What people read: subject, mail and short message of each piece of news."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from fanout.contracts.system_alerts import LONGEST_LINE, AlertNotification, Severity
from fanout.event import Event
from fanout.publisher import Presentation

# One short message of SMS; longer ones are split, and each part costs.
_LONGEST_SMS = 140
_MOST_LISTED = 25


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One alert of a summary."""

    severity: Severity
    service: str
    title: str
    alerts: int
    status: str
    """open or resolved, as it was when the summary was written"""
    is_held_back: bool


def instant(moment: datetime | int) -> str:
    """Return a time, or a Unix time in seconds, in RFC 3339, in UTC."""
    found = datetime.fromtimestamp(moment, UTC) if isinstance(moment, int) else moment.astimezone(UTC)
    return found.isoformat().replace("+00:00", "Z")


def headline(kind: str, severity: Severity, service: str, title: str) -> str:
    """Return the subject: how bad, what is new about it, who and what."""
    news = {"opened": "", "repeated": "Still open: ", "escalated": "Worse: ", "resolved": ""}[kind]
    mark = "RESOLVED" if kind == "resolved" else severity
    about = title if title.startswith(service) else f"{service}: {title}"
    return _line(f"[{mark}] {news}{about}", LONGEST_LINE)


def story(
    *,
    description: str,
    since: str,
    until: str | None,
    alerts: int,
    severity: Severity,
    runbook_url: str | None,
    fingerprint: str,
) -> str:
    """Return the text of a message about one alert. A label stands in front of everything that is no sentence."""
    facts = [
        ("Severity", severity),
        ("Since", since),
        ("Until", until),
        ("Alerts", f"{alerts:,}"),
        ("Runbook", runbook_url),
        ("Alert", fingerprint),
    ]
    listed = "\n".join(f"{label + ':':<10}{value}" for label, value in facts if value)
    return f"{description.strip()}\n\n{listed}" if description.strip() else listed


def summary(*, start: str, end: str, alerts: int, lines: Sequence[Line]) -> tuple[str, str]:
    """Return subject and text of a storm's summary. lines: the worst first."""
    held_back = sum(line.is_held_back for line in lines)
    subject = f"[STORM] {alerts:,} alerts about {len(lines):,} troubles between {start} and {end}"
    rows = [
        f"{line.severity:<9}{line.alerts:>6,} x  {_line(line.service, 60)}: {_line(line.title, 120)} ({line.status}"
        f"{', no message of its own' if line.is_held_back else ''})"
        for line in lines[:_MOST_LISTED]
    ]
    if len(lines) > _MOST_LISTED:
        rows.append(f"and {len(lines) - _MOST_LISTED:,} more")
    told = f"{held_back:,} of them got no message of their own." if held_back else "Each of them got a message."
    return _line(subject, LONGEST_LINE), f"{told}\n\n" + "\n".join(rows)


def present(event: Event[Any]) -> Presentation:
    """Return what mail and SMS say of a notification, and what their filters go by."""
    news: AlertNotification = event.data
    link = f" {news.runbook_url}" if news.runbook_url else ""
    short = _line(news.subject, _LONGEST_SMS)
    return Presentation(
        subject=news.subject,
        texts={
            "email": f"{news.subject}\n\n{news.text}\n",
            "sms": f"{short}{link}" if len(short) + len(link) <= _LONGEST_SMS else short,
        },
        attributes={"type": event.type, "kind": news.kind, "severity": news.severity},
    )


def _line(text: str, longest: int) -> str:
    """The text on one line that is not too long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= longest else f"{flat[: longest - 1]}…"
