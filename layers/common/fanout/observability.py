"""Logger and metrics, configured once. Handlers import `logger` and create none of their own.

Personal data is never logged: an exception is reported by its type, its AWS code and the lines of its traceback,
without its message. The lines about each event are in `fanout.receipts`.
"""

import os
import sys
import traceback
from collections.abc import Mapping
from functools import cache

from fanout.aws import error_code

# Powertools imports botocore only to add its own name to the User-Agent header, and does without where there is none.
# With botocore hidden, it is imported when a handler first needs a client, and not at every cold start.
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
"""The CloudWatch namespace of every metric that the application emits itself."""

logger = Logger(service=os.environ.get("FANOUT_SUBSCRIBER"), utc=True, use_rfc3339=True)


@cache
def _metrics(subscriber: str) -> Metrics:
    return Metrics(namespace=NAMESPACE, service=subscriber)


def count(subscriber: str, outcomes: Mapping[str, int], oldest_ms: int) -> None:
    """Emit one batch's metrics as one EMF line: a count per outcome that occurred, and the age of the oldest event.

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
    """Return what may be logged of an exception: its type and AWS code. Its message may hold personal data.

    The code may also come from the exception's context: libraries wrap AWS's errors in their own.
    """
    code = error_code(error) or (error_code(error.__context__) if error.__context__ else "")
    return f"{type(error).__name__} ({code})" if code else type(error).__name__


def log_failure(error: BaseException, event_id: str | None) -> None:
    """Log where an unexpected exception was raised: each frame of its traceback, without messages or values."""
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    logger.error("handler failed", error=describe(error), event_id=event_id, traceback=frames)
