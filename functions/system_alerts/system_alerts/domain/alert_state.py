"""The state of an alert, and how each event changes it. No I/O.

The latest event by its own time decides whether an alert is open, so duplicates, reordering and a resolution that
overtakes its alert lead to the same state.
"""

import hashlib
from enum import StrEnum
from typing import Any

import msgspec

from fanout import Event
from fanout.contracts.system_alerts import SEVERITIES, AlertRaised, AlertResolved, Severity
from system_alerts.domain.message_format import rfc3339

WAITING = "waiting"
SUMMARISED = "summarised"

AlertEvent = Event[AlertRaised] | Event[AlertResolved]


class AlertTransition(StrEnum):
    """How an event changes an alert."""

    OPENED = "opened"
    REPEATED = "repeated"
    ESCALATED = "escalated"
    RESOLVED = "resolved"
    COUNTED = "counted"
    """The alert is open and people were notified."""
    LATE = "late"
    """A later event of the same alert arrived before it."""
    UNKNOWN = "unknown"
    """A resolution without an alert. An alert that is older than the resolution does not open an incident."""
    SILENT = "silent"
    """The resolution of an alert that was suppressed in a storm and is not summarised yet."""


class State(msgspec.Struct, kw_only=True):
    """An alert's state, as stored in the table."""

    version: int
    """Counts the transitions."""
    status: str
    latest: str
    """The sort key of the latest event."""
    incident: str = ""
    severity: Severity = "LOW"
    """The worst since it was opened."""
    opened: str = ""
    """The sort key of the event that opened it."""
    closed: str = ""
    """The sort key of the event that resolved the previous incident."""
    opened_at: str = ""
    quiet_until: int = 0
    """Until then (Unix time in seconds) repetitions are counted without a notification."""
    title: str = ""
    service: str = ""
    suppression: str = ""
    """WAITING: suppressed in a storm. SUMMARISED: included in a summary."""


def sort_key(event: AlertEvent) -> str:
    """Return a key that sorts events by their own time, then by identity."""
    digest = hashlib.sha256(event.identity.encode()).hexdigest()[:16]
    return f"{event.occurred_at.isoformat(timespec='microseconds')}#{digest}"


def classify(state: State | None, event: AlertEvent, now: float) -> AlertTransition:
    """Return how an event changes the alert in this state, at this time (Unix time in seconds)."""
    is_latest = state is None or sort_key(event) > state.latest
    if state is not None and state.status == "open":
        return _classify_open(state, event, now, is_latest=is_latest)
    if not is_latest:
        return AlertTransition.LATE
    return AlertTransition.OPENED if isinstance(event.data, AlertRaised) else AlertTransition.UNKNOWN


def _classify_open(state: State, event: AlertEvent, now: float, *, is_latest: bool) -> AlertTransition:
    if isinstance(event.data, AlertResolved):
        if not is_latest:
            return AlertTransition.LATE
        return AlertTransition.SILENT if state.suppression == WAITING else AlertTransition.RESOLVED
    if sort_key(event) < state.closed:
        return AlertTransition.LATE
    if _rank(event.data.severity) > _rank(state.severity):
        return AlertTransition.ESCALATED
    if is_latest and now >= state.quiet_until:
        return AlertTransition.OPENED if state.suppression == WAITING else AlertTransition.REPEATED
    return AlertTransition.COUNTED


def apply(state: State | None, event: AlertEvent, transition: AlertTransition, quiet_until: int) -> State:
    """Return the state after a transition. quiet_until: the end of its window (Unix time in seconds)."""
    alert, latest = event.data, sort_key(event)
    version = state.version + 1 if state else 1
    if transition is AlertTransition.UNKNOWN:
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
            opened_at=rfc3339(event.occurred_at),
            quiet_until=quiet_until,
            title=alert.title,
            service=alert.service,
        )
    changes: dict[str, Any] = {"version": version, "latest": max(latest, state.latest)}
    if transition in {AlertTransition.RESOLVED, AlertTransition.SILENT}:
        changes |= {"status": "resolved", "closed": latest}
    else:
        worst = max(state.severity, alert.severity, key=_rank)
        changes |= {"severity": worst, "quiet_until": quiet_until, "title": alert.title, "service": alert.service}
        changes["suppression"] = ""
    return msgspec.structs.replace(state, **changes)


def _incident(event: AlertEvent) -> str:
    """Return the id of the incident that begins with this event: the same at every attempt."""
    return hashlib.sha256(f"{event.data.fingerprint}\0{event.identity}".encode()).hexdigest()[:32]


def _rank(severity: Severity) -> int:
    return SEVERITIES.index(severity)
