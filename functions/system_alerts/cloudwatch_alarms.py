"""CloudWatch's notifications about its alarms, in AWS's own JSON.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
"""

import hashlib
import re
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

import msgspec

import settings
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
from fanout.event import Event
from fanout.failures import Discard, Reject

SOURCE = "urn:aws:cloudwatch"

_LONGEST_ID = 256
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
# "[CRITICAL]" anywhere in an alarm's description says how bad it is: CloudWatch itself knows no severity.
_SEVERITY = re.compile(rf"\s*\[({'|'.join(SEVERITIES)})\]\s*")


# The namespace in an alarm's Metrics Insights query: FROM SCHEMA("AWS/SQS", QueueName), FROM "AWS/SQS".
_QUERIED = re.compile(r"""\bFROM\s+(?:SCHEMA\(\s*)?"?([^"\s,)]+)""", re.IGNORECASE)


class _Query(msgspec.Struct, frozen=True):
    expression: str | None = msgspec.field(name="Expression", default=None)


class _Trigger(msgspec.Struct, frozen=True):
    namespace: str = msgspec.field(name="Namespace", default="")
    metrics: tuple[_Query, ...] | None = msgspec.field(name="Metrics", default=None)  # in place of a namespace

    def service(self) -> str:
        """Return the namespace of what the alarm watches, where it names one."""
        queried = (_QUERIED.search(each.expression or "") for each in self.metrics or ())
        return self.namespace or next((found[1] for found in queried if found), "CloudWatch")


class _Alarm(msgspec.Struct, rename="pascal"):
    alarm_name: str
    new_state_value: str
    state_change_time: str
    alarm_arn: str
    new_state_reason: str = ""
    alarm_description: str | None = None
    trigger: _Trigger = _Trigger()  # a composite alarm has none


_decoder = msgspec.json.Decoder(_Alarm)


def from_cloudwatch(notification: Notification) -> Event[Any] | None:
    """Return the alert that an alarm's change of state means; None if the notification is no alarm's.

    Its identity is the change itself, so that an alarm that notifies two topics alerts once. Raises Discard for what
    is neither good nor bad news and for the alarms of this very stack, Reject for what is not as AWS describes it.
    """
    text = notification.text.lstrip()
    if not (
        text.startswith("{") and '"AlarmName"' in text and '"NewStateValue"' in text and '"specversion"' not in text
    ):
        return None
    try:
        alarm = _decoder.decode(text)
        time = _instant(alarm.state_change_time)
    except (ValueError, RecursionError) as error:
        raise Reject(f"invalid-event: no alarm of CloudWatch: {error}") from None
    # What is wrong with the alerting cannot be told by it: its alarms go round in circles, or nowhere. The operator's
    # topic, which they were announced on, has other ways to a person.
    own = settings.alarms().own_stack
    if own and alarm.alarm_name.startswith(f"{own}-"):
        raise Discard("own-alarm: it is about this stack, which cannot be trusted to tell of it")
    if alarm.new_state_value not in {"ALARM", "OK"}:
        raise Discard(f"no-news: the alarm's state is {alarm.new_state_value[:40]!r}")
    contract = AlertRaised if alarm.new_state_value == "ALARM" else AlertResolved
    return Event.new(_alert(alarm, contract), source=SOURCE, id=_id(alarm), time=time)


def _alert(alarm: _Alarm, contract: type[AlertRaised] | type[AlertResolved]) -> AlertRaised | AlertResolved:
    described = " ".join((alarm.alarm_description or "").split())
    return contract(
        fingerprint=_short(alarm.alarm_arn, LONGEST_FINGERPRINT),
        service=alarm.trigger.service()[:LONGEST_LINE],
        severity=_severity(described),
        title=(_SEVERITY.sub(" ", described).strip() or alarm.alarm_name)[:LONGEST_LINE],
        description=f"{alarm.alarm_name}: {alarm.new_state_reason}"[:LONGEST_DESCRIPTION],
        runbook_url=_console(alarm),
    )


def _severity(description: str) -> Severity:
    found = _SEVERITY.search(description)
    named: list[Severity] = [each for each in SEVERITIES if found and each == found[1]]
    return named[0] if named else settings.alarms().alarm_severity


def _console(alarm: _Alarm) -> str | None:
    """Where a person looks at the alarm: the address that CloudWatch's own mails give."""
    parts = alarm.alarm_arn.split(":")
    if len(parts) < 7 or not re.fullmatch(r"[a-z0-9-]+", parts[3]):
        return None
    domain = {"aws-cn": "amazonaws.cn", "aws-us-gov": "amazonaws-us-gov.com"}.get(parts[1], "aws.amazon.com")
    page = f"cloudwatch/deeplink.js?region={parts[3]}#alarmsV2:alarm/{quote(alarm.alarm_name, safe='')}"
    url = f"https://{parts[3]}.console.{domain}/{page}"
    return url if len(url) <= 2000 else None


def _id(alarm: _Alarm) -> str:
    return _short(f"{alarm.alarm_arn}@{alarm.state_change_time}={alarm.new_state_value}", _LONGEST_ID)


def _short(text: str, longest: int) -> str:
    """The text, or if it is too long its digest."""
    return text if 0 < len(text) <= longest else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _instant(text: str) -> datetime:
    """CloudWatch writes the zone without a colon: 2026-11-22T14:05:30.123+0000."""
    found: datetime = msgspec.convert(re.sub(r"([+-]\d{2})(\d{2})$", r"\1:\2", text), _Instant)
    return found
