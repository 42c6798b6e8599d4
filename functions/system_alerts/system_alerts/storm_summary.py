"""The summary of a window with more alerts than people can read."""

import time
from collections import Counter
from collections.abc import Sequence

from fanout import Discard, Event, Outcome, Reject, Retry
from fanout.contracts.system_alerts import SEVERITIES, AlertNotification, AlertWindowEnded
from fanout.event import decode, decode_data, encode
from fanout.idempotency import record_expiry
from system_alerts import alert_store, notifier, settings, table, windows
from system_alerts.domain import message_format
from system_alerts.domain.alert_state import SUMMARISED
from system_alerts.domain.message_format import SummaryLine
from system_alerts.windows import CountedAlert, SuppressedAlert, Window


def summarize_window(event: Event[AlertWindowEnded]) -> Outcome:
    """Publish the summary of a window that has ended, and mark its suppressed alerts as summarised.

    Raises Discard if the window was not a storm, Reject if the name is not a window's, Retry if it has not ended yet.
    """
    window = windows.parse(event.data.window)
    if window is None:
        raise Reject("invalid-event", "there is no window of this name")
    left = window.ends_at - time.time()
    if left > 0:
        raise Retry("early: the window has not ended", after=left + windows.GRACE_SECONDS)
    key = {"pk": window.pk, "sk": "summary"}
    found = table.get(key)
    if found is None:
        found = _write(event, window, key)
    elif "notice" in found:
        notifier.acquire_lease(key)
    else:
        return Outcome.DUPLICATE
    notifier.publish(decode_data(decode(found["notice"]), AlertNotification))
    for alert in windows.suppressed(window):
        alert_store.set_suppression(alert.fingerprint, alert.incident, SUMMARISED)
    notifier.mark_sent(key)
    return Outcome.PROCESSED


def _write(event: Event[AlertWindowEnded], window: Window, key: dict[str, str]) -> table.Item:
    """Store the summary with a lease, so that only this delivery publishes it."""
    counted, held = list(windows.counted_alerts(window)), windows.suppressed(window)
    if len(counted) <= settings.dispatch().storm_threshold and not held:
        raise Discard("calm", f"{len(counted)} alerts in the window")
    notice = encode(event.caused(_summary(window, counted, held))).decode()
    lease_until = int(time.time()) + alert_store.LEASE_SECONDS
    item: table.Item = {**key, "notice": notice, "lease_until": lease_until, "expires_at": record_expiry()}
    if not table.put(item, condition="attribute_not_exists(pk)"):
        raise Retry("leased: another delivery is about to publish it", after=alert_store.LEASE_SECONDS)
    return item


def _summary(window: Window, counted: Sequence[CountedAlert], held: Sequence[SuppressedAlert]) -> AlertNotification:
    numbers = Counter(alert.fingerprint for alert in counted)
    worst: dict[str, CountedAlert] = {}
    for alert in sorted(counted, key=lambda each: SEVERITIES.index(each.severity)):
        worst[alert.fingerprint] = alert
    suppressed = {alert.fingerprint for alert in held}
    ranked = sorted(
        worst.values(), key=lambda each: (-SEVERITIES.index(each.severity), -numbers[each.fingerprint], each.title)
    )
    lines = [
        SummaryLine(
            severity=alert.severity,
            service=alert.service,
            title=alert.title,
            alerts=numbers[alert.fingerprint],
            status=alert_store.alert_status(alert.fingerprint),
            is_suppressed=alert.fingerprint in suppressed,
        )
        for alert in ranked
    ]
    start = window.name.partition("/")[0]
    subject, text = message_format.summary(
        start=start, end=message_format.rfc3339(window.ends_at), alerts=len(counted), lines=lines
    )
    return AlertNotification(
        kind="summary",
        severity=ranked[0].severity if ranked else "HIGH",
        incident=f"storm-{window.name}",
        subject=subject,
        text=text,
        service="system_alerts",
        alerts=len(counted),
        held_back=len(suppressed),
    )
