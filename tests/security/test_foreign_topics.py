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
    """A topic of somebody else in the account, with a queue that takes what could not be delivered."""

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

    def subscribe(self, protocol: str, endpoint: str) -> str:
        """Subscribe an endpoint; what it does not take goes to the queue of what was refused."""
        return str(
            self.sns.subscribe(
                TopicArn=self.topic,
                Protocol=protocol,
                Endpoint=endpoint,
                Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": self.refused_arn})},
                ReturnSubscriptionArn=True,
            )["SubscriptionArn"]
        )

    def publish(self) -> None:
        """Publish an ordinary event."""
        event = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": "urn:example:foreign", "type": "foreign.v1"}
        group = {"MessageGroupId": "g", "MessageDeduplicationId": event["id"]} if self.fifo else {}
        self.sns.publish(TopicArn=self.topic, Message=json.dumps(event), **group)

    def take(self, queue: str) -> list[str]:
        """Take what is in a queue: the ARNs of the subscriptions that the messages were for."""
        found: list[dict[str, Any]] = self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get(
            "Messages", []
        )
        for message in found:
            self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"])["UnsubscribeURL"].partition("SubscriptionArn=")[2] for message in found]

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
    """Subscribe the topic to everything and publish once; return which endpoints did not refuse what came."""
    left = {topic.subscribe(protocol, endpoint): path for path, (protocol, endpoint) in endpoints.items()}
    topic.subscribe("sqs", topic.own_arn)
    topic.publish()
    until(lambda: topic.take(topic.own), "the topic's copy for its own queue, without which this would prove nothing")

    def all_were_refused() -> bool:
        for subscription in topic.take(topic.refused):
            left.pop(subscription)
        return not left

    try:
        until(all_were_refused, "every endpoint's refusal", seconds=30)
    except AssertionError:
        return sorted(left.values())
    return []


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
def test_no_queue_of_the_application_takes_anything_from_a_foreign_topic(deployed: Deployed, fifo: bool) -> None:
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
    functions = {
        path: ("lambda", deployed.application.client("lambda").get_alias(FunctionName=name, Name="live")["AliasArn"])
        for path, name in deployed.of_type("Lambda::Function").items()
    }
    with foreign_topic(deployed.application) as topic:
        assert functions
        assert let_in(topic, functions) == []
