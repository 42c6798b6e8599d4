"""Stores each alert's state and history, and publishes notifications. SNS invokes this function directly.

Alerts arrive as events of the application, or as CloudWatch notifications: on SystemAlerts, and for the alarms of the
whole application on the operator's topic.
"""

from typing import Any

from fanout import Event, Outcome, subscriber
from fanout.contracts.system_alerts import AlertRaised, AlertResolved, AlertWindowEnded
from system_alerts import alert_store, notifier, storm_summary, windows
from system_alerts.cloudwatch_alarms import from_cloudwatch


@subscriber(AlertRaised, AlertResolved, AlertWindowEnded, translate=from_cloudwatch)
def handler(event: Event[Any]) -> Outcome:
    """Store the event and, if the alert has changed, publish a notification."""
    if isinstance(event.data, AlertWindowEnded):
        return storm_summary.summarize_window(event)
    entry, is_new = alert_store.find(event), False
    if entry is None:
        window = windows.current_window()
        if isinstance(event.data, AlertRaised):
            windows.count_alert(window, event)
        entry, is_new = alert_store.record(event, window)
    if entry.notice is not None:
        notifier.notify(entry.key, entry.notice, is_summarised=entry.summarised, has_lease=is_new)
        return Outcome.PROCESSED
    return Outcome.PROCESSED if is_new else Outcome.DUPLICATE
