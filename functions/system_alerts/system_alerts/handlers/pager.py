"""Opens and closes incidents through PagerDuty's Events API v2 or a compatible one. SNS invokes it directly.

The dedup_key of an incident makes repeated triggers one incident, so a call may be repeated.
https://developer.pagerduty.com/docs/send-alert-event

    pk                    sk     attributes
    incident#<incident>   pager  resolved: the incident is over and must not be opened again
    sent#<event identity> pager  the notification has been sent
"""

from typing import Any

from fanout import Discard, Event, Outcome, Retry, aws, put_once, subscriber
from fanout.contracts.system_alerts import AlertNotification, Severity
from fanout.dynamodb import from_item, to_item
from fanout.idempotency import record_expiry
from system_alerts import settings, webhooks
from system_alerts.webhooks import Webhook

_SEVERITIES: dict[Severity, str] = {"CRITICAL": "critical", "HIGH": "error", "MEDIUM": "warning", "LOW": "info"}


@subscriber(AlertNotification)
def handler(event: Event[AlertNotification]) -> Outcome:
    """Send the notification, unless it was sent before or would reopen a resolved incident."""
    alert = event.data
    if alert.kind == "summary" and not alert.held_back:
        raise Discard("no-incident", "every alert in the summary has an incident of its own")
    webhook = webhooks.configured()
    if not webhook.routing_key:
        raise Retry("misconfigured: the webhook's secret holds no routing_key")
    if _get(f"sent#{event.identity}"):
        return Outcome.DUPLICATE
    if alert.kind == "resolved":
        _close(event)
        _send(webhook, event, "resolve")
    else:
        if _is_over(alert.incident):
            raise Discard("over", "the incident was resolved before this notification arrived")
        _send(webhook, event, "trigger")
        if _is_over(alert.incident):  # resolved while the trigger was sent
            _send(webhook, event, "resolve")
    return put_once(
        settings.channel().channel_table,
        {"pk": f"sent#{event.identity}", "sk": "pager", "kind": alert.kind, "expires_at": record_expiry()},
    )


def document(webhook: Webhook, event: Event[AlertNotification], action: str) -> dict[str, Any]:
    """Return the request body. action: trigger or resolve."""
    alert = event.data
    about: dict[str, Any] = {"routing_key": webhook.routing_key, "event_action": action, "dedup_key": alert.incident}
    if action == "resolve":
        return about
    # The contract keeps summary and dedup_key within PagerDuty's limits, 1,024 and 255 characters.
    payload = {
        "summary": alert.subject,
        "source": alert.service,
        "severity": _SEVERITIES[alert.severity],
        "timestamp": event.occurred_at.isoformat(),
        "class": alert.kind,
        "custom_details": {"text": alert.text, "fingerprint": alert.fingerprint, "alerts": alert.alerts},
    }
    links = [{"href": alert.runbook_url, "text": "Runbook"}] if alert.runbook_url else []
    return {**about, "client": "fanout", "payload": payload, "links": links}


def _send(webhook: Webhook, event: Event[AlertNotification], action: str) -> None:
    webhooks.call(webhook, document(webhook, event, action), is_repeatable=True)


def _is_over(incident: str) -> bool:
    return bool(_get(f"incident#{incident}"))


def _get(pk: str) -> dict[str, Any]:
    answer = aws.client("dynamodb").get_item(
        TableName=settings.channel().channel_table, Key=to_item({"pk": pk, "sk": "pager"}), ConsistentRead=True
    )
    return from_item(answer.get("Item", {}))


def _close(event: Event[AlertNotification]) -> None:
    """Record that the incident is over before resolving it, so that a later trigger finds the record."""
    put_once(
        settings.channel().channel_table,
        {
            "pk": f"incident#{event.data.incident}",
            "sk": "pager",
            "resolved": event.identity,
            "expires_at": record_expiry(),
        },
    )
