"""Logs and metrics, set up in one place. Handlers import `logger` and build none of their own.

Every subscriber leaves two kinds of line in its use case's log group: `received` before the work, one line for every
hundred records of a batch, so that a killed function still shows, and one `receipt` per event after it. `fanout trace`
reads both. They are written directly rather than through the Logger, which costs eight times what everything else about
a record costs.

What a person may not read in a log does not get there: a receipt carries the contract's filterable fields and no other
data, and an exception is reported by its type, its AWS code and the lines it came through, without its message.
"""

import os
import sys
import traceback
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

import msgspec

from fanout.aws import error_code

# Powertools imports botocore only to add its own name to the User-Agent header, and does without where there is none.
# Hidden from it, botocore is imported when a handler first needs a client, and not at every cold start.
_hide_botocore = "botocore" not in sys.modules
if _hide_botocore:
    sys.modules["botocore"] = None  # type: ignore[assignment]  # Python for "cannot be imported"
try:
    from aws_lambda_powertools import Logger, Metrics
    from aws_lambda_powertools.metrics import MetricUnit
finally:
    if _hide_botocore:
        del sys.modules["botocore"]

NAMESPACE = "Fanout"
"""The CloudWatch namespace of every metric the application emits itself."""

logger = Logger(service=os.environ.get("FANOUT_SUBSCRIBER"), utc=True, use_rfc3339=True)
_encode = msgspec.json.Encoder().encode
_LONGEST_TEXT = 1_000

RECORDS_PER_LINE = 100
"""Records in one `received` line. Lambda cuts a line above 256 KB, and what is left is not JSON; a record with the
longest ids takes less than 2 KB. https://github.com/newrelic/newrelic-lambda-layers/pull/350"""


class ReceivedRecord(msgspec.Struct):
    """One record of a batch, as a `received` line shows it."""

    event_id: str | None
    message_id: str
    attempt: int


class Received(msgspec.Struct, kw_only=True, tag_field="message", tag="received"):
    """A line that a subscriber writes before it works on a batch."""

    level: str = "INFO"
    timestamp: datetime
    subscriber: str
    request_id: str
    records: list[ReceivedRecord]


class Receipt(msgspec.Struct, kw_only=True, tag_field="message", tag="receipt"):
    """One subscriber's record of what became of one event."""

    level: str = "INFO"
    timestamp: datetime
    subscriber: str
    request_id: str
    event_id: str | None
    source: str | None
    type: str | None
    message_id: str
    attempt: int
    outcome: str
    reason: str | None
    published_at: datetime
    age_ms: int
    duration_ms: float
    fields: dict[str, Any]


def write(line: Received | Receipt) -> None:
    """Write one JSON line to standard output, which Lambda passes on to CloudWatch Logs as it is."""
    sys.stdout.write(_encode(line).decode() + "\n")
    sys.stdout.flush()


def excerpt(text: str) -> str:
    """Return the text, or its beginning if it is longer than anybody would read: what strangers send may be.

    An error that names a value quotes it whole, and a megabyte of it costs more to log than the event to handle.
    """
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


@cache
def _metrics(subscriber: str) -> Metrics:
    return Metrics(namespace=NAMESPACE, service=subscriber)


def count(subscriber: str, outcomes: Mapping[str, int], oldest_ms: int) -> None:
    """Emit one batch's metrics as one EMF line: a count per outcome that occurred, and the age of its oldest event.

    A metric costs $0.30 a month while it has data, so an outcome that did not occur is not counted as zero.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    metrics = _metrics(subscriber)
    for outcome, number in outcomes.items():
        if number:
            metrics.add_metric(name=outcome, unit=MetricUnit.Count, value=number)
    metrics.add_metric(name="age", unit=MetricUnit.Milliseconds, value=oldest_ms)
    metrics.flush_metrics()


def describe(error: BaseException) -> str:
    """Return what may be told about an exception: its type and AWS code. Its message may hold what a log may not.

    The code is also that of what the exception was raised about: libraries wrap AWS's errors in their own.
    """
    code = error_code(error) or (error_code(error.__context__) if error.__context__ else "")
    return f"{type(error).__name__} ({code})" if code else type(error).__name__


def log_failure(error: BaseException, event_id: str | None) -> None:
    """Log where an unforeseen exception came from: each frame of its traceback, without messages or values."""
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    logger.error("handler failed", error=describe(error), event_id=event_id, traceback=frames)
