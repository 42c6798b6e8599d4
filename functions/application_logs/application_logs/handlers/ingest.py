"""Turns the lines of other functions' log groups into log entries: the target of CloudWatch Logs subscription filters.

CloudWatch Logs invokes it asynchronously. After an exception Lambda retries twice, then sends the payload to the
function's failure destination. Entries that were published before have the same ids the second time.
"""

from functools import cache
from typing import Any

from application_logs import cloudwatch_logs
from application_logs.settings import IngestSettings
from fanout import settings
from fanout.observability import logger
from fanout.publisher import Publisher


@cache
def _settings() -> IngestSettings:
    return settings.load(IngestSettings)


@cache
def _warn(log_group: str) -> None:
    """Warn once per process that a log group is refused. A warning per payload would feed the loop."""
    logger.warning(
        "refused: this log group is the application's own, so its entries would loop; remove its subscription filter",
        log_group=log_group,
    )


def handler(payload: dict[str, Any], _context: Any) -> dict[str, int]:
    """Publish the lines of one payload. Returns their number; 0 for a control message or a log group of our own.

    Raises ValueError if this is not a payload of CloudWatch Logs, PublishError if some lines could not be published.
    """
    batch = cloudwatch_logs.read(payload)
    if batch.messageType != "DATA_MESSAGE":
        return {"published": 0}
    if cloudwatch_logs.is_own(batch.logGroup, _settings().aws_lambda_log_group_name):
        _warn(batch.logGroup)
        return {"published": 0}
    events = cloudwatch_logs.entries(batch, _settings().aws_region)
    published = Publisher(_settings().application_logs_topic_arn, workers=4).publish(events)
    logger.info("ingested", log_group=batch.logGroup, entries=len(published))
    return {"published": len(published)}
