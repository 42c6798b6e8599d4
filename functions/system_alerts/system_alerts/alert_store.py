"""The table of alerts: the state of each, and its history.

    pk                   sk                      attributes
    alert#<fingerprint>  state                   status, incident, severity, latest...: see `alert_state`
    alert#<fingerprint>  event#<event identity>  at, kind, severity, title, transition: one event of its history

Index `ByTime` sorts the history. In a storm thousands of events are about one alert: repetitions only move `latest`, in
one write that cannot conflict; only a transition of the state takes a transaction of state and history.
"""

import random
import time
from datetime import UTC, datetime
from typing import Any

import msgspec

from fanout import Retry, aws, put_once
from fanout.contracts.system_alerts import AlertNotification, AlertRaised, Kind
from fanout.dynamodb import ConditionFailedError, to_item, transact
from fanout.event import encode
from fanout.idempotency import record_expiry
from system_alerts import settings, table
from system_alerts.domain import message_format
from system_alerts.domain.alert_state import AlertEvent, AlertTransition, State, apply, classify, sort_key
from system_alerts.windows import Window

INDEX = "ByTime"
# How long one delivery may take to publish. If the lease ends earlier, people receive a second copy, no more.
LEASE_SECONDS = 15
_MAX_ATTEMPTS = 12

_KINDS: dict[AlertTransition, Kind] = {
    AlertTransition.OPENED: "opened",
    AlertTransition.REPEATED: "repeated",
    AlertTransition.ESCALATED: "escalated",
    AlertTransition.RESOLVED: "resolved",
}


class HistoryEntry(msgspec.Struct, kw_only=True):
    """One event of an alert's history."""

    pk: str
    sk: str
    transition: AlertTransition
    notice: str | None = None
    """The notification that is not yet published, as a JSON document."""
    lease_until: int = 0
    summarised: bool = False
    """It resolves an alert that people know only from a summary."""

    @property
    def key(self) -> dict[str, str]:
        """The item's key."""
        return {"pk": self.pk, "sk": self.sk}


def state_key(fingerprint: str) -> dict[str, str]:
    """Return the key of an alert's state."""
    return {"pk": f"alert#{fingerprint}", "sk": "state"}


def entry_key(event: AlertEvent) -> dict[str, str]:
    """Return the key of an event's history entry."""
    return {"pk": f"alert#{event.data.fingerprint}", "sk": f"event#{event.identity}"}


def record(event: AlertEvent, window: Window) -> tuple[HistoryEntry, bool]:
    """Store an event; return its entry, and whether this call wrote it (False: another delivery did).

    Raises Retry if too many concurrent deliveries change the same alert, and what DynamoDB raises.
    """
    for attempt in range(_MAX_ATTEMPTS):
        state = _read(event.data.fingerprint)
        transition = classify(state, event, time.time())
        try:
            entry = _write(event, window, state, transition)
        except ConditionFailedError:  # the state has changed since it was read, or this event was written
            known = find(event)
            if known is not None:
                return known, False
        except Exception as error:
            if aws.error_code(error) not in {"TransactionCanceledException", "TransactionConflictException"}:
                raise
        else:
            return entry, True
        time.sleep(random.uniform(0, 0.02 * (attempt + 1)))  # noqa: S311 - jitter keeps no secret
    raise Retry("contended: too many events about this alert at once")


def find(event: AlertEvent) -> HistoryEntry | None:
    """Return an event's history entry; None if the event was not stored."""
    item = table.get(entry_key(event))
    return msgspec.convert(item, HistoryEntry) if item else None


def alert_status(fingerprint: str) -> str:
    """Return an alert's status: open, resolved or unknown."""
    state = _read(fingerprint)
    return state.status if state else "unknown"


def set_suppression(fingerprint: str, incident: str, suppression: str) -> None:
    """Record that an alert is suppressed or summarised; no effect if that incident is resolved."""
    table.update(
        state_key(fingerprint),
        "SET suppression = :suppression",
        {":suppression": suppression, ":incident": incident, ":open": "open"},
        condition="incident = :incident AND #status = :open",
        names={"#status": "status"},
    )


def _read(fingerprint: str) -> State | None:
    item = table.get(state_key(fingerprint))
    return msgspec.convert(item, State) if item else None


def _write(event: AlertEvent, window: Window, state: State | None, transition: AlertTransition) -> HistoryEntry:
    """Write entry and state. Raises ConditionFailedError if the state has changed since it was read."""
    if transition in {AlertTransition.LATE, AlertTransition.COUNTED}:
        if transition is AlertTransition.COUNTED and state is not None and sort_key(event) > state.latest:
            _touch(event, state)
        return _put(event, window, transition)
    quiet_until = int(time.time()) + settings.dispatch().notification_window_seconds
    after = apply(state, event, transition, quiet_until)
    notice = _notification(event, after, transition) if transition in _KINDS else None
    item = _entry_item(event, window, transition, notice)
    if transition is AlertTransition.RESOLVED and after.suppression:
        item["summarised"] = True
    transact(
        [
            _state_update(event, state, after),
            {
                "Put": {
                    "TableName": settings.dispatch().alert_table,
                    "Item": to_item(item),
                    "ConditionExpression": "attribute_not_exists(pk)",
                }
            },
        ]
    )
    return msgspec.convert(item, HistoryEntry)


def _touch(event: AlertEvent, state: State) -> None:
    """Move `latest` forward. Raises ConditionFailedError if the state has changed since it was read."""
    is_touched = table.update(
        state_key(event.data.fingerprint),
        "SET latest = :order",
        {":order": sort_key(event), ":version": state.version},
        condition="version = :version AND latest < :order",
    )
    if not is_touched:
        raise ConditionFailedError([0])


def _put(event: AlertEvent, window: Window, transition: AlertTransition) -> HistoryEntry:
    item = _entry_item(event, window, transition, None)
    put_once(settings.dispatch().alert_table, item)
    return msgspec.convert(item, HistoryEntry)


def _entry_item(event: AlertEvent, window: Window, transition: AlertTransition, notice: str | None) -> dict[str, Any]:
    item: dict[str, Any] = {
        **entry_key(event),
        "at": sort_key(event),
        "kind": "raised" if isinstance(event.data, AlertRaised) else "resolved",
        "severity": event.data.severity,
        "title": event.data.title,
        "transition": transition.value,
        "window": window.name,
        "received_at": message_format.rfc3339(datetime.now(UTC)),
        "expires_at": record_expiry(),
    }
    if notice is not None:
        item |= {"notice": notice, "lease_until": int(time.time()) + LEASE_SECONDS}
    return item


def _state_update(event: AlertEvent, state: State | None, after: State) -> dict[str, Any]:
    """Return the state's update. A repetition may have moved `latest` since it was read: it is never moved back, and a
    later repetition makes a resolution fail its condition."""
    fields = msgspec.to_builtins(after)
    moved = state is None or after.latest != state.latest
    if not moved:
        del fields["latest"]
    names = {f"#{name}": name for name in fields}
    values = {f":{name}": value for name, value in fields.items()}
    condition = "attribute_not_exists(pk)"
    if state is not None:
        condition = "version = :seen"
        values[":seen"] = state.version
        if moved:
            condition += " AND latest < :order"
            values[":order"] = sort_key(event)
    return {
        "Update": {
            "TableName": settings.dispatch().alert_table,
            "Key": to_item(state_key(event.data.fingerprint)),
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in fields),
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": to_item(values),
        }
    }


def _notification(event: AlertEvent, state: State, transition: AlertTransition) -> str:
    """Return the notification about a transition, as a JSON document."""
    alert, kind = event.data, _KINDS[transition]
    is_over = transition is AlertTransition.RESOLVED
    alerts = max(1, _alerts_since(alert.fingerprint, state.opened) + (0 if is_over else 1))
    notification = AlertNotification(
        kind=kind,
        severity=state.severity,
        incident=state.incident,
        subject=message_format.subject(kind, state.severity, alert.service, alert.title),
        text=message_format.body(
            description=alert.description,
            since=state.opened_at,
            until=message_format.rfc3339(event.occurred_at) if is_over else None,
            alerts=alerts,
            severity=state.severity,
            runbook_url=alert.runbook_url,
            fingerprint=alert.fingerprint,
        ),
        service=alert.service,
        fingerprint=alert.fingerprint,
        runbook_url=alert.runbook_url,
        alerts=alerts,
    )
    return encode(event.caused(notification)).decode()


def _alerts_since(fingerprint: str, opened: str) -> int:
    """Count the alerts in the history since the incident was opened; the index may miss those of the last second."""
    entries = table.query(
        "pk = :pk AND #at >= :opened",
        {":pk": f"alert#{fingerprint}", ":opened": opened},
        index=INDEX,
        names={"#at": "at"},
    )
    return sum(entry["kind"] == "raised" for entry in entries)
