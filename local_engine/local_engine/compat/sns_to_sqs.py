"""SNS forgets what it cannot deliver to a queue.

Symptom: a message for a queue that is missing, or whose policy does not let the topic in, is gone, even
if the subscription has a dead-letter queue; raw delivery sends eleven attributes, which SQS refuses; what a
FIFO topic delivers has no SequenceNumber; the Timestamp of a notification has whole seconds.
Cause: `sns._deliver_to_sqs` logs and returns, and does not count attributes; `_build_envelope` formats the time
without milliseconds.
Patch: undeliverable messages go to the queue of the subscription's RedrivePolicy, if that queue's policy
lets the topic in, with the attributes that AWS adds.
It can go when upstream honours RedrivePolicy.
"""

import json
import re
import time
from typing import Any

from ministack.core.arn import parse_arn
from ministack.services import sns, sqs

from local_engine.compat import _queues

# https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
_MAX_RAW_ATTRIBUTES = 10
_WHOLE_SECONDS = re.compile(r'("Timestamp": "[^"]*)\.000Z"')


def apply() -> None:
    """Replace the delivery from a topic to a queue."""
    sns._deliver_to_sqs = _deliver
    original = sns._build_envelope

    def build_envelope(*arguments: Any) -> str:
        envelope: str = original(*arguments)
        raw = arguments[-1]
        milliseconds = f"{int(time.time() * 1000) % 1000:03d}"
        return envelope if raw else _WHOLE_SECONDS.sub(rf'\g<1>.{milliseconds}Z"', envelope, count=1)

    sns._build_envelope = build_envelope


def redrive(topic: str, subscription: str, body: str, attributes: _queues.Attributes, why: str) -> None:
    """Put a message that could not be delivered in the dead-letter queue of its subscription."""
    found = sns._find_subscription(topic, subscription)
    policy = json.loads(((found or {}).get("attributes") or {}).get("RedrivePolicy") or "{}")
    target = policy.get("deadLetterTargetArn")
    if not target:
        sns.logger.error("%s cannot deliver to %s: %s; the message is lost", topic, subscription, why)
        return
    queue = sqs._queue_by_arn(target)
    if queue is None or not _may_send(target, topic):
        sns.logger.error(
            "%s cannot deliver to %s: %s; nor to its dead-letter queue; the message is lost",
            topic,
            subscription,
            why,
        )
        return
    sns.logger.warning("%s cannot deliver to %s: %s; it goes to %s", topic, subscription, why, target)
    _queues.deliver(queue, body, attributes)


def _deliver(  # noqa: PLR0917 - upstream's signature
    endpoint: str,
    envelope: str,
    raw: bool,
    raw_message: str,
    message_group_id: str = "",
    message_dedup_id: str = "",
    message_attributes: _queues.Attributes | None = None,
    topic_arn: str = "",
) -> None:
    body = raw_message if raw else envelope
    attributes = dict(message_attributes or {}) if raw else {}
    queue = sqs._queue_by_arn(endpoint)
    if queue is None:
        redrive(topic_arn, _subscription(topic_arn, endpoint), body, attributes, "the queue does not exist")
    elif not _may_send(endpoint, topic_arn):
        why = "the queue's policy does not allow it"
        redrive(topic_arn, _subscription(topic_arn, endpoint), body, attributes, why)
    elif len(attributes) > _MAX_RAW_ATTRIBUTES:
        # The dead-letter queue is a queue, too: it cannot take them either.
        why = f"raw delivery allows {_MAX_RAW_ATTRIBUTES} message attributes"
        redrive(topic_arn, _subscription(topic_arn, endpoint), body, {}, why)
    else:
        fifo = {"group_id": message_group_id or None, "dedup_id": message_dedup_id or None}
        _queues.deliver(queue, body, attributes, **fifo)


def _may_send(queue: str, topic: str) -> bool:
    account = parse_arn(topic).account_id
    return bool(sqs.queue_policy_allows(queue, "sns.amazonaws.com", topic, account))


def _subscription(topic: str, endpoint: str) -> str:
    subscriptions = (sns._topic_by_arn_any_scope(topic) or {}).get("subscriptions", [])
    found = (one["arn"] for one in subscriptions if one["protocol"] == "sqs" and one["endpoint"] == endpoint)
    return str(next(found, ""))
