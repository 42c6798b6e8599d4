"""Checks the queues that take what no subscriber takes."""

import json
import time
from collections.abc import Callable
from typing import Any

from fanout import identity
from fanout_cli.demo.definition import Check
from fanout_cli.publishing.event_publisher import SOURCE
from fanout_cli.stack.topology import Subscription, Topic, Topology

_TIMEOUT_SECONDS = 15.0
_TYPE = "fanout.demo.unrouted.v1"


def check_unrouted(client: Callable[[str], Any], topology: Topology) -> list[tuple[str, Check]]:
    """Publish an unhandled event to every topic with such a queue; return (use case, check) for each."""
    return [
        (topic.use_case, _check(client, topic, subscription))
        for topic in topology.topics
        for subscription in topic.subscriptions
        if subscription.protocol == "sqs" and subscription.subscriber is None and subscription.filter_policy
    ]


def _check(client: Callable[[str], Any], topic: Topic, subscription: Subscription) -> Check:
    what = f"an event of an unknown type on {topic.name} lands in the queue {subscription.endpoint.split(':')[-1]}"
    event = {"specversion": "1.0", "id": identity.new_id(), "source": SOURCE, "type": _TYPE, "data": {}}
    client("sns").publish(TopicArn=topic.arn, Message=json.dumps(event))
    sqs = client("sqs")
    url = _url(sqs, subscription.endpoint)
    found = _take(sqs, url, event["id"])
    return Check(what, f"the queue got {event['id']}" if found else "")


def _take(sqs: Any, url: str, event_id: Any) -> bool:
    """Wait for our event, take it out, and leave everything else where and as it was."""
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    others: list[str] = []
    try:
        while time.monotonic() < deadline:
            answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, VisibilityTimeout=30)
            for message in answer.get("Messages", []):
                if event_id in message["Body"]:
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                    return True
                others.append(message["ReceiptHandle"])
        return False
    finally:
        for handle in others:
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)


def _url(sqs: Any, arn: str) -> str:
    account, name = arn.split(":")[4:6]
    return str(sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"])
