"""What an alert's state is, and what each event makes of it. No I/O.

The latest event by its own time decides whether an alert is open, so duplicates, reordering and a resolution that
overtakes its alert come out right.
"""

import hashlib
from enum import StrEnum
from typing import Any

import msgspec

from fanout.contracts.system_alerts import SEVERITIES, AlertRaised, AlertResolved, Severity
from fanout.event import Event
from system_alerts.texts import instant

WAITING = "waiting"
SUMMARISED = "summarised"

AlertEvent = Event[AlertRaised] | Event[AlertResolved]


class News(StrEnum):
    """What an event turned out to be."""

    OPENED = "opened"
    REPEATED = "repeated"
    ESCALATED = "escalated"
    RESOLVED = "resolved"
    COUNTED = "counted"
    """The alert is open and people know."""
    LATE = "late"
    """What it tells of was over before it came."""
    UNKNOWN = "unknown"
    """The end of something that nobody has raised an alert about; one that comes late will not open it."""
    SILENT = "silent"
    """The end of an alert that was held back in a storm, and that no summary has told of yet."""


class State(msgspec.Struct, kw_only=True):
    """An alert's state, as it stands in the table."""

    version: int
    """Counts the pieces of news."""
    status: str
    latest: str
    """The order of the latest event: see `order`."""
    incident: str = ""
    severity: Severity = "LOW"
    """The worst since it was opened."""
    opened: str = ""
    """The order of the event that opened it."""
    closed: str = ""
    """The order of the event that ended the incident before."""
    opened_at: str = ""
    told_until: int = 0
    """Until then (Unix time in seconds) its repetitions are counted and not told."""
    title: str = ""
    service: str = ""
    held: str = ""
    """WAITING: held back in a storm. SUMMARISED: told of in a summary."""


def order(event: AlertEvent) -> str:
    """Return what sorts events by their own time, and those of the same moment by their identity."""
    digest = hashlib.sha256(event.identity.encode()).hexdigest()[:16]
    return f"{event.occurred_at.isoformat(timespec='microseconds')}#{digest}"


def judge(state: State | None, event: AlertEvent, now: float) -> News:
    """Say what an event is at this moment (Unix time in seconds), given the state of its alert."""
    is_latest = state is None or order(event) > state.latest
    if state is not None and state.status == "open":
        return _judge_open(state, event, now, is_latest=is_latest)
    if not is_latest:
        return News.LATE
    return News.OPENED if isinstance(event.data, AlertRaised) else News.UNKNOWN


def _judge_open(state: State, event: AlertEvent, now: float, *, is_latest: bool) -> News:
    if isinstance(event.data, AlertResolved):
        if not is_latest:
            return News.LATE
        return News.SILENT if state.held == WAITING else News.RESOLVED
    if order(event) < state.closed:
        return News.LATE
    if _rank(event.data.severity) > _rank(state.severity):
        return News.ESCALATED
    if is_latest and now >= state.told_until:
        return News.OPENED if state.held == WAITING else News.REPEATED
    return News.COUNTED


def changed(state: State | None, event: AlertEvent, news: News, told_until: int) -> State:
    """Return what an event, judged to be news, makes of the state. told_until: when its window will be over."""
    alert, latest = event.data, order(event)
    version = state.version + 1 if state else 1
    if news is News.UNKNOWN:
        return State(version=version, status="resolved", latest=latest, closed=latest)
    if state is None or state.status != "open":
        return State(
            version=version,
            status="open",
            latest=latest,
            incident=_incident(event),
            severity=alert.severity,
            opened=latest,
            closed=state.latest if state else "",
            opened_at=instant(event.occurred_at),
            told_until=told_until,
            title=alert.title,
            service=alert.service,
        )
    changes: dict[str, Any] = {"version": version, "latest": max(latest, state.latest)}
    if news in {News.RESOLVED, News.SILENT}:
        changes |= {"status": "resolved", "closed": latest}
    else:
        worst = max(state.severity, alert.severity, key=_rank)
        changes |= {"severity": worst, "told_until": told_until, "title": alert.title, "service": alert.service}
        changes["held"] = ""
    return msgspec.structs.replace(state, **changes)


def _incident(event: AlertEvent) -> str:
    """The name of what begins with this event: the same at every attempt, and another the next time."""
    return hashlib.sha256(f"{event.data.fingerprint}\0{event.identity}".encode()).hexdigest()[:32]


def _rank(severity: Severity) -> int:
    return SEVERITIES.index(severity)
