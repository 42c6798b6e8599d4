"""Parses the payload of a CloudWatch Logs subscription, and converts its lines to log entries.

The payload: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
"""

import base64
import hashlib
import json
import zlib
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from application_logs.domain import log_lines
from fanout import Event, log_entry
from fanout.contracts.application_logs import LogEntry

# Every log group of a fanout application is the resource FanoutLogGroup of its stack, and CloudFormation puts the
# logical id into the generated name.
_OWN = "FanoutLogGroup"

# CloudWatch Logs sends about a megabyte of gzip at most; repetitive lines compress to a twentieth.
_MOST_BYTES = 32 * 1024 * 1024


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
    """Parse a payload. Raises ValueError with the reason if it is malformed."""
    try:
        packed = payload["awslogs"]["data"]
    except (KeyError, TypeError):
        raise ValueError("not a payload of CloudWatch Logs: it has no awslogs.data") from None
    try:
        content = _unzipped(base64.b64decode(packed, validate=True))
        try:
            return msgspec.json.decode(content, type=Batch)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:  # half a surrogate pair in one line must not affect the others
            return msgspec.convert(json.loads(content), type=Batch)
    except (ValueError, TypeError, RecursionError, zlib.error) as error:
        raise ValueError(f"not a payload of CloudWatch Logs: awslogs.data is not readable ({error})") from None


def _unzipped(packed: bytes) -> bytes:
    """Return the content of a gzip file. Its size is limited, because a kilobyte may expand to a megabyte."""
    unzipping = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    content = unzipping.decompress(packed, _MOST_BYTES)
    if unzipping.unconsumed_tail:
        raise ValueError(f"more than {_MOST_BYTES} bytes when unpacked")
    if not unzipping.eof:
        raise ValueError("it is truncated")
    return content


def is_own(log_group: str, functions_own: str) -> bool:
    """Return whether a log group belongs to a fanout application: by its name, or because this function logs there."""
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
    """Return the entry for a line. Its service, unless the line names one, is the end of the log group's name."""
    line = log_lines.read(text.rstrip("\n"))
    return log_entry.make(
        service=line.service or batch.logGroup.rstrip("/").rpartition("/")[2],  # /aws/lambda/checkout -> checkout
        level=line.level or "INFO",
        message=line.message,
        logger=line.logger,
        trace_id=line.trace_id,
        context={**line.fields, "log_group": batch.logGroup, "log_stream": batch.logStream},
    )
