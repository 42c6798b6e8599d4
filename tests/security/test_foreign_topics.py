"""A topic that is not the subscriber's own is subscribed to everything: queues and functions let nothing of it in."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.integration.application import Application
from tests.security.principals import Deployed
from tests.waiting import until


@pytest.fixture(scope="module")
def deployed(application: Application) -> Deployed:
    return Deployed.of(application)


class Foreign:
    """A foreign topic in the account, with a queue for undeliverable messages."""

    def __init__(self, application: Application, *, fifo: bool) -> None:
        self.sns, self.sqs = application.client("sns"), application.client("sqs")
        suffix, attributes = (".fifo", {"FifoTopic": "true"}) if fifo else ("", {})
        name = f"foreign-{uuid.uuid4()}"
        self.fifo = fifo
        self.topic = self.sns.create_topic(Name=name + suffix, Attributes=attributes)["TopicArn"]
        self.own, self.own_arn = self._queue(f"own-{name}{suffix}")
        self.refused, self.refused_arn = self._queue(f"refused-{name}{suffix}")

    def _queue(self, name: str) -> tuple[str, str]:
        """A queue whose policy lets the topic in."""
        url = self.sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if self.fifo else {})["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": self.topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        return url, arn

    def subscribe(self, name: str, protocol: str, endpoint: str) -> None:
        """Subscribe an endpoint to what is published under a name; what it does not take goes to the other queue."""
        attributes = {
            "RedrivePolicy": json.dumps({"deadLetterTargetArn": self.refused_arn}),
            "FilterPolicy": json.dumps({"to": [name]}),
        }
        self.sns.subscribe(TopicArn=self.topic, Protocol=protocol, Endpoint=endpoint, Attributes=attributes)

    def publish(self, name: str) -> None:
        """Publish an event for the endpoint that is subscribed under a name."""
        event = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": "urn:example:foreign", "type": name}
        group = {"MessageGroupId": name, "MessageDeduplicationId": event["id"]} if self.fifo else {}
        attributes = {"to": {"DataType": "String", "StringValue": name}}
        self.sns.publish(TopicArn=self.topic, Message=json.dumps(event), MessageAttributes=attributes, **group)

    def take(self, queue: str) -> list[str]:
        """Take what is in a queue; return the names that it was published under."""
        found: list[dict[str, Any]] = self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get(
            "Messages", []
        )
        for message in found:
            self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(json.loads(message["Body"])["Message"])["type"] for message in found]

    def close(self) -> None:
        """Delete all of it."""
        self.sns.delete_topic(TopicArn=self.topic)
        self.sqs.delete_queue(QueueUrl=self.own)
        self.sqs.delete_queue(QueueUrl=self.refused)


@contextmanager
def foreign_topic(application: Application, *, fifo: bool = False) -> Iterator[Foreign]:
    made = Foreign(application, fifo=fifo)
    try:
        yield made
    finally:
        made.close()


def let_in(topic: Foreign, endpoints: dict[str, tuple[str, str]]) -> list[str]:
    """Subscribe each endpoint to the topic and publish to it; return those that did not refuse what came."""
    for name, (protocol, endpoint) in {**endpoints, "own": ("sqs", topic.own_arn)}.items():
        topic.subscribe(name, protocol, endpoint)
        topic.publish(name)
    until(lambda: topic.take(topic.own), "the event for the topic's own queue, without which this would prove nothing")
    left = set(endpoints)

    def all_were_refused() -> bool:
        left.difference_update(topic.take(topic.refused))
        return not left

    try:
        until(all_were_refused, "every endpoint's refusal", seconds=30)
    except AssertionError:
        return sorted(left)
    return []


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_no_queue_of_the_application_accepts_messages_from_a_foreign_topic(deployed: Deployed, fifo: bool) -> None:
    urls = {path: url for path, url in deployed.of_type("SQS::Queue").items() if url.endswith(".fifo") == fifo}
    sqs = deployed.application.client("sqs")
    queues = {
        path: ("sqs", sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])
        for path, url in urls.items()
    }
    assert queues
    with foreign_topic(deployed.application, fifo=fifo) as topic:
        assert let_in(topic, queues) == []


def test_no_function_of_the_application_is_invoked_by_a_foreign_topic(deployed: Deployed) -> None:
    client = deployed.application.client("lambda")
    functions = {
        path: ("lambda", client.get_function_configuration(FunctionName=name)["FunctionArn"])
        for path, name in deployed.of_type("Lambda::Function").items()
    }
    with foreign_topic(deployed.application) as topic:
        assert functions
        assert let_in(topic, functions) == []
