"""Publishes notifications to AlertNotifications.

A notification waits with what it is about until it is out: whoever has written it down publishes it and notes that. If
that one is killed in between, its event comes again, finds the notification without a note, and publishes the very same
document. Chat and pager recognise it; a mail or a short message then comes twice, which is better than not at all.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from fanout.contracts.system_alerts import AlertNotification
from fanout.event import Event, decode, decode_data
from fanout.failures import Retry
from fanout.publisher import Publisher, PublishError
from system_alerts import alert_book, settings, table, texts, windows
from system_alerts.alert_book import Entry
from system_alerts.alert_state import WAITING
from system_alerts.windows import Held, Window


def tell(entry: Entry, *, is_fresh: bool) -> bool:
    """Publish what an entry of the book has to tell, or leave it to the window's summary. False if it has nothing.

    is_fresh: the entry was written by this very delivery, which has the telling to itself. Raises Retry if it could
    not be published, or if another delivery is at it.
    """
    if entry.notice is None:
        return False
    if not is_fresh:
        claim(entry.key)
    event = decode_data(decode(entry.notice), AlertNotification)
    window = windows.current(table.get(windows.CURRENT))
    if _may_go_out(entry, event, window):
        publish(event)
    elif event.data.fingerprint and event.data.kind != "resolved":
        windows.hold(window, Held(event.data.fingerprint, event.data.incident))
        alert_book.set_held(event.data.fingerprint, event.data.incident, WAITING)
    note(entry.key)
    return True


def _may_go_out(entry: Entry, event: Event[AlertNotification], window: Window) -> bool:
    """Whether people are told of it by itself. They always are when something ends that they were told of so."""
    if event.data.kind != "resolved":
        return windows.take_slot(window, event.data.severity, event.id)
    return not entry.summarised or windows.take_slot(window, "resolved", event.id)


def claim(key: Mapping[str, str]) -> None:
    """Take the telling upon this delivery; raises Retry if another one has it."""
    now = int(time.time())
    is_mine = table.update(
        key,
        "SET lease_until = :until",
        {":until": now + alert_book.LEASE_SECONDS, ":now": now},
        condition="attribute_exists(notice) AND lease_until <= :now",
    )
    if not is_mine:
        raise Retry("told-elsewhere: another delivery is about to tell it", after=alert_book.LEASE_SECONDS)


def publish(event: Event[AlertNotification]) -> None:
    """Publish a notification; raises Retry if SNS does not take it."""
    try:
        Publisher(settings.dispatch().notifications_topic_arn, present=texts.present).publish([event])
    except PublishError as error:
        raise Retry(f"not-told: {error.failed[0].code}") from error


def note(key: Mapping[str, str]) -> None:
    """Note that it has been told, whichever way."""
    table.update(
        key,
        "SET told_at = :now REMOVE notice, lease_until",
        {":now": texts.instant(datetime.now(UTC))},
        condition="attribute_exists(pk)",
    )
