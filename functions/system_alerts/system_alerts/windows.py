"""Windows: time spans in which alerts are counted together, so that an alert storm becomes one summary.

    pk                   sk                     attributes
    window               current                window, started_at, ends_at, reminded
    window#<window>#<n>  <event identity>       an alert that arrived in it: fingerprint, severity, service, title
    window#<window>      sent#<severity>        sent: the notifications published one by one
    window#<window>      suppressed#<incident>  a suppressed alert: fingerprint, incident

A window begins with the first alert after the previous window. Windows go by time of arrival, not by the time of the
incident, because they limit what people receive.
"""

import hashlib
import time
from collections.abc import Iterator
from datetime import datetime

import msgspec

from fanout import Event, identity
from fanout.contracts.system_alerts import AlertRaised, AlertWindowEnded, Severity
from fanout.queue import send_delayed
from system_alerts import settings, table
from system_alerts.domain.message_format import rfc3339

# One DynamoDB partition takes 1,000 writes per second; a storm may exceed that.
_SHARDS = 8
# Alerts that arrive at the last moment are still being written when the window ends.
GRACE_SECONDS = 5
# The delivery that opens a window sends the event for its end; if it was killed before, another one does so later.
_SENDING_SECONDS = 10
_KEPT_SECONDS = 30 * 86_400
_LONGEST = 86_400
# How far the clock of the function that opened the window may be ahead.
_SKEW_SECONDS = 60

CURRENT = {"pk": "window", "sk": "current"}


class Window(msgspec.Struct, frozen=True):
    """One window."""

    name: str
    """Start and length, unique: 2026-11-22T14:05:30Z/300."""
    ends_at: int
    """Unix time in seconds."""

    @property
    def pk(self) -> str:
        """The partition key of the window's own items."""
        return f"window#{self.name}"


class CountedAlert(msgspec.Struct, frozen=True):
    """One alert that arrived in a window."""

    fingerprint: str
    severity: Severity
    service: str
    title: str


class SuppressedAlert(msgspec.Struct, frozen=True):
    """One alert without a message of its own."""

    fingerprint: str
    incident: str


def parse(name: str) -> Window | None:
    """Return the window of this name; None if the name is malformed or names a window in the future."""
    start, _, length = name.partition("/")
    try:
        began, seconds = int(datetime.fromisoformat(start).timestamp()), int(length)
    except (ValueError, OverflowError):
        return None
    has_begun = began <= time.time() + _SKEW_SECONDS
    return Window(name, began + seconds) if has_begun and 0 < seconds <= _LONGEST else None


def current_window() -> Window:
    """Return the window that is open now; opens one if there is none.

    The function sends itself an event for the end of the window, because no further alert may ever arrive.
    """
    found, now = table.get(CURRENT), int(time.time())
    if found is None or int(found["ends_at"]) <= now:
        seconds = settings.dispatch().notification_window_seconds
        window = Window(f"{rfc3339(now)}/{seconds}", now + seconds)
        opened = {**CURRENT, "window": window.name, "started_at": now, "ends_at": window.ends_at}
        if not table.put(opened, condition="attribute_not_exists(pk) OR ends_at <= :now", values={":now": now}):
            return current_window()
    else:
        window = Window(found["window"], int(found["ends_at"]))
        if "reminded" in found or now < int(found["started_at"]) + _SENDING_SECONDS:
            return window
    ended = Event.new(
        AlertWindowEnded(window=window.name), source=f"urn:fanout:{identity.subscriber_name()}", id=window.name
    )
    send_delayed(ended, window.ends_at - time.time() + GRACE_SECONDS)
    table.update(
        CURRENT,
        "SET reminded = :yes",
        {":yes": True, ":window": window.name},
        condition="#window = :window",
        names={"#window": "window"},
    )
    return window


def count_alert(window: Window, event: Event[AlertRaised]) -> None:
    """Record that this alert arrived in the window; idempotent."""
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


def counted_alerts(window: Window) -> Iterator[CountedAlert]:
    """Yield every alert that arrived in the window."""
    for shard in range(_SHARDS):
        for item in table.query("pk = :pk", {":pk": f"{window.pk}#{shard}"}):
            yield msgspec.convert(item, CountedAlert)


def take_slot(window: Window, kind: str, notification: str) -> bool:
    """Return whether a notification (its id) may be published on its own: False if the window's limit is reached.

    kind: what the limit applies to. Each severity has its own limit, so that a storm of minor alerts does not suppress
    critical ones.
    """
    return table.update(
        {"pk": window.pk, "sk": f"sent#{kind}"},
        "ADD sent :this SET expires_at = :expires_at",
        {
            ":this": {notification},
            ":id": notification,
            ":limit": settings.dispatch().storm_threshold,
            ":expires_at": _expiry(),
        },
        condition="attribute_not_exists(sent) OR contains(sent, :id) OR size(sent) < :limit",
    )


def suppress(window: Window, alert: SuppressedAlert) -> None:
    """Leave an alert to the window's summary."""
    table.put(
        {
            "pk": window.pk,
            "sk": f"suppressed#{alert.incident}",
            "fingerprint": alert.fingerprint,
            "incident": alert.incident,
            "expires_at": _expiry(),
        }
    )


def suppressed(window: Window) -> list[SuppressedAlert]:
    """Return the alerts that were left to the window's summary."""
    found = table.query("pk = :pk AND begins_with(sk, :prefix)", {":pk": window.pk, ":prefix": "suppressed#"})
    return [msgspec.convert(item, SuppressedAlert) for item in found]


def _expiry() -> int:
    return int(time.time()) + _KEPT_SECONDS
