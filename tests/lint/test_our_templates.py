"""A mistake anywhere in our own templates is found, through up to three stacks.

One in a use case, or in what several share, is looked for from a use case deployed alone; the others from the root.

That they have none as they are is tests/template/test_lint.py.
"""

import shutil
from pathlib import Path

import pytest

from tests.lint.judging import judged
from tests.template.application import ROOT, templates

SUBSCRIBER = "platform/subscriber.yaml"
TOPIC = "platform/topic.yaml"
DEAD_LETTERS = "platform/dead_letter_queue.yaml"
TEAM_EVENTS = "usecases/team_events/template.yaml"
LOGS = "usecases/application_logs/template.yaml"
ORDERS = "usecases/order_workflow/template.yaml"
ALERTS = "usecases/system_alerts/template.yaml"


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the application's templates and contracts."""
    copied = tmp_path_factory.mktemp("application")
    for file in [*templates(), *(ROOT / "docs" / "contracts").glob("*.json")]:
        target = copied / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    return copied


MISTAKES = [
    (
        "E9101",
        TEAM_EVENTS,
        "        TopicArn: !GetAtt TeamEvents.Outputs.TopicArn\n        Delivery",
        "        Delivery",
    ),
    ("E9101", SUBSCRIBER, "  DeadLetterQueueArn:\n    Description", "  DeadLettersArn:\n    Description"),
    (
        "E9102",
        SUBSCRIBER,
        "      RedrivePolicy: {deadLetterTargetArn: !GetAtt DeadLetterQueue.Arn}\n",
        "",
    ),
    ("E9103", SUBSCRIBER, "Queues: [!Ref DeadLetterQueue]", "Queues: [!Ref Queue]"),
    ("E9103", SUBSCRIBER, '            Condition: {ArnEquals: {"aws:SourceArn": !Ref TopicArn}}\n', ""),
    ("E9103", ALERTS, "        OtherTopicArn: !Ref AlarmTopicArn\n", ""),
    ("E9104", TEAM_EVENTS, "Timeout: 20", "Timeout: 21"),
    ("E9104", LOGS, "MaxValue: 300", "MaxValue: 301"),
    ("E9105", TEAM_EVENTS, "      FunctionResponseTypes: [ReportBatchItemFailures]\n", ""),
    ("E9106", LOGS, "VisibilityTimeout: 120", "VisibilityTimeout: 119"),
    (
        "E9107",
        "template.yaml",
        "usecases/team_events/template.yaml\n      Parameters:\n",
        "usecases/team_events/template.yaml\n      Parameters:\n        MaxAttempts: 4\n",
    ),
    ("E9108", SUBSCRIBER, "MAX(ApproximateNumberOfMessagesVisible)", "MAX(NumberOfMessagesSent)"),
    ("E9108", DEAD_LETTERS, "  Alarm:\n", "  Alarm:\n    Condition: HasTopic\n"),
    ("E9109", SUBSCRIBER, "MessageRetentionPeriod: 604800", "MessageRetentionPeriod: 1209600"),
    ("E9110", SUBSCRIBER, '      AlarmActions: !If [HasAlarmTopic, [!Ref AlarmTopicArn], !Ref "AWS::NoValue"]\n', ""),
    ("E9111", "platform/encryption_key.yaml", "                - cloudwatch.amazonaws.com\n", ""),
    ("E9112", TOPIC, "                  - !Sub sns.${AWS::Region}.amazonaws.com\n", ""),
    ("E9113", TEAM_EVENTS, "TableArn: !GetAtt FeedTable.Arn", 'TableArn: "*"'),
    ("E9114", SUBSCRIBER, 'FifoQueue: !If [IsFifo, true, !Ref "AWS::NoValue"]', "FifoQueue: true"),
    (
        "E9118",
        SUBSCRIBER,
        "Resource: !GetAtt Queue.Arn\n            Condition",
        "Resource: [!GetAtt Queue.Arn, !GetAtt DeadLetterQueue.Arn]\n            Condition",
    ),
    (
        "E9118",
        SUBSCRIBER,
        "Resource: !GetAtt DeadLetterQueue.Arn\n            Condition",
        "Resource: !GetAtt Queue.Arn\n            Condition",
    ),
    ("E9119", SUBSCRIBER, "${Name}Dlq-${Id}.fifo", "${Name}Dlq-${Id}"),
    ("E9120", TEAM_EVENTS, "${Runtime} ${Architecture}, ", ""),
    (
        "E9120",
        ORDERS,
        '${MaxAttempts} tries"\n      Role: !GetAtt DeadlinesRole.Arn',
        '${OrderDeadlineSeconds} s, ${MaxAttempts} tries"\n      Role: !GetAtt DeadlinesRole.Arn',
    ),
    ("E9122", LOGS, "      MaximumBatchingWindowInSeconds: !Ref ArchiveBatchWindow\n", ""),
    ("E9115", LOGS, "level: [WARNING, ERROR, CRITICAL]", "level: [WARN, ERROR, CRITICAL]"),
    ("E9121", LOGS, "level: [WARNING, ERROR, CRITICAL]", "level: WARNING"),
]


@pytest.mark.parametrize(("rule", "name", "right", "wrong"), MISTAKES, ids=[rule for rule, *_ in MISTAKES])
def test_a_mistake_is_found(rule: str, name: str, right: str, wrong: str, application: Path) -> None:
    file = application / name
    before = file.read_text()
    from_root = name in (ALERTS, DEAD_LETTERS) or rule in ("E9101", "E9105", "E9111", "E9119")
    composing = "template.yaml" if from_root else TEAM_EVENTS if name.startswith("platform") else name
    assert right in before, "the template no longer says what this test makes wrong"
    file.write_text(before.replace(right, wrong, 1))
    try:
        found = judged(application / composing, only=rule)
    finally:
        file.write_text(before)
    assert found, f"{rule} has nothing against it"


@pytest.mark.guarantee(
    "at-least-once/sns-gives-up",
    "at-least-once/sns-may-dead-letter",
    "order-per-group/fifo-throughout",
    "isolation/throttling",
    "no-silent-drop/partial-batch",
    "bounded-retry/visibility-timeout",
    "dead-letters/fourteen-days",
    "dead-letters/alarm",
    "dead-letters/alarm-key",
    "least-privilege/resources",
    "least-privilege/queue-policy",
)
def test_the_copy_itself_has_no_mistake(application: Path) -> None:
    assert judged(application / "template.yaml") == []
