"""Dead letters are kept and raise an alarm, and so do lost events."""

import pytest

from fanout_wiring import Composition
from tests.template.application import ROOT
from tests.template.deployments import (
    ALARM,
    DEPTH,
    SUBSCRIPTION,
    Mistake,
    alarms_on,
    asynchronous,
    dead_letter_arns,
    on_failure,
    properties,
)

SUBSCRIBER = ROOT / "platform" / "subscriber.yaml"
TOPIC_STACK = ROOT / "platform" / "topic.yaml"
DIRECT = ROOT / "platform" / "direct_subscription.yaml"

FOURTEEN_DAYS = 14 * 86_400


@pytest.mark.guarantee("dead-letters/fourteen-days")
def test_dead_letters_are_kept_as_long_as_possible(deployment: Composition) -> None:
    """From every sender: an operator has 14 days."""
    problems = []
    for arn, sender in dead_letter_arns(deployment).items():
        queue = deployment.by_arn(arn)
        if queue is None or queue.properties.get("MessageRetentionPeriod") != FOURTEEN_DAYS:
            problems.append(f"{sender}: its dead-letter queue does not keep messages for 14 days")
    assert problems == []


@pytest.mark.guarantee("dead-letters/late-metrics", "dead-letters/lost-event")
def test_a_dead_letter_or_a_lost_event_raises_an_alarm(deployment: Composition) -> None:
    """At every monitoring level. Dead letters: one sample of five, because SQS reports late on a queue that was idle.

    That each dead-letter queue has an alarm is a matter of E9108.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/monitoring-using-cloudwatch.html
    """
    problems = []
    for arn, sender in dead_letter_arns(deployment).items():
        queue = deployment.by_arn(arn)
        for alarm in alarms_on(deployment, DEPTH, QueueName=f"<{queue.path}.QueueName>") if queue else ():
            if (alarm.properties["EvaluationPeriods"], alarm.properties.get("DatapointsToAlarm")) != (5, 1):
                problems.append(f"{sender}: {alarm.path} does not take one sample of five for an alarm")
    # The operator's topic carries alarms, not events: an alarm on it would be sent to itself.
    operators = {arn for alarm in deployment.of(ALARM) for arn in alarm.properties.get("AlarmActions") or ()}
    for subscription in deployment.of(SUBSCRIPTION):
        topic = subscription.properties["TopicArn"]
        if topic not in operators and not alarms_on(
            deployment, "NumberOfNotificationsFailedToRedriveToDlq", TopicName=topic.replace(">", ".TopicName>")
        ):
            problems.append(f"{subscription.path}: no alarm on events that SNS cannot write to a dead-letter queue")
    for function, settings in asynchronous(deployment):
        failures = alarms_on(deployment, "DestinationDeliveryFailures", FunctionName=f"<{function.path}>")
        if on_failure(settings) and not failures:
            problems.append(f"{function.path}: no alarm on what Lambda cannot write to its on-failure destination")
    assert problems == []


def test_an_alarm_of_the_whole_application_has_an_action(deployment: Composition) -> None:
    """A use case deployed alone may have none; and missing data is not breaching."""
    problems = []
    for alarm in deployment.of(ALARM):
        needs_action = deployment.root.file == ROOT / "template.yaml"
        if needs_action and not alarm.properties.get("AlarmActions"):
            problems.append(f"{alarm.path}: it has no action")
        if alarm.properties.get("TreatMissingData") != "notBreaching":
            problems.append(f"{alarm.path}: missing data must be notBreaching")
    assert problems == []


# ------------------------------------------------------------------------------------------------------------- mistakes


MISTAKES: list[Mistake] = [
    (
        test_dead_letters_are_kept_as_long_as_possible,
        SUBSCRIBER,
        lambda t: properties(t, "DeadLetterQueue").update(MessageRetentionPeriod=604_800),
    ),
    (
        test_a_dead_letter_or_a_lost_event_raises_an_alarm,
        SUBSCRIBER,
        lambda t: properties(t, "DeadLetterAlarm").update(DatapointsToAlarm=5),
    ),
    (
        test_a_dead_letter_or_a_lost_event_raises_an_alarm,
        TOPIC_STACK,
        lambda t: t["Resources"].pop("LostAlarm"),
    ),
    (
        test_a_dead_letter_or_a_lost_event_raises_an_alarm,
        DIRECT,
        lambda t: t["Resources"].pop("DestinationAlarm"),
    ),
    (
        test_an_alarm_of_the_whole_application_has_an_action,
        SUBSCRIBER,
        lambda t: properties(t, "AgeAlarm").pop("AlarmActions"),
    ),
]
