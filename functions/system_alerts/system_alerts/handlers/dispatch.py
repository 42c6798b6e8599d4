"""Keeps the book of alerts, and tells people what is news. SNS invokes this function directly.

Alerts come as events of ours, or as CloudWatch's notifications: on SystemAlerts, and those of the whole application on
the operator's topic.
"""

from typing import Any

from fanout.contracts.system_alerts import AlertRaised, AlertResolved, AlertWindowEnded
from fanout.event import Event
from fanout.subscriber import Outcome, subscriber
from system_alerts import alert_book, storms, table, telling, windows
from system_alerts.cloudwatch_alarms import from_cloudwatch


@subscriber(AlertRaised, AlertResolved, AlertWindowEnded, translate=from_cloudwatch)
def handler(event: Event[Any]) -> Outcome:
    """Write the event into the book; if it is news, publish a notification."""
    if isinstance(event.data, AlertWindowEnded):
        return storms.close(event)
    entry = alert_book.find(event)
    is_fresh = False
    if entry is None:
        window = windows.current(table.get(windows.CURRENT))
        if isinstance(event.data, AlertRaised):
            windows.count(window, event)
        entry, is_fresh = alert_book.record(event, window)
    has_told = telling.tell(entry, is_fresh=is_fresh)
    return Outcome.PROCESSED if is_fresh or has_told else Outcome.DUPLICATE
