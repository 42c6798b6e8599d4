"""Windows: spans of time in which alerts are counted together, so that a storm of them becomes one summary.

    pk                   sk                attributes
    window               current           window, started_at, ends_at, reminded
    window#<window>#<n>  <event identity>  an alert that came in it: fingerprint, severity, service, title
    window#<window>      told#<severity>   told: the notifications that went out one by one
    window#<window>      held#<incident>   an alert that got none: fingerprint, incident

A window begins with the first alert after the one before it. It is a matter of when alerts come, not of when what they
tell of happened: a storm is what people would get.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from fanout import identity
from fanout.contracts.system_alerts import AlertRaised, AlertWindowEnded, Severity
from fanout.event import Event
from fanout.inbox import send_later
from system_alerts import settings, table
from system_alerts.texts import instant

# One partition of DynamoDB takes 1,000 writes a second; a storm may be more.
_SHARDS = 8
# Alerts that came at the last moment are still being written down when the window ends.
GRACE_SECONDS = 5
# Who begins a window sends the word that it is over; if that was killed in between, others see to it after so long.
_SENDING_SECONDS = 10
_KEPT_SECONDS = 30 * 86_400
_LONGEST = 86_400
# How far the clock of who began a window may be ahead.
_SKEW_SECONDS = 60

CURRENT = {"pk": "window", "sk": "current"}


class Window(msgspec.Struct, frozen=True):
    """One window."""

    name: str
    """When it began and how long it is: 2026-11-22T14:05:30Z/300. No two windows have the same."""
    ends_at: int
    """Unix time in seconds."""

    @property
    def pk(self) -> str:
        """The partition of what is known about it as a whole."""
        return f"window#{self.name}"


class Counted(msgspec.Struct, frozen=True):
    """One alert that came in a window."""

    fingerprint: str
    severity: Severity
    service: str
    title: str


class Held(msgspec.Struct, frozen=True):
    """One alert that got no message of its own."""

    fingerprint: str
    incident: str


def named(name: str) -> Window | None:
    """Return the window of this name; None if no window can have it: one that is yet to begin, above all."""
    start, _, length = name.partition("/")
    try:
        began, seconds = int(datetime.fromisoformat(start).timestamp()), int(length)
    except (ValueError, OverflowError):
        return None
    has_begun = began <= time.time() + _SKEW_SECONDS
    return Window(name, began + seconds) if has_begun and 0 < seconds <= _LONGEST else None


def current(found: Mapping[str, Any] | None) -> Window:
    """Return the window that an alert coming now is in; begins one if none is open.

    found: the item under `CURRENT`, as it was read just now.
    """
    now = int(time.time())
    if found is None or int(found["ends_at"]) <= now:
        return _begin(now)
    window = Window(found["window"], int(found["ends_at"]))
    if "reminded" not in found and now >= int(found["started_at"]) + _SENDING_SECONDS:
        _remind(window)
    return window


def _begin(now: int) -> Window:
    seconds = settings.dispatch().notification_window_seconds
    window = Window(f"{instant(now)}/{seconds}", now + seconds)
    begun = {**CURRENT, "window": window.name, "started_at": now, "ends_at": window.ends_at}
    if not table.put(begun, condition="attribute_not_exists(pk) OR ends_at <= :now", values={":now": now}):
        return current(table.get(CURRENT))
    _remind(window)
    return window


def _remind(window: Window) -> None:
    """Have dispatch told when the window is over: by itself, because nobody may ever alert it again."""
    ended = Event.new(
        AlertWindowEnded(window=window.name), source=f"urn:fanout:{identity.subscriber_name()}", id=window.name
    )
    send_later(ended, window.ends_at - time.time() + GRACE_SECONDS)
    table.update(
        CURRENT,
        "SET reminded = :yes",
        {":yes": True, ":window": window.name},
        condition="#window = :window",
        names={"#window": "window"},
    )


def count(window: Window, event: Event[AlertRaised]) -> None:
    """Write down that this alert came in the window; again makes no difference."""
    alert = event.data
    shard = hashlib.sha256(event.identity.encode()).digest()[0] % _SHARDS
    table.put(
        {
            "pk": f"{window.pk}#{shard}",
            "sk": event.identity,
            "fingerprint": alert.fingerprint,
            "severity": alert.severity,
            "service": alert.service,
            "title": alert.title,
            "expires_at": _expiry(),
        }
    )


def counted(window: Window) -> Iterator[Counted]:
    """Read every alert that came in the window."""
    for shard in range(_SHARDS):
        for item in table.query("pk = :pk", {":pk": f"{window.pk}#{shard}"}):
            yield msgspec.convert(item, Counted)


def take_slot(window: Window, kind: str, notification: str) -> bool:
    """Tell whether a notification (its id) may still go out by itself, or the window has had as many as it may have.

    kind: what has a number of its own. Severities have, for a storm of trifles must not hold back what is critical.
    """
    return table.update(
        {"pk": window.pk, "sk": f"told#{kind}"},
        "ADD told :this SET expires_at = :expires_at",
        {
            ":this": {notification},
            ":id": notification,
            ":limit": settings.dispatch().storm_threshold,
            ":expires_at": _expiry(),
        },
        condition="attribute_not_exists(told) OR contains(told, :id) OR size(told) < :limit",
    )


def hold(window: Window, alert: Held) -> None:
    """Leave an alert to the window's summary."""
    table.put(
        {
            "pk": window.pk,
            "sk": f"held#{alert.incident}",
            "fingerprint": alert.fingerprint,
            "incident": alert.incident,
            "expires_at": _expiry(),
        }
    )


def held(window: Window) -> list[Held]:
    """Return the alerts that were left to the window's summary."""
    found = table.query("pk = :pk AND begins_with(sk, :held)", {":pk": window.pk, ":held": "held#"})
    return [msgspec.convert(item, Held) for item in found]


def _expiry() -> int:
    return int(time.time()) + _KEPT_SECONDS
