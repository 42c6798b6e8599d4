"""What CloudWatch Logs refuses of log groups' subscriptions, of events and of queries.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutSubscriptionFilter.html
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/logs/cloudwatch_limits_cwl.html
"""

import itertools

from ministack.services import cloudwatch_logs

from local_engine.strictness._refusing import Data, Refused, before

_BATCH_LIMIT, _EVENT_OVERHEAD = 1_048_576, 26
_DAY = 24 * 60 * 60 * 1000
_VENDORS = ("firehose", "kinesis", "lambda", "logs")


def apply() -> None:
    """Validate subscriptions and events that come over the API. Functions' own lines do not pass here."""
    before(cloudwatch_logs, "_put_log_events", _validate_events)
    before(cloudwatch_logs, "_put_subscription_filter", _validate_subscription)


def _validate_events(data: Data) -> None:
    events = data["logEvents"]
    times = [event["timestamp"] for event in events]
    if any(later < earlier for earlier, later in itertools.pairwise(times)):
        raise _invalid("Log events in a single PutLogEvents request must be in chronological order.")
    if times[-1] - times[0] > _DAY:
        raise _invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
    if sum(len(event["message"].encode()) + _EVENT_OVERHEAD for event in events) > _BATCH_LIMIT:
        raise _invalid("Upload too large: a batch of log events has 1,048,576 bytes at most.")


def _validate_subscription(data: Data) -> None:
    vendor = data["destinationArn"].split(":")[2]
    if vendor not in _VENDORS:
        raise _invalid(f"PutSubscriptionFilter operation cannot work with destinationArn for vendor {vendor}")
    if vendor in ("firehose", "kinesis") and not data.get("roleArn"):
        raise _invalid(f"destinationArn for vendor {vendor} cannot be used without roleArn")
    group = cloudwatch_logs._log_groups.get(data["logGroupName"]) or {}
    others = set(group.get("subscriptionFilters") or {}) - {data["filterName"]}
    if len(others) >= 2:
        raise Refused("LimitExceededException", "Resource limit exceeded.")


def _invalid(message: str) -> Refused:
    return Refused("InvalidParameterException", message)
