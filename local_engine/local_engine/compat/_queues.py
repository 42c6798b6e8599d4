"""Deliver to a queue as an AWS service does."""

import hashlib
import json
import time
from typing import Any

from ministack.core.concurrency import esm_wake
from ministack.core.responses import new_uuid
from ministack.services import sqs

Queue = dict[str, Any]
Attributes = dict[str, dict[str, Any]]


def sources(arn: str) -> list[str]:
    """Return the URLs of the queues whose RedrivePolicy names a queue as their dead-letter queue."""
    policies = {url: json.loads(queue["attributes"].get("RedrivePolicy") or "{}") for url, queue in sqs._queues.items()}
    return [url for url, policy in policies.items() if policy.get("deadLetterTargetArn") == arn]


def deliver(queue: Queue, body: str, attributes: Attributes | None = None, **fields: Any) -> None:
    """Append a message. fields: what a FIFO queue needs (group_id, dedup_id)."""
    now = time.time()
    message = {
        "id": new_uuid(),
        "body": body,
        "md5_body": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "message_attributes": dict(attributes or {}),
        "md5_attrs": sqs._md5_msg_attrs(attributes or {}),
        "sent_at": now,
        "visible_at": now + sqs.queue_delay(queue),
        **fields,
    }
    sqs._ensure_msg_fields(message)
    with sqs._queues_lock:
        if queue["is_fifo"]:
            queue["fifo_seq"] = queue.get("fifo_seq", 0) + 1
            message["seq"] = str(queue["fifo_seq"]).zfill(20)
        queue["messages"].append(message)
    esm_wake.set()
