"""Alarms: a notification must reach a subscriber, through the policies of the topic and its key."""

from collections.abc import Iterator

from fanout_wiring._graph import ALARMS, TOPIC, Graph
from fanout_wiring._policies import TO_ENCRYPT, key_policy, service_may
from fanout_wiring._rule import PAGE, Finding, WiringRule
from fanout_wiring._stack import Resource
from fanout_wiring._values import as_list, is_true

_CLOUDWATCH = "cloudwatch.amazonaws.com"
_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")


class AlarmWithoutAction(WiringRule):
    """A finding only if no deployment has one, because an operator may switch mail off."""

    id = "E9110"
    shortdesc = "An alarm has an action, and if that is a topic it has a subscription"
    description = "An alarm without an action, or on a topic without subscriptions, only changes its state"
    page = source_url = f"{PAGE}AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html"
    always = True

    def findings(self, graph: Graph) -> Iterator[Finding]:
        heard = {topic.path for each in graph.subscriptions if (topic := graph.find(each.topic, TOPIC)) is not None}
        rules = " ".join(
            str(each.properties.get("AlarmRule", "")) for each in graph.of("AWS::CloudWatch::CompositeAlarm")
        )
        for alarm in graph.of(*ALARMS):
            own = alarm.properties
            enabled = "ActionsEnabled" not in own or is_true(own["ActionsEnabled"])
            actions = as_list(own.get("AlarmActions")) if enabled else []
            names = [f"<{alarm.path}>", f"<{alarm.path}.", own.get("AlarmName")]
            if any(isinstance(name, str) and name in rules for name in names):
                continue  # a composite alarm speaks for it, and is judged itself
            keys = ("Properties", "AlarmActions")
            if not actions:
                yield Finding(alarm, keys, f"alarm {alarm.logical_id} has no action; give it AlarmActions")
            elif not any((topic := graph.find(each, TOPIC)) is None or topic.path in heard for each in actions):
                topics = ", ".join(map(str, actions))
                yield Finding(
                    alarm, keys, f"alarm {alarm.logical_id} notifies {topics}, which has no subscription; add one"
                )


class AlarmThatTheTopicRefuses(WiringRule):
    """CloudWatch publishes as itself, and fails silently."""

    id = "E9111"
    shortdesc = "CloudWatch may publish to an alarm's topic and use the topic's key"
    description = "A topic policy or key policy without CloudWatch silently drops every notification of the alarm"
    page = source_url = f"{PAGE}sns/latest/dg/sns-key-management.html"

    def findings(self, graph: Graph) -> Iterator[Finding]:
        for alarm in graph.of(*ALARMS):
            for name in _ACTIONS:
                for action in as_list(alarm.properties.get(name)):
                    topic = graph.find(action, TOPIC)
                    for reason in _refused(graph, topic) if topic is not None else ():
                        yield Finding(alarm, ("Properties", name), f"alarm {alarm.logical_id} is never heard: {reason}")


def _refused(graph: Graph, topic: Resource) -> Iterator[str]:
    """Why CloudWatch cannot publish to the topic."""
    # A topic without a policy has SNS's own, which is open to its account.
    if not all(service_may(policy, _CLOUDWATCH, "sns:Publish") for policy in graph.policies(topic)):
        yield f"the policy of {topic.path} does not allow cloudwatch.amazonaws.com sns:Publish"
    key = graph.key_of(topic.properties.get("KmsMasterKeyId"))
    if isinstance(key, Resource):
        if not service_may(key_policy(key.properties), _CLOUDWATCH, *TO_ENCRYPT):
            yield (
                f"the policy of {key.path}, the key of {topic.path}, does not allow cloudwatch.amazonaws.com "
                "kms:Decrypt and kms:GenerateDataKey*"
            )
    elif key is not None and key.endswith("alias/aws/sns"):
        yield f"{topic.path} is encrypted with alias/aws/sns, which CloudWatch may not use; use a key of your own"
