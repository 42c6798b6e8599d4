"""Counts warnings and errors per service and minute, and raises an alert for a service with too many errors."""

from functools import cache

from application_logs import alerts, error_counts
from application_logs.error_counts import Window
from application_logs.settings import MonitorSettings
from fanout import Discard, Event, Retry, batch_subscriber, settings
from fanout.contracts.application_logs import LogEntry
from fanout.observability import describe, log_failure
from fanout.outcomes import Answer


@cache
def _settings() -> MonitorSettings:
    return settings.load(MonitorSettings)


@batch_subscriber(LogEntry)
def handler(events: list[Event[LogEntry]]) -> list[Answer]:
    """Count the events of each service and window together; a failure of one window does not delay the others."""
    answers: dict[str, Answer] = {}
    windows: dict[Window, list[Event[LogEntry]]] = {}
    for event in events:
        if error_counts.is_counted(event):
            windows.setdefault(Window.of(event, _settings().alert_window_seconds), []).append(event)
        else:
            answers[event.identity] = Discard("below-warning", "only warnings and errors are counted")
    for window, entries in windows.items():
        answers |= _handle(window, entries)
    return [answers[event.identity] for event in events]


def _handle(window: Window, entries: list[Event[LogEntry]]) -> dict[str, Answer]:
    """Count one window's events, then check its alert: after the commit, and again for every redelivery."""
    try:
        outcomes = error_counts.add(_settings().monitor_table, window, entries)
        alerts.check(_settings(), window, entries, outcomes)
    except Retry as word:
        return {event.identity: word for event in entries}
    except Exception as error:  # the answers of the other windows stay valid
        log_failure(error, None)
        return {event.identity: Retry(describe(error)) for event in entries}
    return {event.identity: outcome for event, outcome in zip(entries, outcomes, strict=True)}
