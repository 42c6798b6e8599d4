"""Delivers again what was delivered: SQS may do so at any time, and so may a producer whose answer was lost.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues-at-least-once-delivery.html
"""

import json
import random
from collections.abc import Sequence
from typing import Any

from fanout.identity import new_id
from fanout_cli.stack.topology import Subscription
from tests.chaos.deployment import Deployment
from tests.chaos.workload import Due

# Small enough for a test, long enough that others overtake it.
_LONGEST_DELAY_SECONDS = 4
_BATCH = 10


def deliver_again(deployment: Deployment, dues: Sequence[Due], chance: random.Random, *, late: bool) -> int:
    """Put each event once more into the queue of each subscriber that reads raw events; return how many.

    late: in reverse order, and each after a delay of its own; a FIFO queue delays no single message.
    """
    subscriptions: dict[str, Subscription] = {
        each.subscriber: each
        for topic in deployment.application.topology.topics
        for each in topic.subscriptions
        if each.subscriber and each.protocol == "sqs" and each.raw
    }
    by_subscriber: dict[str, list[Due]] = {}
    for due in reversed(dues) if late else dues:
        if due.subscriber in subscriptions:
            by_subscriber.setdefault(due.subscriber, []).append(due)
    sqs = deployment.application.client("sqs")
    for name, again in by_subscriber.items():
        url = deployment.application.subscriber(name).queue_url
        for first in range(0, len(again), _BATCH):
            entries = [
                _entry(number, due, url, chance, late=late) for number, due in enumerate(again[first : first + _BATCH])
            ]
            answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
            assert not answer.get("Failed"), f"{name}: {answer['Failed']}"
    return sum(len(each) for each in by_subscriber.values())


def _entry(number: int, due: Due, url: str, chance: random.Random, *, late: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {"Id": str(number), "MessageBody": json.dumps(due.event, ensure_ascii=False)}
    if url.endswith(".fifo"):
        return entry | {"MessageGroupId": _group(due), "MessageDeduplicationId": new_id()}
    return entry | ({"DelaySeconds": chance.randrange(_LONGEST_DELAY_SECONDS + 1)} if late else {})


def _group(due: Due) -> str:
    """A group of its own: so the copy is not even held back by the original's group."""
    return f"again-{due.event_id}"[:128]
