"""The monitor's alerts: one per service and window with too many errors.

The window's item is the outbox. The delivery that reaches the threshold writes the alert into it, publishes it, and
marks it as published. After a crash in between, the redelivered events find an alert that is not marked, and publish
the same document with the same id.
"""

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from application_logs.error_counts import Window, instant, is_error
from application_logs.settings import MonitorSettings
from fanout import Event, Outcome, Retry, aws, contracts, identity, publish
from fanout.contracts.application_logs import LogEntry
from fanout.contracts.system_alerts import AlertRaised
from fanout.dynamodb import condition_failed, from_item, to_item
from fanout.event import decode, decode_data, encode

# How long one delivery may take to publish. If the lease ends earlier, a second copy of the same event is published.
_LEASE_SECONDS = 10


def check(
    settings: MonitorSettings, window: Window, events: Sequence[Event[LogEntry]], outcomes: Sequence[Outcome]
) -> None:
    """Publish the window's alert if it is due and not published. Call it after counting `events`, including duplicates.

    Raises Retry if it could not be published, or if another delivery holds the lease and one of `events` is a
    duplicate: that delivery may have crashed, and the duplicate may be the only event left to publish the alert.
    """
    if not settings.alert_topic_arn or not any(is_error(event) for event in events):
        return
    counter = _read(settings.monitor_table, window)
    if int(counter.get("errors", 0)) < settings.alert_threshold or "alerted_at" in counter:
        return
    crossing = next(event for event in events if is_error(event))
    document = _acquire_lease(settings.monitor_table, window, _alert(settings, window, crossing))
    if document is None:
        if Outcome.DUPLICATE in outcomes:
            raise Retry("alert: another delivery is about to publish it")
        return
    publish(settings.alert_topic_arn, [decode_data(decode(document), AlertRaised)])
    _mark_published(settings.monitor_table, window)


def _alert(settings: MonitorSettings, window: Window, crossing: Event[LogEntry]) -> Event[AlertRaised]:
    """Return the alert. Its id depends on service and window only, not on the entry that crosses the threshold."""
    who = identity.subscriber_name()
    alert = AlertRaised(
        fingerprint=f"{who}/errors/{window.service}",
        service=window.service,
        severity="HIGH",
        title=f"{window.service}: {settings.alert_threshold} errors or more in {window.seconds} seconds",
        description=(
            f"{window.service} logged at least {settings.alert_threshold} errors between {instant(window.start)} and "
            f"{instant(window.start + window.seconds)}. The entries are in the archive: fanout logs read --service "
            f"{window.service} --from {instant(window.start)} --to {instant(window.start + window.seconds)}"
        ),
        runbook_url=settings.alert_runbook_url or None,
    )
    event_type = contracts.contract_of(AlertRaised).type
    about = f"{window.service}@{window.start}/{window.seconds}"
    event_id = identity.derived_id(f"urn:fanout:{who}", about, who, event_type, 0)
    return msgspec.structs.replace(crossing.caused(alert), id=event_id)


def _read(table: str, window: Window) -> dict[str, Any]:
    answer = aws.client("dynamodb").get_item(TableName=table, Key=to_item(window.key), ConsistentRead=True)
    return from_item(answer.get("Item", {}))


def _acquire_lease(table: str, window: Window, alert: Event[AlertRaised]) -> str | None:
    """Acquire the lease to publish. Return the alert as first written; None if another delivery holds the lease."""
    now = time.time()
    try:
        answer = aws.client("dynamodb").update_item(
            TableName=table,
            Key=to_item(window.key),
            UpdateExpression="SET alert = if_not_exists(alert, :alert), claimed_until = :until",
            ConditionExpression=(
                "attribute_not_exists(alerted_at) AND (attribute_not_exists(claimed_until) OR claimed_until <= :now)"
            ),
            ExpressionAttributeValues=to_item(
                {":alert": encode(alert).decode(), ":until": int(now) + _LEASE_SECONDS, ":now": int(now)}
            ),
            ReturnValues="ALL_NEW",
        )
    except Exception as error:
        if condition_failed(error):
            return None
        raise
    return str(from_item(answer["Attributes"])["alert"])


def _mark_published(table: str, window: Window) -> None:
    """Mark the alert as published. If this write is lost, it is published again under the same id."""
    aws.client("dynamodb").update_item(
        TableName=table,
        Key=to_item(window.key),
        UpdateExpression="SET alerted_at = :now",
        ExpressionAttributeValues=to_item({":now": instant(int(time.time()))}),
    )
