"""FIFO: topic, queue and dead-letter queue must all be of one kind to keep the order."""

from collections.abc import Iterator
from typing import Any

from fanout_wiring._graph import QUEUE, TOPIC, Graph, Subscription
from fanout_wiring._rule import PAGE, Finding, WiringRule
from fanout_wiring._stack import Resource, random_suffix
from fanout_wiring._values import is_true


class FifoMismatch(WiringRule):
    """A FIFO topic, queue and dead-letter queue belong together."""

    id = "E9114"
    shortdesc = "Topic, queue and dead-letter queue are all FIFO or all standard"
    description = "A standard part breaks the order; most other mixtures fail to deploy, or lose dead letters"
    page = source_url = f"{PAGE}sns/latest/dg/sns-fifo-topics.html"

    def findings(self, graph: Graph) -> Iterator[Finding]:
        for subscription in graph.subscriptions:
            topic = graph.find(subscription.topic, TOPIC)
            if topic is not None:
                for message in _mixtures(graph, subscription, _fifo(topic)):
                    yield Finding(subscription.resource, subscription.keys, f"{subscription.label}: {message}")
        for failure in graph.failures:
            queue = graph.find(failure.target, QUEUE)
            if queue is None or failure.kind == "subscription":
                continue
            source = failure.resource
            if failure.kind == "function" and _fifo(queue):
                message = f"Lambda can send nothing to {queue.path}, which is FIFO; name a standard queue"
                yield Finding(source, failure.keys, message)
            elif failure.kind == "queue" and _fifo(queue) != _fifo(source):
                message = (
                    f"queue {source.logical_id} is {_kind(source)}, its dead-letter queue {queue.path} {_kind(queue)}"
                )
                yield Finding(source, failure.keys, f"{message}; both must be of one kind")


def _mixtures(graph: Graph, subscription: Subscription, fifo: bool) -> Iterator[str]:
    queue: Any = graph.find(subscription.endpoint, QUEUE)
    if fifo and subscription.protocol != "sqs":
        yield f"a FIFO topic delivers to queues only, not to {subscription.protocol}; put a FIFO queue between"
    elif queue is not None and fifo and not _fifo(queue):
        yield f"the topic is FIFO, {queue.path} is not: order and deduplication end there; set FifoQueue: true"
    elif queue is not None and not fifo and _fifo(queue):
        yield f"{queue.path} is FIFO, the topic is not: SNS refuses that; make both of one kind"
    dead_letters = graph.find(subscription.dead_letters, QUEUE)
    if dead_letters is not None and _fifo(dead_letters) != fifo:
        yield (
            f"the topic is {'FIFO' if fifo else 'standard'}, its dead-letter queue {dead_letters.path} "
            f"{_kind(dead_letters)}: SNS cannot put anything there; both must be of one kind"
        )


def _fifo(resource: Resource) -> bool:
    return is_true(resource.properties.get("FifoTopic" if resource.type == TOPIC else "FifoQueue"))


def _kind(queue: Resource) -> str:
    return "FIFO" if _fifo(queue) else "standard"


_LONGEST_NAME = 80
# The length of a stack's name that must still fit: only the deployment knows the name.
_STACK_NAME = 40


def _generated_length(queue: Resource) -> int:
    stack = root = queue.stack
    while root.parent is not None:
        root = root.parent
    name = f"{stack.stack_name}-{queue.logical_id}-{random_suffix(queue.path)}.fifo"
    return len(name) - len(root.stack_name) + max(_STACK_NAME, len(root.stack_name))


class FifoQueueWithoutName(WiringRule):
    """CloudFormation cuts a generated name to 80 characters and adds .fifo behind it."""

    id = "E9119"
    shortdesc = "A FIFO queue has a name of at most 80 characters that ends in .fifo"
    description = (
        "The name that CloudFormation generates in a nested stack is too long with its .fifo, and SQS refuses it"
    )
    page = source_url = f"{PAGE}AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queue.html"

    def findings(self, graph: Graph) -> Iterator[Finding]:
        for queue in graph.of(QUEUE):
            name = queue.properties.get("QueueName")
            if _fifo(queue) and name is None and _generated_length(queue) > _LONGEST_NAME:
                message = f"{queue.path} is FIFO, and the name that CloudFormation generates for it can be too long"
                message += "; give it a QueueName that ends in .fifo"
                yield Finding(queue, ("Properties",), message)
            elif _fifo(queue) and name is not None and not str(name).endswith(".fifo"):
                message = f"{queue.path} is FIFO and called {name}; end its QueueName in .fifo"
                yield Finding(queue, ("Properties", "QueueName"), message)
