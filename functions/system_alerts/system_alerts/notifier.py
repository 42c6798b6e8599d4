"""Publishes notifications to AlertNotifications.

A notification is stored with its alert until it is published: the delivery that stored it publishes it and marks it as
sent. If that delivery is killed in between, its event is delivered again, finds the notification unsent, and publishes
the same document. Chat and pager recognise the duplicate; mail and SMS then arrive twice rather than not at all.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from fanout import Event, Retry, publisher
from fanout.contracts.system_alerts import AlertNotification
from fanout.event import decode, decode_data
from system_alerts import alert_store, settings, table, windows
from system_alerts.domain import message_format
from system_alerts.domain.alert_state import WAITING
from system_alerts.windows import SuppressedAlert


def notify(key: Mapping[str, str], notice: str, *, is_summarised: bool, has_lease: bool) -> None:
    """Publish a stored notification, or leave it to the window's summary.

    is_summarised: it resolves an alert that people know only from a summary. A resolution of any other alert is always
    published. has_lease: this delivery stored the notification. Raises Retry if it could not be published, or if
    another delivery holds the lease.
    """
    if not has_lease:
        acquire_lease(key)
    event = decode_data(decode(notice), AlertNotification)
    is_resolved = event.data.kind == "resolved"
    window = windows.current_window()
    is_unlimited = is_resolved and not is_summarised
    if is_unlimited or windows.take_slot(window, "resolved" if is_resolved else event.data.severity, event.id):
        publish(event)
    elif event.data.fingerprint and not is_resolved:
        windows.suppress(window, SuppressedAlert(event.data.fingerprint, event.data.incident))
        alert_store.set_suppression(event.data.fingerprint, event.data.incident, WAITING)
    mark_sent(key)


def acquire_lease(key: Mapping[str, str]) -> None:
    """Reserve a notification for this delivery; raises Retry if another delivery holds the lease."""
    now = int(time.time())
    is_acquired = table.update(
        key,
        "SET lease_until = :until",
        {":until": now + alert_store.LEASE_SECONDS, ":now": now},
        condition="attribute_exists(notice) AND lease_until <= :now",
    )
    if not is_acquired:
        raise Retry("leased: another delivery is about to publish it", after=alert_store.LEASE_SECONDS)


def publish(event: Event[AlertNotification]) -> None:
    """Publish a notification; raises Retry if SNS does not accept it."""
    publisher.publish(settings.dispatch().notifications_topic_arn, [event], present=message_format.present)


def mark_sent(key: Mapping[str, str]) -> None:
    """Record that the notification was published or left to a summary."""
    table.update(
        key,
        "SET sent_at = :now REMOVE notice, lease_until",
        {":now": message_format.rfc3339(datetime.now(UTC))},
        condition="attribute_exists(pk)",
    )
