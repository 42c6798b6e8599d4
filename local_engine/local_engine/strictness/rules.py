"""What EventBridge refuses of rules and targets.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

import json

from ministack.services import eventbridge

from local_engine.strictness._refusing import Data, Refused, before, before_provisioning
from local_engine.strictness.schedules import is_rate

_WITH_ROLE = ("events", "firehose", "kinesis", "states", "ecs", "batch")


def apply() -> None:
    """Validate rules and targets, whether they come over the API or from CloudFormation."""
    before(eventbridge, "_put_rule", _validate_rule)
    before(eventbridge, "_put_targets", lambda data: _validate_targets(data["Targets"], _known_targets(data)))
    before(eventbridge, "_delete_rule", _refuse_targets)
    before_provisioning("AWS::Events::Rule", _validate_resource)


def _validate_resource(properties: Data) -> None:
    _validate_rule(properties)
    _validate_targets(properties.get("Targets") or [], set())


def _validate_rule(data: Data) -> None:
    pattern, schedule = data.get("EventPattern"), data.get("ScheduleExpression")
    if not pattern and not schedule:
        raise _invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
    if schedule and not (schedule.startswith("cron(") or is_rate(schedule)):
        raise _invalid("Parameter ScheduleExpression is not valid.")
    text = pattern if isinstance(pattern, str) else json.dumps(pattern or {}, separators=(",", ":"))
    if len(text) > 2048:
        raise Refused("LimitExceededException", "The event pattern has more than 2048 characters.")


def _known_targets(data: Data) -> set[str]:
    key = eventbridge._rule_key(data["Rule"], data.get("EventBusName", "default"))
    return {target["Id"] for target in eventbridge._targets.get(key, [])}


def _validate_targets(targets: list[Data], known: set[str]) -> None:
    if len(known | {target["Id"] for target in targets}) > 5:
        raise Refused("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
    for target in targets:
        given = [name for name in ("Input", "InputPath", "InputTransformer") if target.get(name)]
        if len(given) > 1:
            raise _invalid(
                f"Only one of Input, InputPath, or InputTransformer must be provided for target {target['Id']}."
            )
        _validate_input(target)
        arn = target["Arn"]
        if arn.endswith(".fifo") and not (target.get("SqsParameters") or {}).get("MessageGroupId"):
            raise _invalid(f"Parameter(s) SqsParameters must be specified for target: {target['Id']}.")
        if arn.split(":")[2:3] and arn.split(":")[2] in _WITH_ROLE and not target.get("RoleArn"):
            raise _invalid(f"RoleArn is required for target {arn}.")


def _validate_input(target: Data) -> None:
    text = target.get("Input")
    if not text:
        return
    if len(text) > 8192:
        raise _invalid(f"Input of target {target['Id']} has more than 8192 characters.")
    try:
        json.loads(text)
    except ValueError:
        raise _invalid(f"Invalid Input for target : {target['Id']}. Reason: Not valid JSON.") from None


def _refuse_targets(data: Data) -> None:
    if eventbridge._targets.get(eventbridge._rule_key(data["Name"], data.get("EventBusName", "default"))):
        raise _invalid("Rule can't be deleted since it has targets.")


def _invalid(message: str) -> Refused:
    return Refused("ValidationException", message)
