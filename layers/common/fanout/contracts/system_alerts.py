"""system_alerts: what somebody must know about, and when it is over; and the messages that tell people of it."""

from typing import Annotated, Literal

import msgspec

from fanout.contracts import contract

Severity = Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"]
SEVERITIES: tuple[Severity, ...] = ("LOW", "MEDIUM", "HIGH", "CRITICAL")
"""From the least to the worst."""

LONGEST_FINGERPRINT = 256
LONGEST_LINE = 200
LONGEST_DESCRIPTION = 4000

_Fingerprint = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_FINGERPRINT)]
_Line = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_LINE)]
_Description = Annotated[str, msgspec.Meta(max_length=LONGEST_DESCRIPTION)]
_Url = Annotated[str, msgspec.Meta(pattern="^https?://", max_length=2000)]


class _Alert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    fingerprint: _Fingerprint
    """What is wrong and where: the same for every alert about the same trouble, and for the word that it is over."""
    service: _Line
    severity: Severity
    title: _Line
    """One line, fit for the subject of a mail. It goes to many channels: nothing about a person."""
    description: _Description = ""
    runbook_url: _Url | None = None


@contract("alert.raised.v1", topic="SystemAlerts", filterable=("severity", "service"))
class AlertRaised(_Alert, frozen=True, kw_only=True, omit_defaults=True):
    """Something is wrong."""


@contract("alert.resolved.v1", topic="SystemAlerts", filterable=("severity", "service"))
class AlertResolved(_Alert, frozen=True, kw_only=True, omit_defaults=True):
    """What was wrong no longer is."""


@contract("alert.window.ended.v1", topic="SystemAlerts")
class AlertWindowEnded(msgspec.Struct, frozen=True, kw_only=True):
    """A window of alerts is over. `dispatch` sends this to itself; nobody else needs to."""

    window: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


Kind = Literal["opened", "repeated", "escalated", "resolved", "summary"]


@contract("alert.notification.v1", topic="AlertNotifications", filterable=("kind", "severity", "service"))
class AlertNotification(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """News for people, in words: one message for each channel that it is for."""

    kind: Kind
    """repeated: it still goes on, a window after people last heard of it. escalated: it is worse than they know.
    summary: what came in a storm of alerts."""
    severity: Severity
    """The worst so far, of a summary the worst in it: who heard of the alert hears that it is over."""
    incident: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    """The same from an alert's opening to its resolution, and never again; of a summary, its own."""
    subject: _Line
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=20_000)]
    service: _Line
    fingerprint: _Fingerprint | None = None
    """None for a summary."""
    runbook_url: _Url | None = None
    alerts: int = 1
    """How many alerts it stands for."""
    held_back: int = 0
    """Of a summary: how many of its alerts got no message of their own."""
