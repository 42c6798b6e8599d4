"""system_alerts on the engine: from an alert of any source to the messages people receive."""

import json
import uuid
from typing import Any

from fanout.contracts.application_logs import LogEntry
from fanout.contracts.system_alerts import AlertRaised, AlertResolved
from fanout.event import Event
from fanout_cli.tracing.receipts import Reader
from tests.integration.application import ROOT, Application
from tests.integration.system_alerts.conftest import Channels
from tests.sink import Reply
from tests.waiting import until


def raised(fingerprint: str, severity: Any = "HIGH", title: str = "Something is wrong") -> Event[AlertRaised]:
    data = AlertRaised(fingerprint=fingerprint, service="shop", severity=severity, title=title)
    return Event.new(data, source="urn:test")


def resolved(fingerprint: str) -> Event[AlertResolved]:
    data = AlertResolved(fingerprint=fingerprint, service="shop", severity="LOW", title="Something is right")
    return Event.new(data, source="urn:test")


def new(name: str) -> str:
    return f"{name}/{uuid.uuid4().hex[:12]}"


def test_a_resolution_closes_its_own_incident_on_every_channel_that_was_notified(
    application: Application, channels: Channels
) -> None:
    critical, medium = new("critical"), new("medium")
    application.publish(
        "SystemAlerts",
        [raised(critical, "CRITICAL", f"{critical} is down"), raised(medium, "MEDIUM", f"{medium} is slow")],
    )
    until(lambda: channels.calls(critical) and channels.calls(medium), "both incidents", seconds=60)
    application.publish("SystemAlerts", [resolved(critical)])
    until(lambda: len(channels.calls(critical)) == 2, "the end of one", seconds=60)
    until(lambda: len(channels.posts(critical)) == 2, "its end in the chat", seconds=60)
    [opened, closed] = channels.calls(critical)
    assert (opened[0], closed[0], opened[1]) == ("trigger", "resolve", closed[1])
    assert [action for action, _ in channels.calls(medium)] == ["trigger"]
    until(lambda: len(channels.mails(critical)) == 2, "two mails", seconds=30)
    assert [mail.split("]")[0] for mail in channels.mails(critical)] == ["[CRITICAL", "[RESOLVED"]
    assert channels.mails(medium) == []
    assert len(channels.short_messages("is down")) == 1
    assert channels.short_messages(medium) == []


def test_a_webhook_that_throttles_fails_and_recovers_gets_every_message_once(
    application: Application, channels: Channels
) -> None:
    for server in (channels.chat, channels.pager):
        server.replies = [Reply(429, {"Retry-After": "3"}), Reply(500), Reply(503)]
    fingerprint = new("bumpy")
    application.publish("SystemAlerts", [raised(fingerprint)])
    until(lambda: channels.posts(fingerprint), "the chat has it", seconds=60)
    until(lambda: channels.calls(fingerprint), "the pager has it", seconds=60)
    for server in (channels.chat, channels.pager):
        assert [call.reply.status for call in server.calls] == [429, 500, 503, 200]
        assert server.calls[1].at - server.calls[0].at >= 2.9
    assert application.dead_letters("system_alerts/chat") == []


def test_a_message_that_a_webhook_refuses_is_dead_lettered_and_blocks_no_other(
    application: Application, channels: Channels
) -> None:
    channels.chat.replies = [Reply(400, body=b"invalid_payload")]
    refused, well = new("refused"), new("well")
    application.publish("SystemAlerts", [raised(refused)])
    until(lambda: channels.calls(refused), "the pager has it", seconds=60)
    dead_letters = until(
        lambda: [each for each in application.dead_letters("system_alerts/chat") if refused in each["body"]],
        "the dead letter",
        seconds=60,
    )
    assert [each["reason"] for each in dead_letters] == ["refused: the webhook answers 400: invalid_payload"]
    application.publish("SystemAlerts", [raised(well)])
    until(lambda: channels.posts(well), "the chat has the next", seconds=60)
    assert channels.posts(refused) == []

    # The alarm on that dead letter is this stack's own: dispatch receives it on the alarm topic and discards it.
    log_group = application.subscriber("system_alerts/dispatch").log_group

    def left() -> list[Any]:
        entries = Reader(application.client, [log_group]).all(None)
        return [entry for entry in entries if str(entry.reason or "").startswith("own-alarm")]

    until(left, "the own alarm is left alone", seconds=60)
    assert channels.posts("system_alerts/chat: an event could not be handled") == []
    application.purge_dead_letters("system_alerts/chat")


def test_a_cloudwatch_alarm_on_the_topic_is_notified_and_so_is_its_end(
    application: Application, channels: Channels
) -> None:
    sqs, cloudwatch = application.client("sqs"), application.client("cloudwatch")
    name = f"test-{uuid.uuid4().hex[:12]}"
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    topic = application.topic("SystemAlerts")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        AlarmDescription=f"[CRITICAL] {name} fills up",
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": name}],
        Statistic="Maximum",
        Period=10,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[topic],
        OKActions=[topic],
    )
    try:
        sqs.send_message(QueueUrl=queue, MessageBody="x")
        until(lambda: channels.calls(name), "the pager has the alarm", seconds=60)
        sqs.purge_queue(QueueUrl=queue)
        until(lambda: len(channels.calls(name)) == 2, "the pager has its end", seconds=60)
        [opened, closed] = channels.calls(name)
        assert (opened[0], closed[0], opened[1]) == ("trigger", "resolve", closed[1])
        until(lambda: channels.short_messages(f"{name} fills up"), "the short message", seconds=30)
    finally:
        cloudwatch.delete_alarms(AlarmNames=[name])
        sqs.delete_queue(QueueUrl=queue)


def test_the_alarms_of_the_whole_application_reach_chat_and_mail(application: Application, channels: Channels) -> None:
    # No other test gives this subscriber a dead letter: an alarm is over only after five minutes without one.
    subscriber = "user_interactions/shares"
    about = f"{subscriber}: an event could not be handled"
    until(lambda: state_of_alarm(application, about) == "OK", "the alarm's first look", seconds=60)
    application.publish_text("UserInteractions", json.dumps({"type": "post.shared.v1", "id": str(uuid.uuid4())}))
    try:
        until(
            lambda: [post for post in channels.posts(about) if "RESOLVED" not in post],
            "the alarm of another use case in the chat",
            seconds=150,
        )
        until(lambda: channels.mails(about), "the mail about it", seconds=30)
    finally:
        application.purge_dead_letters(subscriber)


def state_of_alarm(application: Application, description: str) -> str:
    pages = application.client("cloudwatch").get_paginator("describe_alarms").paginate()
    [state] = [
        alarm["StateValue"]
        for page in pages
        for alarm in page["MetricAlarms"]
        if alarm.get("AlarmDescription", "").startswith(description)
    ]
    return str(state)


def test_a_notification_in_aws_s_format_is_accepted_on_the_alarm_topic(
    application: Application, channels: Channels
) -> None:
    document = json.loads((ROOT / "events/system_alerts/foreign/SystemAlerts/cloudwatch-alarm.json").read_text())
    name = f"theirs-{uuid.uuid4().hex[:12]}"
    document |= {"AlarmName": name, "AlarmArn": f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}"}
    message_id = application.client("sns").publish(
        TopicArn=application.output("AlarmTopicArn"), Message=json.dumps(document), Subject=f'ALARM: "{name}"'
    )["MessageId"]
    until(lambda: channels.posts(name), f"the chat has {message_id}", seconds=60)
    assert channels.posts(name)[0].startswith("*[CRITICAL] AWS/Lambda: More than ten failed checkouts in a minute*")


def test_the_alerts_of_application_logs_arrive(application: Application, channels: Channels) -> None:
    service = f"checkout-{uuid.uuid4().hex[:12]}"
    entry = LogEntry(service=service, level="ERROR", message="boom")
    first = Event.new(entry, source="urn:test")
    threshold = int(application.subscriber("application_logs/monitor").environment["ALERT_THRESHOLD"])
    # One time for all: the monitor counts by the entries' own minute, not by the test's clock.
    entries = [Event.new(entry, source="urn:test", time=first.time) for _ in range(threshold + 3)]
    application.publish("ApplicationLogs", entries)
    until(lambda: channels.posts(f"{service}: {threshold} errors or more"), "the chat has the alert", seconds=90)
    until(lambda: channels.calls(service), "the pager has it", seconds=30)
    until(lambda: channels.mails(service), "the mail", seconds=30)


def test_an_invalid_alert_between_valid_ones_affects_neither(application: Application, channels: Channels) -> None:
    before, after = new("before"), new("after")
    poison = str(uuid.uuid4())
    application.publish("SystemAlerts", [raised(before)])
    application.publish_text(
        "SystemAlerts",
        json.dumps({"specversion": "1.0", "id": poison, "source": "s", "type": "alert.raised.v1", "data": {}}),
    )
    application.publish("SystemAlerts", [raised(after)])
    assert application.outcomes(poison) == {"system_alerts/dispatch": "rejected"}
    until(lambda: channels.posts(before) and channels.posts(after), "both alerts", seconds=60)
    application.purge_dead_letters("system_alerts/dispatch")
