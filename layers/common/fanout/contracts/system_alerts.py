"""system_alerts: what somebody must know about, and when it is over."""

from typing import Annotated, Literal

import msgspec

from fanout.contracts import contract

Severity = Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"]
_Line = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class _Alert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    fingerprint: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    """What is wrong and where: the same for every alert about the same trouble, and for the word that it is over."""
    service: _Line
    severity: Severity
    title: _Line
    """One line, fit for the subject of a mail. It goes to many channels: nothing about a person."""
    description: Annotated[str, msgspec.Meta(max_length=4000)] = ""
    runbook_url: Annotated[str, msgspec.Meta(pattern="^https?://", max_length=2000)] | None = None


@contract("alert.raised.v1", topic="SystemAlerts", filterable=("severity", "service"))
class AlertRaised(_Alert, frozen=True, kw_only=True, omit_defaults=True):
    """Something is wrong."""


@contract("alert.resolved.v1", topic="SystemAlerts", filterable=("severity", "service"))
class AlertResolved(_Alert, frozen=True, kw_only=True, omit_defaults=True):
    """What was wrong no longer is."""
