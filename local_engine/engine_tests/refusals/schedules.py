"""What EventBridge refuses of rules, and EventBridge Scheduler of schedules."""

import json
from dataclasses import replace
from typing import Any

from engine_tests.aws import Aws
from engine_tests.refusals.refusal import Refusal

_EVENTS = "https://docs.aws.amazon.com/eventbridge/latest"
_SCHEDULER = "https://docs.aws.amazon.com/scheduler/latest"
_QUEUE = "arn:aws:sqs:us-east-1:000000000000:planted"


def _trusting(service: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _rule(id: str, rule: str, source: str, text: str, code: str = "ValidationException", **properties: Any) -> Refusal:
    """A rule that PutRule refuses, or one of its targets that PutTargets refuses."""

    def put(aws: Aws) -> None:
        targets = properties.get("Targets")
        request = {name: value for name, value in properties.items() if name != "Targets"}
        name = aws.name("rule")
        aws.events.put_rule(Name=name, **request)
        aws.events.put_targets(Rule=name, Targets=targets)

    return Refusal(
        id=f"events-{id}",
        rule=rule,
        source=source,
        code=code,
        text=text,
        held="strictness/rules.py",
        call=put,
        template={"Resources": {"One": {"Type": "AWS::Events::Rule", "Properties": properties}}},
    )


def _target(**changed: Any) -> list[dict[str, Any]]:
    return [{"Id": "one", "Arn": _QUEUE, **changed}]


def _delete_rule_with_targets(aws: Aws) -> None:
    name = aws.name("rule")
    aws.events.put_rule(Name=name, ScheduleExpression="rate(5 minutes)")
    aws.events.put_targets(Rule=name, Targets=_target())
    aws.events.delete_rule(Name=name)


def _schedule(
    id: str, rule: str, source: str, text: str, *, service: str = "scheduler.amazonaws.com", **changed: Any
) -> Refusal:
    schedule = {"ScheduleExpression": "rate(5 minutes)", "FlexibleTimeWindow": {"Mode": "OFF"}, **changed}

    def create(aws: Aws) -> None:
        name = aws.name("schedule")
        trust = json.dumps(_trusting(service))
        role = aws.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        aws.scheduler.create_schedule(Name=name, Target={"Arn": _QUEUE, "RoleArn": role}, **schedule)

    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": _trusting(service)}}
    target = {"Arn": _QUEUE, "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]}}
    resource = {"Type": "AWS::Scheduler::Schedule", "Properties": {"Target": target, **schedule}}
    return Refusal(
        id=f"scheduler-{id}",
        rule=rule,
        source=source,
        code="ValidationException",
        text=text,
        held="strictness/schedules.py",
        call=create,
        template={"Resources": {"Role": role, "One": resource}},
    )


EVENTS = (
    _rule(
        "a-rule-has-a-pattern-or-a-schedule",
        "A rule has a pattern or a schedule",
        f"{_EVENTS}/APIReference/API_PutRule.html",
        "Parameter(s) EventPattern or ScheduleExpression must be specified.",
    ),
    _rule(
        "a-rate-agrees-with-its-unit",
        "rate(1 minute), but rate(5 minutes)",
        f"{_EVENTS}/userguide/eb-scheduled-rule-pattern.html",
        "Parameter ScheduleExpression is not valid.",
        ScheduleExpression="rate(1 minutes)",
    ),
    _rule(
        "a-pattern-has-2048-characters-at-most",
        "An event pattern has 2,048 characters at most",
        f"{_EVENTS}/userguide/eb-quota.html",
        "2048",
        code="LimitExceededException",
        EventPattern=json.dumps({"source": ["s" * 2048]}),
    ),
    replace(
        _rule(
            "a-rule-has-five-targets-at-most",
            "A rule has five targets at most",
            f"{_EVENTS}/userguide/eb-quota.html",
            "The requested resource exceeds the maximum number allowed.",
            code="LimitExceededException",
            ScheduleExpression="rate(5 minutes)",
            Targets=[{"Id": str(number), "Arn": _QUEUE} for number in range(6)],
        ),
        template=None,  # which the resource's schema refuses
    ),
    _rule(
        "an-input-is-json",
        "The Input of a target is JSON",
        f"{_EVENTS}/APIReference/API_Target.html",
        "Not valid JSON",
        ScheduleExpression="rate(5 minutes)",
        Targets=_target(Input="not JSON"),
    ),
    _rule(
        "a-target-has-one-input",
        "A target has one of Input, InputPath and InputTransformer",
        f"{_EVENTS}/APIReference/API_PutTargets.html",
        "Only one of Input, InputPath, or InputTransformer must be provided",
        ScheduleExpression="rate(5 minutes)",
        Targets=_target(Input="{}", InputPath="$.detail"),
    ),
    _rule(
        "a-fifo-queue-needs-a-message-group",
        "A target that is a FIFO queue has a message group",
        f"{_EVENTS}/APIReference/API_SqsParameters.html",
        "Parameter(s) SqsParameters must be specified for target: one.",
        ScheduleExpression="rate(5 minutes)",
        Targets=_target(Arn=f"{_QUEUE}.fifo"),
    ),
    _rule(
        "a-state-machine-needs-a-role",
        "A target that is a state machine or a stream has a role",
        f"{_EVENTS}/userguide/eb-use-identity-based.html",
        "RoleArn is required for target",
        ScheduleExpression="rate(5 minutes)",
        Targets=_target(Arn="arn:aws:states:us-east-1:000000000000:stateMachine:planted"),
    ),
    Refusal(
        id="events-a-rule-with-targets-stays",
        rule="A rule that has targets is not deleted",
        source=f"{_EVENTS}/APIReference/API_DeleteRule.html",
        code="ValidationException",
        text="Rule can't be deleted since it has targets.",
        held="strictness/rules.py",
        call=_delete_rule_with_targets,
    ),
)

SCHEDULER = (
    _schedule(
        "an-expression-is-a-rate-cron-or-time",
        "A schedule is a rate, a cron expression with six fields, or a time",
        f"{_SCHEDULER}/UserGuide/schedule-types.html",
        "Invalid Schedule Expression",
        ScheduleExpression="cron(0 12 * * *)",
    ),
    _schedule(
        "a-cron-expression-leaves-one-day-open",
        "A cron expression has ? for the day of the month or for that of the week, not for both or neither",
        f"{_SCHEDULER}/UserGuide/schedule-types.html",
        "Invalid Schedule Expression",
        ScheduleExpression="cron(0 12 * * * *)",
    ),
    _schedule(
        "a-time-zone-exists",
        "A schedule's time zone is one of IANA's",
        f"{_SCHEDULER}/APIReference/API_CreateSchedule.html",
        "Invalid ScheduleExpressionTimezone.",
        ScheduleExpressionTimezone="Europe/Atlantis",
    ),
    _schedule(
        "a-flexible-window-has-a-length",
        "A flexible time window has a length, and none has one",
        f"{_SCHEDULER}/APIReference/API_FlexibleTimeWindow.html",
        "MaximumWindowInMinutes",
        FlexibleTimeWindow={"Mode": "FLEXIBLE"},
    ),
    _schedule(
        "a-role-trusts-scheduler",
        "A schedule's role can be assumed by EventBridge Scheduler",
        "https://github.com/aws/aws-sdk-js-v3/issues/6494",
        "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
        service="events.amazonaws.com",
    ),
)
