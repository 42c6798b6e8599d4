"""Queue policies that SQS refuses although they match the schema."""

from collections.abc import Iterator

from fanout_wiring._graph import QUEUE, Graph
from fanout_wiring._policies import statements
from fanout_wiring._rule import PAGE, Finding, WiringRule
from fanout_wiring._values import as_list


class QueuePolicyOfTwoQueues(WiringRule):
    """SQS answers `Invalid value for the parameter Policy`, and the stack rolls back."""

    id = "E9118"
    shortdesc = "A statement of a queue policy names one resource, its own queue"
    description = "SQS refuses a policy whose statement has two resources, or another queue as its resource"
    page = source_url = f"{PAGE}AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-creating-custom-policies.html"

    def findings(self, graph: Graph) -> Iterator[Finding]:
        for policy in graph.of("AWS::SQS::QueuePolicy", "AWS::SQS::QueueInlinePolicy"):
            where = ("Properties", "PolicyDocument")
            urls = as_list(policy.properties.get("Queues", policy.properties.get("Queue")))
            queues = [graph.find(url, QUEUE) for url in urls]
            for statement in statements(policy.properties):
                name = statement.get("Sid", "without a Sid")
                resources = as_list(statement.get("Resource"))
                if len(resources) != 1:
                    message = f"statement {name} has {len(resources)} resources, SQS takes one"
                    yield Finding(policy, where, f"{message}; write one policy for each queue")
                    continue
                named = graph.find(resources[0], QUEUE)
                for queue in queues:
                    if named is not None and queue is not None and queue is not named:
                        message = f"statement {name} names {named.path} in a policy of {queue.path}"
                        yield Finding(policy, where, f"{message}; write one policy for each queue")
