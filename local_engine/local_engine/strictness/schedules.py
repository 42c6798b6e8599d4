"""What EventBridge Scheduler refuses of schedules.

https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html
"""

import datetime
import json
import re
import zoneinfo

from ministack.services import scheduler

from local_engine.strictness._refusing import Data, Refused, before, before_provisioning
from local_engine.strictness._roles import require_trust

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)(s?)\)")
_CRON = re.compile(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)")
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")


def apply() -> None:
    """Validate schedules, whether they come over the API or from CloudFormation."""
    before(scheduler, "_create_schedule", _validate)
    before(scheduler, "_update_schedule", _validate)
    before_provisioning("AWS::Scheduler::Schedule", _validate)


def is_rate(expression: str) -> bool:
    """Return whether it is a rate of EventBridge: a positive number, and a unit in the singular for one only."""
    match = _RATE.fullmatch(expression)
    return match is not None and int(match[1]) > 0 and (match[3] == "s") == (int(match[1]) != 1)


def _validate(data: Data) -> None:
    expression = data["ScheduleExpression"]
    if not (_is_rate(expression) or _is_cron(expression) or _is_time(expression)):
        raise _invalid(f"Invalid Schedule Expression {expression}.")
    timezone = data.get("ScheduleExpressionTimezone", "UTC")
    if timezone not in zoneinfo.available_timezones():
        raise _invalid("Invalid ScheduleExpressionTimezone.")
    window = data["FlexibleTimeWindow"]
    if (window["Mode"] == "FLEXIBLE") != (window.get("MaximumWindowInMinutes") is not None):
        raise _invalid("MaximumWindowInMinutes must be provided exactly when FlexibleTimeWindow mode is FLEXIBLE.")
    start, end = data.get("StartDate"), data.get("EndDate")
    if start and end and str(end) <= str(start):
        raise _invalid("EndDate must be after StartDate.")
    _validate_target(data["Target"])


def _validate_target(target: Data) -> None:
    require_trust(
        target["RoleArn"],
        "scheduler.amazonaws.com",
        _invalid("The execution role you provide must allow AWS EventBridge Scheduler to assume the role."),
    )
    if target["Arn"].startswith("arn:aws:scheduler:::aws-sdk:"):
        try:
            json.loads(target.get("Input") or "")
        except ValueError:
            raise _invalid("Invalid RequestJson provided. Reason: the Input of a universal target is JSON.") from None


def _is_rate(expression: str) -> bool:
    # Unlike EventBridge's rules, Scheduler takes either number of a unit.
    match = _RATE.fullmatch(expression)
    return match is not None and int(match[1]) > 0


def _is_cron(expression: str) -> bool:
    match = _CRON.fullmatch(expression)
    return match is not None and (match[3] == "?") != (match[5] == "?")


def _is_time(expression: str) -> bool:
    match = _AT.fullmatch(expression)
    if not match:
        return False
    try:
        datetime.datetime.fromisoformat(match[1])
    except ValueError:
        return False
    return True


def _invalid(message: str) -> Refused:
    return Refused("ValidationException", message)
