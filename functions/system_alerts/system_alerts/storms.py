"""The summary of a window in which there were more alerts than people can read."""

import time
from collections import Counter
from collections.abc import Sequence

from fanout.contracts.system_alerts import SEVERITIES, AlertNotification, AlertWindowEnded
from fanout.effects import marker_expiry
from fanout.event import Event, decode, decode_data, encode
from fanout.failures import Discard, Reject, Retry
from fanout.subscriber import Outcome
from system_alerts import alert_book, settings, table, telling, texts, windows
from system_alerts.alert_state import SUMMARISED
from system_alerts.texts import Line
from system_alerts.windows import Counted, Held, Window


def close(event: Event[AlertWindowEnded]) -> Outcome:
    """Summarise a window that is over, if it was a storm, and let the alerts held back in it count as told.

    Raises Discard if it was none, Reject for what is no window, Retry for one that is not over yet.
    """
    window = windows.named(event.data.window)
    if window is None:
        raise Reject("invalid-event: there is no window of this name")
    left = window.ends_at - time.time()
    if left > 0:
        raise Retry("early: the window is not over", after=left + windows.GRACE_SECONDS)
    key = {"pk": window.pk, "sk": "summary"}
    found = table.get(key)
    if found is None:
        found = _write(event, window, key)
    elif "notice" in found:
        telling.claim(key)
    else:
        return Outcome.DUPLICATE
    telling.publish(decode_data(decode(found["notice"]), AlertNotification))
    for alert in windows.held(window):
        alert_book.set_held(alert.fingerprint, alert.incident, SUMMARISED)
    telling.note(key)
    return Outcome.PROCESSED


def _write(event: Event[AlertWindowEnded], window: Window, key: dict[str, str]) -> table.Item:
    """Write the summary down, to be published by this delivery and no other at the same time."""
    counted, held = list(windows.counted(window)), windows.held(window)
    if len(counted) <= settings.dispatch().storm_threshold and not held:
        raise Discard(f"calm: {len(counted)} alerts in the window")
    notice = encode(event.caused(_summary(window, counted, held))).decode()
    lease_until = int(time.time()) + alert_book.LEASE_SECONDS
    item: table.Item = {**key, "notice": notice, "lease_until": lease_until, "expires_at": marker_expiry()}
    if not table.put(item, condition="attribute_not_exists(pk)"):
        raise Retry("told-elsewhere: another delivery is about to tell it", after=alert_book.LEASE_SECONDS)
    return item


def _summary(window: Window, counted: Sequence[Counted], held: Sequence[Held]) -> AlertNotification:
    numbers = Counter(alert.fingerprint for alert in counted)
    worst: dict[str, Counted] = {}
    for alert in sorted(counted, key=lambda each: SEVERITIES.index(each.severity)):
        worst[alert.fingerprint] = alert
    held_back = {alert.fingerprint for alert in held}
    ranked = sorted(
        worst.values(), key=lambda each: (-SEVERITIES.index(each.severity), -numbers[each.fingerprint], each.title)
    )
    lines = [
        Line(
            severity=alert.severity,
            service=alert.service,
            title=alert.title,
            alerts=numbers[alert.fingerprint],
            status=alert_book.status(alert.fingerprint),
            is_held_back=alert.fingerprint in held_back,
        )
        for alert in ranked
    ]
    start = window.name.partition("/")[0]
    subject, text = texts.summary(start=start, end=texts.instant(window.ends_at), alerts=len(counted), lines=lines)
    return AlertNotification(
        kind="summary",
        severity=ranked[0].severity if ranked else "HIGH",
        incident=f"storm-{window.name}",
        subject=subject,
        text=text,
        service="system_alerts",
        alerts=len(counted),
        held_back=len(held_back),
    )
