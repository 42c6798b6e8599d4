"""How SNS, SQS and Lambda deliver on AWS, where the engine is quicker, simpler or exact."""

import json
import time
from typing import Any

import pytest

from fanout.contracts.audit_logs import AuditRecorded
from fanout.event import Event
from fanout.testing import sns_record
from tests.cloud.stack import SOURCE, Stack

DIRECT = "team_events/broadcast"
FIFO = ("audit_logs/record", "audit_logs/preserve")


@pytest.mark.cloud("async-retries")
@pytest.mark.cloud("queue-alarms")
@pytest.mark.cloud("alarm-queries")
@pytest.mark.cloud("queue-counts")
@pytest.mark.cloud("kms")
def test_an_event_whose_function_always_fails_is_dead_lettered_after_three_attempts_with_an_alarm(stack: Stack) -> None:
    function, dead_letters = stack.subscriber(DIRECT).function_name, stack.subscriber(DIRECT).dead_letter_url
    [alarm] = stack.alarms(
        "AWS/SQS", "ApproximateNumberOfMessagesVisible", QueueName=stack.queue_arn(dead_letters).rsplit(":", 1)[-1]
    )
    # A record of SNS without its id: the runtime cannot even read it, as if the function had been killed.
    event = stack.message()
    record = sns_record(event)
    del record["Sns"]["MessageId"]
    began = time.monotonic()
    stack.client("lambda").invoke(
        FunctionName=function,
        Qualifier="live" if stack.parameters["InvokedVersion"] == "live" else "$LATEST",
        InvocationType="Event",
        Payload=json.dumps({"Records": [record]}),
    )

    def fired() -> bool:
        [now] = stack.client("cloudwatch").describe_alarms(AlarmNames=[alarm["AlarmName"]])["MetricAlarms"]
        return bool(now["StateValue"] == "ALARM")

    # Three minutes of retries; then SQS may take 15 minutes to report the metrics of a queue that was inactive.
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-monitoring-using-cloudwatch.html
    # The queue is not read before: the metric counts visible messages only.
    stack.eventually(fired, "the alarm on the dead-letter queue", minutes=20, every=15)
    listed = stack.eventually(
        lambda: [
            line
            for line in map(json.loads, stack.fanout("dlq", "list", "--json").stdout.splitlines())
            if line["subscriber"] == DIRECT
        ],
        "`fanout dlq list` shows it",
        minutes=3,
    )
    assert listed
    dead_letter = json.loads(stack.dead_letter(DIRECT, lambda body: event.id in body, minutes=3)["Body"])
    assert dead_letter["requestContext"]["condition"] == "RetriesExhausted"
    assert dead_letter["requestContext"]["approximateInvokeCount"] == 3
    history = stack.client("cloudwatch").describe_alarm_history(
        AlarmName=alarm["AlarmName"], HistoryItemType="Action", MaxRecords=5
    )["AlarmHistoryItems"]
    assert any("Successfully executed action" in each["HistorySummary"] for each in history), "it may use the key"
    assert time.monotonic() - began > 150, "Lambda waits a minute, then two"


@pytest.mark.cloud("pausing")
@pytest.mark.parametrize("subscriber", ["team_events/team_a", DIRECT])
def test_a_paused_subscribers_events_wait_and_are_handled_once_it_is_resumed(stack: Stack, subscriber: str) -> None:
    stack.fanout("pause", subscriber)
    try:
        event = stack.message()
        stack.publish("TeamEvents", [event])
        others = set(stack.topology.subscribers) & {"team_events/team_a", "team_events/team_b", DIRECT} - {subscriber}
        stack.eventually(
            lambda: all(stack.receipts(name, [event.id]) for name in others), "the others go on", minutes=3
        )
        assert stack.receipts(subscriber, [event.id]) == []
    finally:
        stack.fanout("resume", subscriber)
    assert stack.outcomes(event.id, within=180)[subscriber] == "processed"


def audited(stack: Stack, tenant: str) -> Event[AuditRecorded]:
    data = AuditRecorded(tenant=tenant, actor="a", action="test.run", resource="r", outcome="success")
    return Event.new(data, source=SOURCE)


@pytest.mark.cloud("duplicates")
def test_an_event_published_twice_to_a_fifo_topic_is_delivered_once(stack: Stack) -> None:
    first, last = audited(stack, "cloud-test-twice"), audited(stack, "cloud-test-twice")
    for event in (first, first, last):
        stack.publish("AuditLogs", [event])
    # They are one group: once the last is done with, a second copy of the first would have been here.
    assert set(stack.outcomes(last.id, within=120).values()) == {"processed"}
    for name in FIFO:
        assert [each.outcome for each in stack.receipts(name, [first.id])] == ["processed"], name


@pytest.mark.cloud("fifo-limits")
def test_each_group_of_a_fifo_topic_has_limits_of_its_own(stack: Stack) -> None:
    topic = stack.client("sns").get_topic_attributes(TopicArn=stack.topic("AuditLogs"))["Attributes"]
    assert topic["FifoThroughputScope"] == "MessageGroup"
    names: Any = ["FifoThroughputLimit", "DeduplicationScope"]
    for name in FIFO:
        url = stack.subscriber(name).inbox_url
        queue = stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        assert queue == {"FifoThroughputLimit": "perMessageGroupId", "DeduplicationScope": "messageGroup"}


@pytest.mark.cloud("ses")
def test_a_mail_that_the_sandbox_refuses_is_dead_lettered_with_that_reason(stack: Stack) -> None:
    if stack.client("sesv2").get_account()["ProductionAccessEnabled"]:
        pytest.skip("this account is out of SES's sandbox: it refuses no recipient")
    event = stack.sample("user_registration", "user.registered.v1")
    # The samples' own addresses are the simulator's, which the sandbox takes.
    event["data"]["email"] = f"{event['data']['user_id']}@example.org"
    stack.publish_text("UserRegistration", json.dumps(event))
    dead_letter = stack.dead_letter("user_registration/notify_service", lambda body: event["id"] in body, minutes=3)
    reason = dead_letter["MessageAttributes"]["reason"]["StringValue"]
    assert reason.startswith("refused: SES answers MessageRejected (sender or recipient is not verified")
    assert event["data"]["email"] not in reason
