"""CloudWatch's notifications about its alarms, in AWS's own JSON.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
"""

import hashlib
import re
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

import msgspec

from fanout import Discard, Event, Reject
from fanout.contracts.system_alerts import (
    LONGEST_DESCRIPTION,
    LONGEST_FINGERPRINT,
    LONGEST_LINE,
    SEVERITIES,
    AlertRaised,
    AlertResolved,
    Severity,
)
from fanout.delivery import Notification
from system_alerts import settings
from system_alerts.domain.text_length import cut

SOURCE = "urn:aws:cloudwatch"

_LONGEST_ID = 256
# By partition. An unknown partition gets no link.
_CONSOLES = {"aws": "aws.amazon.com", "aws-cn": "amazonaws.cn", "aws-us-gov": "amazonaws-us-gov.com"}
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
# "[CRITICAL]" anywhere in an alarm's description is its severity: CloudWatch itself has none.
_SEVERITY = re.compile(rf"\s*\[({'|'.join(SEVERITIES)})\]\s*")
# The namespace in an alarm's Metrics Insights query: FROM SCHEMA("AWS/SQS", QueueName), FROM "AWS/SQS".
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html
_QUERIED = re.compile(
    r"""(?:[^"']|"[^"]*"|'[^']*')*?\bFROM\s+(?:SCHEMA\s*\(\s*)?(?:"([^"]+)"|([^\s"',)]+))""", re.IGNORECASE
)


class _Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that the notifications of all kinds of alarm share."""

    name: str
    arn: str
    """For an alarm without an ARN (old notifications): an equally unique name."""
    state: str
    changed_at: datetime
    changed: str
    """The same time as CloudWatch wrote it."""
    reason: str
    description: str
    service: str


def from_cloudwatch(notification: Notification) -> Event[Any] | None:
    """Return the alert for an alarm's state change; None if the notification is not about an alarm.

    Its id follows from the change, so that an alarm that notifies two topics alerts once. Every field but the
    alarm's name and state may be null or missing. Raises Discard for a state that is neither ALARM nor OK and for the
    alarms of this stack, Reject for a malformed notification.
    """
    text = notification.text.lstrip()
    if not (
        text.startswith("{") and '"AlarmName"' in text and '"NewStateValue"' in text and '"specversion"' not in text
    ):
        return None
    try:
        alarm = _read(msgspec.json.decode(text, type=dict[str, Any]), notification)
    except (ValueError, RecursionError) as error:
        raise Reject("invalid-event", f"not a CloudWatch alarm: {error}") from None
    # This stack cannot report its own faults: its alarms would loop or be lost. They are published on the operator's
    # topic, which has other subscriptions.
    own = settings.alarms().own_stack
    if own and alarm.name.startswith(f"{own}-"):
        raise Discard("own-alarm", "it is about this stack, which cannot report its own faults")
    if alarm.state not in {"ALARM", "OK"}:
        raise Discard("no-news", f"the alarm's state is {alarm.state[:40]!r}")
    contract = AlertRaised if alarm.state == "ALARM" else AlertResolved
    return Event.new(_alert(alarm, contract), source=SOURCE, id=_id(alarm), time=alarm.changed_at)


def _read(fields: dict[str, Any], notification: Notification) -> _Alarm:
    """Parse the fields. Raises ValueError if the name, the state or the time is malformed."""
    name, state = _text(fields, "AlarmName"), _text(fields, "NewStateValue")
    if not name or not state:
        raise ValueError("AlarmName or NewStateValue is not a string")
    changed = fields.get("StateChangeTime") or notification.timestamp.isoformat()
    return _Alarm(
        name=name,
        arn=_text(fields, "AlarmArn") or _arn(name, fields, notification),
        state=state,
        changed_at=_instant(changed),
        changed=changed,
        reason=_text(fields, "NewStateReason"),
        description=" ".join(_text(fields, "AlarmDescription").split()),
        service=_service(_object(fields, "Trigger")),
    )


def _arn(name: str, fields: dict[str, Any], notification: Notification) -> str:
    """Return the alarm's ARN: an alarm notifies topics of its own Region, and names its account.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html (AlarmActions)
    """
    account, topic = _text(fields, "AWSAccountId"), (notification.topic_arn or "").split(":")
    if len(topic) != 6:
        return f"cloudwatch/{account}/{_text(fields, 'Region')}/{name}"
    return f"arn:{topic[1]}:cloudwatch:{topic[3]}:{account or topic[4]}:alarm:{name}"


def _service(trigger: dict[str, Any]) -> str:
    """Return the namespace of the first metric of the alarm: its own, one of its metric math or of its query.

    A metric without a namespace is named by its first dimension. A composite alarm has no metrics.
    """
    metrics = [trigger]
    for query in _objects(trigger, "Metrics"):
        metrics.append(_object(_object(query, "MetricStat"), "Metric"))
        if selected := _QUERIED.match(_text(query, "Expression")):
            metrics.append({"Namespace": selected[1] or selected[2]})
    namespaces = [_text(metric, "Namespace") for metric in metrics]
    dimensions = [_text(each, "value") or _text(each, "Value") for m in metrics for each in _objects(m, "Dimensions")]
    return next((name.strip() for name in namespaces + dimensions if name.strip()), "CloudWatch")


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _object(fields: dict[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def _objects(fields: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = fields.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _alert(alarm: _Alarm, contract: type[AlertRaised] | type[AlertResolved]) -> AlertRaised | AlertResolved:
    return contract(
        fingerprint=_short(alarm.arn, LONGEST_FINGERPRINT),
        service=cut(alarm.service, LONGEST_LINE),
        severity=_severity(alarm.description),
        title=cut(_SEVERITY.sub(" ", alarm.description).strip() or alarm.name, LONGEST_LINE),
        description=cut(": ".join(filter(None, (alarm.name, alarm.reason))), LONGEST_DESCRIPTION),
        runbook_url=_console(alarm),
    )


def _severity(description: str) -> Severity:
    found = _SEVERITY.search(description)
    named: list[Severity] = [each for each in SEVERITIES if found and each == found[1]]
    return named[0] if named else settings.alarms().alarm_severity


def _console(alarm: _Alarm) -> str | None:
    """Return the alarm's console page; None in a partition whose console is unknown."""
    parts = alarm.arn.split(":")
    if len(parts) < 7 or not re.fullmatch(r"[a-z0-9-]+", parts[3]):
        return None
    domain = _CONSOLES.get(parts[1])
    if domain is None:
        return None
    page = f"cloudwatch/deeplink.js?region={parts[3]}#alarmsV2:alarm/{quote(alarm.name, safe='')}"
    url = f"https://{parts[3]}.console.{domain}/{page}"
    return url if len(url) <= 2000 else None


def _id(alarm: _Alarm) -> str:
    return _short(f"{alarm.arn}@{alarm.changed}={alarm.state}", _LONGEST_ID)


def _short(text: str, longest: int) -> str:
    """Return the text, or its digest if it is too long or empty."""
    return text if 0 < len(text) <= longest else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _instant(value: Any) -> datetime:
    """Return the time; CloudWatch writes the zone without a colon: 2026-11-22T14:05:30.123+0000."""
    found: datetime = msgspec.convert(re.sub(r"([+-]\d{2})(\d{2})$", r"\1:\2", str(value)), _Instant)
    return found
