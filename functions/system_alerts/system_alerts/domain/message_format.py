"""Subject, body, mail and SMS of each notification, and how they are shortened for a channel.

A body ends with a paragraph that is kept when the rest is cut: the facts about an alert, or the alerts of a summary.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from fanout import Event
from fanout.contracts.system_alerts import LONGEST_LINE, AlertNotification, Severity
from fanout.publisher import Presentation
from system_alerts.domain.text_length import Cost, cut, cut_to_sms, measure

# SNS takes subjects of less than 100 characters: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
_LONGEST_MAIL_SUBJECT = 99
# SNS puts the topic's DisplayName, in capitals, in front of each SMS:
# https://docs.aws.amazon.com/sns/latest/dg/sms_sending-overview.html
_SMS_PREFIX = "ALERTS> "
_MOST_LISTED = 25
_FACTS = ("Severity", "Since", "Until", "Alerts", "Runbook", "Alert")
_FACT = re.compile(rf"(?:{'|'.join(_FACTS)}): +\S.*")
_MORE = re.compile(r"and ([\d,]+) more")


class SummaryLine(msgspec.Struct, frozen=True, kw_only=True):
    """One alert of a summary."""

    severity: Severity
    service: str
    title: str
    alerts: int
    status: str
    """Open or resolved at the time the summary was written."""
    is_suppressed: bool


def rfc3339(moment: datetime | int) -> str:
    """Return a time, or a Unix time in seconds, in RFC 3339, in UTC."""
    found = datetime.fromtimestamp(moment, UTC) if isinstance(moment, int) else moment.astimezone(UTC)
    return found.isoformat().replace("+00:00", "Z")


def subject(kind: str, severity: Severity, service: str, title: str) -> str:
    """Return the subject: severity, what has changed, service and title."""
    change = {"opened": "", "repeated": "Still open: ", "escalated": "Worse: ", "resolved": ""}[kind]
    mark = "RESOLVED" if kind == "resolved" else severity
    about = title if title.startswith(service) else f"{service}: {title}"
    return _line(f"[{mark}] {change}{about}", LONGEST_LINE)


def body(
    *,
    description: str,
    since: str,
    until: str | None,
    alerts: int,
    severity: Severity,
    runbook_url: str | None,
    fingerprint: str,
) -> str:
    """Return the body of a message about one alert: its description, then the facts, each on a line with a label."""
    values = (severity, since, until, f"{alerts:,}", runbook_url, fingerprint)
    facts = [(label, " ".join((value or "").split())) for label, value in zip(_FACTS, values, strict=True)]
    listed = "\n".join(f"{label + ':':<10}{value}" for label, value in facts if value)
    return f"{description.strip()}\n\n{listed}" if description.strip() else listed


def summary(*, start: str, end: str, alerts: int, lines: Sequence[SummaryLine]) -> tuple[str, str]:
    """Return subject and text of a storm's summary. lines: the worst first."""
    suppressed = sum(line.is_suppressed for line in lines)
    subject = f"[STORM] {alerts:,} alerts about {len(lines):,} troubles between {start} and {end}"
    rows = [
        f"{line.severity:<9}{line.alerts:>6,} x  {_line(line.service, 60)}: {_line(line.title, 120)} ({line.status}"
        f"{', no message of its own' if line.is_suppressed else ''})"
        for line in lines[:_MOST_LISTED]
    ]
    if len(lines) > _MOST_LISTED:
        rows.append(_more(len(lines) - _MOST_LISTED))
    sent = f"{suppressed:,} of them got no message of their own." if suppressed else "Each of them got a message."
    return _line(subject, LONGEST_LINE), f"{sent}\n\n" + "\n".join(rows)


def shorten(notification: AlertNotification, room: int, cost: Cost) -> str:
    """Return the notification's body, cut to what costs at most `room`.

    A summary loses whole lines from its end, and states how many. In any other notification the description is cut
    first, then the facts that do not fit are left out.
    """
    text = notification.text
    if measure(text, cost) <= room:
        return text
    body, _, last = text.rpartition("\n\n")
    lines = last.split("\n")
    if notification.kind == "summary":
        return _shorten_summary(body, lines, room, cost)
    if not all(map(_FACT.fullmatch, lines)):
        return cut(text, room, cost)
    facts = _fitting(lines, room, cost)
    body = cut(body, room - measure(f"{facts}\n\n", cost), cost)
    return f"{body}\n\n{facts}" if body and facts else body or facts


def _shorten_summary(introduction: str, rows: list[str], room: int, cost: Cost) -> str:
    missing = 0
    if more := _MORE.fullmatch(rows[-1]):
        missing = int(more[1].replace(",", ""))
        rows = rows[:-1]
    for kept in range(len(rows), -1, -1):
        text = "\n".join([f"{introduction}\n", *rows[:kept], _more(missing + len(rows) - kept)])
        if measure(text, cost) <= room:
            return text
    return cut(_more(missing + len(rows)), room, cost)


def _fitting(lines: list[str], room: int, cost: Cost) -> str:
    """Return the lines that fit, in order. A line that is too long is skipped, and shorter ones after it are kept."""
    kept: list[str] = []
    for line in lines:
        if measure("\n".join([*kept, line]), cost) <= room:
            kept.append(line)
    return "\n".join(kept)


def _more(number: int) -> str:
    return f"and {number:,} more"


def present(event: Event[Any]) -> Presentation:
    """Return the mail and the SMS of a notification, and the attributes that subscription filters match.

    An SMS is one segment, because each further segment is charged as a message.
    """
    notification: AlertNotification = event.data
    short = cut_to_sms(" ".join(notification.subject.split()), _SMS_PREFIX)
    with_link = f"{short} {notification.runbook_url}" if notification.runbook_url else short
    return Presentation(
        subject=cut(notification.subject, _LONGEST_MAIL_SUBJECT),
        texts={
            "email": f"{notification.subject}\n\n{notification.text}\n",
            "sms": with_link if cut_to_sms(with_link, _SMS_PREFIX) == with_link else short,
        },
        attributes={"type": event.type, "kind": notification.kind, "severity": notification.severity},
    )


def _line(text: str, longest: int) -> str:
    """Return the text on one line, cut to `longest` characters."""
    return cut(" ".join(text.split()), longest)
