"""What CloudWatch Logs sends to a subscription's target, and the log entries that its lines stand for.

The payload: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
Lambda's own lines: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
"""

import base64
import hashlib
import re
import zlib
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from fanout import log_entry
from fanout.contracts.application_logs import Level, LogEntry
from fanout.event import Event

# Every log group of a fanout application is the resource FanoutLogGroup of its stack, and CloudFormation puts that into
# the generated name.
_OWN = "FanoutLogGroup"

_FIELDS = {
    "level": ("level", "log.level", "severity", "levelname", "lvl"),
    "message": ("message", "msg", "errorMessage"),
    "logger": ("logger", "logger_name", "log.logger"),
    "trace_id": ("trace_id", "traceId", "xray_trace_id", "otelTraceID", "trace.id"),
    "service": ("service", "service.name", "serviceName"),
}
# pino and bunyan write levels as numbers, on a scale of their own.
_NUMBERED: dict[int, Level] = {10: "DEBUG", 20: "DEBUG", 30: "INFO", 40: "WARNING", 50: "ERROR", 60: "CRITICAL"}

# CloudWatch Logs packs at most a megabyte or so; lines that repeat themselves become a twentieth.
_MOST_BYTES = 32 * 1024 * 1024

_REQUEST = r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
_PYTHON = re.compile(rf"\[([A-Z]+)\]\t{_TIME}\t{_REQUEST}\t")
_NODE = re.compile(rf"{_TIME}\t{_REQUEST}\t([A-Z]+)\t")
_FAILED = re.compile(rf"(?:{_TIME} )?(?:RequestId: )?{_REQUEST} (?:Task timed out after|Error: )")
_LOGFMT = re.compile(r'\b(?:level|lvl|severity)="?(\w+)')


class LogEvent(msgspec.Struct):
    """One line."""

    id: str
    timestamp: int
    """Milliseconds since 1970."""
    message: str


class Batch(msgspec.Struct):
    """One payload: lines of one log stream."""

    messageType: Literal["DATA_MESSAGE", "CONTROL_MESSAGE"]  # noqa: N815 - CloudWatch's names
    owner: str
    logGroup: str  # noqa: N815
    logStream: str  # noqa: N815
    logEvents: list[LogEvent]  # noqa: N815


def read(payload: dict[str, Any]) -> Batch:
    """Return what a payload holds. Raises ValueError saying what is wrong with it."""
    try:
        packed = payload["awslogs"]["data"]
    except (KeyError, TypeError):
        raise ValueError("no payload of CloudWatch Logs: it has no awslogs.data") from None
    try:
        return msgspec.json.decode(_unzipped(base64.b64decode(packed, validate=True)), type=Batch)
    except (ValueError, TypeError, RecursionError, zlib.error) as error:
        raise ValueError(f"no payload of CloudWatch Logs: awslogs.data is not readable ({error})") from None


def _unzipped(packed: bytes) -> bytes:
    """The content of a gzip file; a kilobyte of it can stand for a megabyte, and memory ends somewhere."""
    unzipping = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    content = unzipping.decompress(packed, _MOST_BYTES)
    if unzipping.unconsumed_tail:
        raise ValueError(f"more than {_MOST_BYTES} bytes when unpacked")
    if not unzipping.eof:
        raise ValueError("it is cut off")
    return content


def is_own(log_group: str, functions_own: str) -> bool:
    """Tell whether a log group belongs to a fanout application: by its name, or because this function logs there."""
    return _OWN in log_group or log_group == functions_own


def entries(batch: Batch, region: str) -> list[Event[LogEntry]]:
    """Return a batch's lines as events. The same line gives the same (source, id) whenever it is delivered."""
    source = f"arn:aws:logs:{region}:{batch.owner}:log-group:{batch.logGroup}"
    if len(source) > 512:
        source = f"urn:sha256:{hashlib.sha256(source.encode()).hexdigest()}"
    return [
        Event.new(
            entry(line.message, batch),
            source=source,
            id=line.id,
            time=datetime.fromtimestamp(line.timestamp / 1000, UTC),
        )
        for line in batch.logEvents
    ]


def entry(text: str, batch: Batch) -> LogEntry:
    """Return the entry that a line stands for: JSON as its fields say, plain text as far as it can be told."""
    text = text.rstrip("\n")
    place = {"log_group": batch.logGroup, "log_stream": batch.logStream}
    fields = _json(text)
    if fields is None:
        level, message, found = _from_text(text)
        return log_entry.make(service=_service(batch), level=level, message=message, context={**found, **place})
    taken = {name: _take(fields, keys) for name, keys in _FIELDS.items()}
    message, service, trace_id = taken["message"], taken["service"], taken["trace_id"]
    if message is None:
        message = fields["type"] if str(fields.get("type")).startswith("platform.") else text
    return log_entry.make(
        service=service if _names_a_service(service) else _service(batch),
        level=_level(taken["level"]) or _platform_level(fields),
        message=message if isinstance(message, str) else msgspec.json.encode(message).decode(),
        logger=str(taken["logger"] or ""),
        trace_id=str(trace_id) if trace_id else None,
        context={**fields, **place},
    )


def _json(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        found = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _take(fields: dict[str, Any], keys: tuple[str, ...]) -> Any:
    """Remove and return the first of these fields that is there."""
    return next((fields.pop(key) for key in keys if fields.get(key) is not None), None)


def _level(value: Any) -> Level | None:
    if isinstance(value, str):
        return log_entry.level_named(value)
    return _NUMBERED.get(value) if isinstance(value, int) else None


def _platform_level(fields: dict[str, Any]) -> Level:
    """Lambda's report on an invocation is the one place where a time-out or a crash shows."""
    record = fields.get("record")
    failed = isinstance(record, dict) and record.get("status") in {"timeout", "error", "failure"}
    return "ERROR" if failed and fields.get("type") == "platform.report" else "INFO"


def _names_a_service(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value != "service_undefined"  # Powertools' default


def _service(batch: Batch) -> str:
    """/aws/lambda/checkout -> checkout"""
    return batch.logGroup.rstrip("/").rpartition("/")[2]


def _from_text(text: str) -> tuple[Level, str, dict[str, str]]:
    """Level, message, and what else a line of plain text tells."""
    if python := _PYTHON.match(text):
        return log_entry.level_named(python[1]) or "INFO", text[python.end() :], {"request_id": python[2]}
    if node := _NODE.match(text):
        return log_entry.level_named(node[2]) or "INFO", text[node.end() :], {"request_id": node[1]}
    if failed := _FAILED.match(text):
        return "ERROR", text, {"request_id": failed[1]}
    return _level_of_text(text[:1_000]) or "INFO", text, {}


def _level_of_text(text: str) -> Level | None:
    """The level that a line names: `level=warn` anywhere, or one of its first words in capitals, `[ERROR]`, `WARN:`."""
    if (named := _LOGFMT.search(text)) and (level := log_entry.level_named(named[1])):
        return level
    words = (word.strip("[]()<>|:,-") for word in text.split(maxsplit=5)[:5])
    return next((level for word in words if word.isupper() and (level := log_entry.level_named(word))), None)
