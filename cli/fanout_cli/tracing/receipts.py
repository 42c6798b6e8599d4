"""Reads what the functions wrote to CloudWatch Logs about events, and folds it to one outcome per subscriber.

A subscriber writes `received` lines about a batch before it works, and one `receipt` line per event afterwards. A
function that was killed leaves the first without the second, so both count.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from fanout_cli.times import parse_time

# FilterLogEvents returns at most this many events a page.
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
_PAGE = 10_000

# A quoted term of a filter pattern is a literal; these characters need no escaping in it or in the JSON it is found in.
_PLAIN = re.compile(r"[A-Za-z0-9._:/+@=-]+")


@dataclass(frozen=True)
class Entry:
    """One line's word about one event: an attempt that began (outcome None) or what came of it."""

    subscriber: str
    event_id: str | None
    message_id: str | None
    attempt: int
    at: datetime
    outcome: str | None = None
    reason: str | None = None
    source: str | None = None
    type: str | None = None
    published_at: datetime | None = None
    age_ms: float | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Folded:
    """What all entries of one subscriber about one event say together."""

    outcome: str | None
    """None: an attempt began, and nothing says how it ended"""
    attempts: int
    reason: str | None
    at: datetime | None
    age_ms: float | None


def parse(line: str) -> list[Entry]:
    """Return the entries of one log line; none if the subscriber runtime did not write it."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return []
    if not isinstance(value, dict) or value.get("message") not in ("received", "receipt"):
        return []
    subscriber, at = value.get("subscriber"), parse_time(value.get("timestamp"))
    if not isinstance(subscriber, str) or at is None:
        return []
    if value["message"] == "received":
        records = value.get("records")
        return [
            Entry(
                subscriber, _text(each.get("event_id")), _text(each.get("message_id")), _count(each.get("attempt")), at
            )
            for each in (records if isinstance(records, list) else [])
            if isinstance(each, dict)
        ]
    age, fields = value.get("age_ms"), value.get("fields")
    return [
        Entry(
            subscriber=subscriber,
            event_id=_text(value.get("event_id")),
            message_id=_text(value.get("message_id")),
            attempt=_count(value.get("attempt")),
            at=at,
            outcome=_text(value.get("outcome")),
            reason=_text(value.get("reason")) or None,
            source=_text(value.get("source")),
            type=_text(value.get("type")),
            published_at=parse_time(value.get("published_at")),
            age_ms=age if isinstance(age, int | float) else None,
            fields=fields if isinstance(fields, dict) else {},
        )
    ]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 1


class Reader:
    """Reads entries from the log groups of the subscribers."""

    def __init__(self, client: Callable[[str], Any], log_groups: Iterable[str]) -> None:
        self._logs = client("logs")
        self._log_groups = sorted(set(log_groups))

    def about(self, key: str, since: datetime | None) -> list[Entry]:
        """Return the entries whose event id or message id is `key`, written at or after `since` (None: ever)."""
        longest = max(_PLAIN.findall(key), key=len, default="")
        found = self._read(f'"{longest}"' if longest else "", since)
        return [entry for entry in found if key in (entry.event_id, entry.message_id)]

    def all(self, since: datetime | None) -> list[Entry]:
        """Return every entry written at or after `since`. One pass instead of one per event, where many are wanted."""
        return self._read("", since)

    def _read(self, pattern: str, since: datetime | None) -> list[Entry]:
        if not self._log_groups:
            return []
        with ThreadPoolExecutor(len(self._log_groups)) as pool:
            groups = pool.map(lambda group: list(_lines(self._logs, group, pattern, since)), self._log_groups)
            return [entry for lines in groups for line in lines for entry in parse(line)]


def _lines(logs: Any, group: str, pattern: str, since: datetime | None) -> Iterator[str]:
    """Yield the group's lines that match, oldest first, each once.

    After a full page without a token the next request starts at its last timestamp: the local engine gives no tokens.
    """
    start = int(since.timestamp() * 1000) if since else 0
    seen: set[str] = set()
    request: dict[str, Any] = {"logGroupName": group, "startTime": start}
    if pattern:
        request["filterPattern"] = pattern
    while True:
        try:
            page = logs.filter_log_events(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return  # no function of this group has run yet
            raise
        events: Sequence[Mapping[str, Any]] = page["events"]
        fresh = [event for event in events if _identity(event) not in seen]
        for event in fresh:
            seen.add(_identity(event))
            yield event["message"]
        token = page.get("nextToken")
        if token:
            request["nextToken"] = token
        elif len(events) >= _PAGE and fresh:
            request.pop("nextToken", None)
            request["startTime"] = events[-1]["timestamp"]
        else:
            return


def _identity(event: Mapping[str, Any]) -> str:
    """Return what identifies a line. The local engine gives lines no ids; ours differ in their timestamps."""
    return event.get("eventId") or f"{event.get('logStreamName')} {event['timestamp']} {event['message']}"


def fold(entries: Iterable[Entry], *, direct: bool = False) -> Folded:
    """Return the one outcome that a subscriber's entries about one event add up to.

    An effect is never undone, so `processed` wins, then `duplicate` (the effect of an attempt that was
    killed before its receipt); otherwise the latest receipt decides. direct: SNS invokes the function, and Lambda
    repeats a killed invocation under the same attempt number, so beginnings are counted.
    """
    ordered = sorted(entries, key=lambda entry: entry.at)
    receipts = [entry for entry in ordered if entry.outcome is not None]
    best = next((entry for wanted in ("processed", "duplicate") for entry in receipts if entry.outcome == wanted), None)
    final = best or (receipts[-1] if receipts else None)
    counted = [entry for entry in ordered if final is None or best is None or entry.at <= final.at]
    attempts = max((entry.attempt for entry in counted), default=0)
    if direct:
        attempts = max(attempts, _beginnings(counted))
    if final is None:
        return Folded(None, attempts, None, None, None)
    return Folded(final.outcome, attempts, final.reason, final.at, final.age_ms)


def _beginnings(entries: Iterable[Entry]) -> int:
    counts: dict[str | None, int] = {}
    for entry in entries:
        if entry.outcome is None:
            counts[entry.message_id] = counts.get(entry.message_id, 0) + 1
    return max(counts.values(), default=0)
