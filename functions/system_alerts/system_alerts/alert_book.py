"""The book of alerts: the state of each, and its history.

    pk                   sk                      attributes
    alert#<fingerprint>  state                   status, incident, severity, latest...: see `alert_state`
    alert#<fingerprint>  event#<event identity>  at, kind, severity, title, news: one event of its history

Index `ByTime` has the history in order. In a storm thousands of events are about one alert: those that are no news move
nothing but `latest`, in one write that cannot conflict; only what is news takes a transaction of state and history.
"""

import random
import time
from datetime import UTC, datetime
from typing import Any

import msgspec

from fanout import aws
from fanout.contracts.system_alerts import AlertNotification, AlertRaised, Kind
from fanout.effects import ConditionFailedError, marker_expiry, put_once, to_item, transact
from fanout.event import encode
from fanout.failures import Retry
from system_alerts import settings, table, texts
from system_alerts.alert_state import AlertEvent, News, State, changed, judge, order
from system_alerts.windows import Window

INDEX = "ByTime"
# How long one delivery has the telling to itself. Ending it early costs people a second copy, no more.
LEASE_SECONDS = 15
_MOST_TRIES = 12

_TOLD: dict[News, Kind] = {
    News.OPENED: "opened",
    News.REPEATED: "repeated",
    News.ESCALATED: "escalated",
    News.RESOLVED: "resolved",
}


class Entry(msgspec.Struct, kw_only=True):
    """One event in the history, as it stands in the table."""

    pk: str
    sk: str
    news: News
    notice: str | None = None
    """The notification that is still to be told, as it will be published."""
    lease_until: int = 0
    summarised: bool = False
    """It ends what only a summary has told of."""

    @property
    def key(self) -> dict[str, str]:
        """Where it stands."""
        return {"pk": self.pk, "sk": self.sk}


def state_key(fingerprint: str) -> dict[str, str]:
    """Return where an alert's state stands."""
    return {"pk": f"alert#{fingerprint}", "sk": "state"}


def entry_key(event: AlertEvent) -> dict[str, str]:
    """Return where an event stands in the history."""
    return {"pk": f"alert#{event.data.fingerprint}", "sk": f"event#{event.identity}"}


def record(event: AlertEvent, window: Window) -> tuple[Entry, bool]:
    """Write an event into the book; return its entry, and whether it was written by this call and no other delivery.

    Raises Retry if too many others write about the same alert at this moment, and what DynamoDB raises.
    """
    for attempt in range(_MOST_TRIES):
        state = _read(event.data.fingerprint)
        news = judge(state, event, time.time())
        try:
            entry = _write(event, window, state, news)
        except ConditionFailedError:  # the state is no longer what was judged; or this very event has been written
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


def find(event: AlertEvent) -> Entry | None:
    """Return an event's entry; None if the event is not in the book."""
    item = table.get(entry_key(event))
    return msgspec.convert(item, Entry) if item else None


def status(fingerprint: str) -> str:
    """Return what is known of an alert: open or resolved."""
    state = _read(fingerprint)
    return state.status if state else "unknown"


def set_held(fingerprint: str, incident: str, held: str) -> None:
    """Note that an alert is held back, or that a summary has told of it; nothing if that incident is over."""
    table.update(
        state_key(fingerprint),
        "SET held = :held",
        {":held": held, ":incident": incident, ":open": "open"},
        condition="incident = :incident AND #status = :open",
        names={"#status": "status"},
    )


def _read(fingerprint: str) -> State | None:
    item = table.get(state_key(fingerprint))
    return msgspec.convert(item, State) if item else None


def _write(event: AlertEvent, window: Window, state: State | None, news: News) -> Entry:
    """Write entry and state, if the state is still what was judged. Raises ConditionFailedError if it is not."""
    if news in {News.LATE, News.COUNTED}:
        if news is News.COUNTED and state is not None and order(event) > state.latest:
            _touch(event, state)
        return _put(event, window, news)
    told_until = int(time.time()) + settings.dispatch().notification_window_seconds
    after = changed(state, event, news, told_until)
    notice = _notice(event, after, news) if news in _TOLD else None
    item = _entry_item(event, window, news, notice)
    if news is News.RESOLVED and after.held:
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
    return msgspec.convert(item, Entry)


def _touch(event: AlertEvent, state: State) -> None:
    """Note that the alert was raised again, unless meanwhile it is not what was judged: open, known, this bad."""
    is_touched = table.update(
        state_key(event.data.fingerprint),
        "SET latest = :order",
        {":order": order(event), ":version": state.version},
        condition="version = :version AND latest < :order",
    )
    if not is_touched:
        raise ConditionFailedError([0])


def _put(event: AlertEvent, window: Window, news: News) -> Entry:
    item = _entry_item(event, window, news, None)
    put_once(settings.dispatch().alert_table, item)
    return msgspec.convert(item, Entry)


def _entry_item(event: AlertEvent, window: Window, news: News, notice: str | None) -> dict[str, Any]:
    item: dict[str, Any] = {
        **entry_key(event),
        "at": order(event),
        "kind": "raised" if isinstance(event.data, AlertRaised) else "resolved",
        "severity": event.data.severity,
        "title": event.data.title,
        "news": news.value,
        "window": window.name,
        "received_at": texts.instant(datetime.now(UTC)),
        "expires_at": marker_expiry(),
    }
    if notice is not None:
        item |= {"notice": notice, "lease_until": int(time.time()) + LEASE_SECONDS}
    return item


def _state_update(event: AlertEvent, state: State | None, after: State) -> dict[str, Any]:
    """The state's part of the transaction. `latest` may have moved since it was read, by a mere repetition: it is not
    moved back, and a resolution is none if a repetition has come after it."""
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
            values[":order"] = order(event)
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


def _notice(event: AlertEvent, state: State, news: News) -> str:
    """The notification about a piece of news, as it will be published, once or again."""
    alert, kind = event.data, _TOLD[news]
    is_over = news is News.RESOLVED
    alerts = max(1, _alerts_since(alert.fingerprint, state.opened) + (0 if is_over else 1))
    notification = AlertNotification(
        kind=kind,
        severity=state.severity,
        incident=state.incident,
        subject=texts.headline(kind, state.severity, alert.service, alert.title),
        text=texts.story(
            description=alert.description,
            since=state.opened_at,
            until=texts.instant(event.occurred_at) if is_over else None,
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
