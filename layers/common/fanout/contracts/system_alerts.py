"""system_alerts: alerts, their resolution, and the notifications about them."""

from typing import Annotated, Literal

import msgspec

from fanout.contracts import contract

Severity = Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"]
SEVERITIES: tuple[Severity, ...] = ("LOW", "MEDIUM", "HIGH", "CRITICAL")
"""From the least to the most severe."""

LONGEST_FINGERPRINT = 256
LONGEST_LINE = 200
LONGEST_DESCRIPTION = 4000

_Fingerprint = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_FINGERPRINT)]
_Line = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_LINE)]
_Description = Annotated[str, msgspec.Meta(max_length=LONGEST_DESCRIPTION)]
_Url = Annotated[str, msgspec.Meta(pattern="^https?://", max_length=2000)]


class _Alert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    fingerprint: _Fingerprint
    """What is wrong and where: the same for every alert about one problem, and for its resolution."""
    service: _Line
    severity: Severity
    title: _Line
    """One line, for the subject of a mail. It is sent to many channels: no personal data."""
    description: _Description = ""
    runbook_url: _Url | None = None


@contract("alert.raised.v1", topic="SystemAlerts", filterable=("severity", "service"))
class AlertRaised(_Alert, frozen=True, kw_only=True, omit_defaults=True):
    """Something is wrong."""


@contract("alert.resolved.v1", topic="SystemAlerts", filterable=("severity", "service"))
class AlertResolved(_Alert, frozen=True, kw_only=True, omit_defaults=True):
    """The problem is resolved."""


@contract("alert.window.ended.v1", topic="SystemAlerts")
class AlertWindowEnded(msgspec.Struct, frozen=True, kw_only=True):
    """A window of alerts is over. `dispatch` sends this to itself."""

    window: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


Kind = Literal["opened", "repeated", "escalated", "resolved", "summary"]


@contract("alert.notification.v1", topic="AlertNotifications", filterable=("kind", "severity", "service"))
class AlertNotification(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A notification with its text: one message for each channel."""

    kind: Kind
    """repeated: the alert is still open, a window after the last notification. escalated: it is more severe now.
    summary: the alerts of a storm."""
    severity: Severity
    """The most severe so far, in a summary the most severe in it: the channels of the alert also get its resolution."""
    incident: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    """One id from an alert's opening to its resolution; a summary has its own."""
    subject: _Line
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=20_000)]
    service: _Line
    fingerprint: _Fingerprint | None = None
    """None for a summary."""
    runbook_url: _Url | None = None
    alerts: int = 1
    """The number of alerts in it."""
    held_back: int = 0
    """In a summary: the number of alerts without a notification of their own."""
