"""From the topic to the queue: undeliverable messages need a dead-letter queue that accepts them."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from fanout_wiring._graph import QUEUE, SUBSCRIPTION, TOPIC, Graph, Subscription
from fanout_wiring._policies import (
    TO_ENCRYPT,
    allows,
    conditions,
    denies,
    key_policy,
    service_may,
    services,
    statements,
)
from fanout_wiring._rule import PAGE, Finding, WiringRule
from fanout_wiring._stack import Resource
from fanout_wiring._values import as_list

_SNS = ("sns.amazonaws.com", "*")
# Conditions that exclude other accounts, but not every other topic.
_OTHER_BOUNDS = ("aws:SourceAccount", "aws:SourceOwner", "aws:SourceOrgID", "aws:PrincipalOrgID", "aws:PrincipalArn")


class SubscriptionWithoutRedrive(WiringRule):
    """SNS deletes what it cannot deliver."""

    id = "E9102"
    shortdesc = "A subscription has a dead-letter queue"
    description = "Without a redrive policy SNS deletes what it cannot deliver, and reports it in a metric only"
    page = source_url = f"{PAGE}sns/latest/dg/sns-dead-letter-queues.html"

    def findings(self, graph: Graph) -> Iterator[Finding]:
        for subscription in graph.subscriptions:
            if subscription.dead_letters is not None:
                continue
            fix = "give it RedrivePolicy: {deadLetterTargetArn: <ARN of a queue>}"
            if not subscription.redrivable:
                fix = "declared like this it can have none, so declare an AWS::SNS::Subscription with a RedrivePolicy"
            yield Finding(
                subscription.resource,
                subscription.keys,
                f"{subscription.label}: what SNS cannot deliver is lost; {fix}",
            )


class QueuePolicyOfAnotherTopic(WiringRule):
    """A queue or dead-letter queue must accept messages of its topic."""

    id = "E9103"
    shortdesc = "The policies of queue and dead-letter queue let the subscribed topic send, and no other"
    description = "SNS silently drops messages that a dead-letter queue's policy does not accept"
    page = source_url = f"{PAGE}sns/latest/dg/sns-configure-dead-letter-queue.html"

    def findings(self, graph: Graph) -> Iterator[Finding]:
        for subscription in graph.subscriptions:
            if subscription.protocol == "sqs" and subscription.resource.type in (SUBSCRIPTION, TOPIC):
                yield from self._closed(graph, subscription, subscription.endpoint, "queue")
            yield from self._closed(graph, subscription, subscription.dead_letters, "dead-letter queue")
        for policy in graph.of("AWS::SQS::QueuePolicy", "AWS::SQS::QueueInlinePolicy"):
            for statement in statements(policy.properties):
                if _lets_sns_send(statement) and not any(
                    conditions(statement, key) for key in ("aws:SourceArn", *_OTHER_BOUNDS)
                ):
                    yield Finding(
                        policy,
                        ("Properties", "PolicyDocument"),
                        f"statement {statement.get('Sid', '')} lets any topic of any account send; add the condition "
                        "ArnEquals: {aws:SourceArn: <the topic>}",
                    )

    def _closed(self, graph: Graph, subscription: Subscription, arn: Any, what: str) -> Iterator[Finding]:
        queue = graph.find(arn, QUEUE)
        if queue is None:
            return
        policies = [
            [
                source
                for statement in policy
                if _lets_sns_send(statement) and _is_for(graph, statement, queue)
                for source in conditions(statement, "aws:SourceArn") or ["*"]
                if not denies(policy, "sns.amazonaws.com", "sqs:SendMessage")
            ]
            for policy in graph.policies(queue)
        ]
        closed = [
            sources
            for sources in policies or [[]]
            if not any(_same(graph, source, subscription.topic) for source in sources)
        ]
        if not closed:
            for reason in _locked(graph, queue):
                yield Finding(subscription.resource, subscription.keys, f"{subscription.label}: {reason}")
            return
        let_in = sorted({str(source) for sources in closed for source in sources})
        instead = f"it lets in {', '.join(let_in)}" if let_in else "it lets no topic in"
        if len(policies) > 1:
            instead += f" (the queue has {len(policies)} policies, which replace each other: write one)"
        yield Finding(
            subscription.resource,
            subscription.keys,
            f"{subscription.label}: the policy of its {what} {queue.path} does not let {subscription.topic} send, "
            f"{instead}; allow sns.amazonaws.com sqs:SendMessage where ArnEquals aws:SourceArn is the topic",
        )


def _lets_sns_send(statement: dict[str, Any]) -> bool:
    return allows(statement, "sqs:SendMessage") and any(service in _SNS for service in services(statement))


def _locked(graph: Graph, queue: Resource) -> Iterator[str]:
    """Why SNS cannot encrypt what it sends there; with SSE-SQS there is nothing that it needs."""
    key = graph.key_of(queue.properties.get("KmsMasterKeyId"))
    if isinstance(key, Resource):
        if not service_may(key_policy(key.properties), "sns.amazonaws.com", *TO_ENCRYPT):
            yield (
                f"the policy of {key.path}, the key of {queue.path}, does not allow sns.amazonaws.com kms:Decrypt and "
                "kms:GenerateDataKey*"
            )
    elif key is not None and key.endswith("alias/aws/sqs"):
        yield f"{queue.path} is encrypted with alias/aws/sqs, which SNS may not use; use SSE-SQS or a key of your own"


def _is_for(graph: Graph, statement: dict[str, Any], queue: Resource) -> bool:
    return any(graph.covers(target, queue) for target in as_list(statement.get("Resource")))


def _same(graph: Graph, source: Any, topic: Any) -> bool:
    found = graph.find(topic, TOPIC)
    if found is not None:
        return graph.covers(source, found)
    return bool(source == topic) or fnmatchcase(str(topic), str(source))
