"""EventBridge Scheduler runs functions that its role may not run, and runs them once.

Symptom: a schedule whose role lacks lambda:InvokeFunction works; a function that fails is not tried again, and its
failure goes to no destination.
Cause: `eventbridge._dispatch_to_lambda` runs the function on a thread, for rules and schedules alike, and never sees
the role.
Patch: a schedule's function is invoked asynchronously, as on AWS, if the schedule's role may do it. The schedule's own
RetryPolicy, for calls that Lambda did not accept, has no part here: the engine accepts them all.
It can go when upstream does both.
"""

import json
import logging
from typing import Any

from ministack.services import eventbridge

from local_engine.compat import async_invocations
from local_engine.compat._permissions import role_allows

_logger = logging.getLogger("fanout")


def apply() -> None:
    """Invoke the functions of schedules as their roles allow."""
    original = eventbridge._invoke_target

    def invoke(target: dict[str, Any], event: Any, rule: dict[str, Any], view: Any = None) -> None:
        arn = target.get("Arn", "")
        is_schedule = "FlexibleTimeWindow" in rule
        if not is_schedule or ":lambda:" not in arn:
            original(target, event, rule, view)
        elif role_allows(target["RoleArn"], "lambda:InvokeFunction", arn):
            async_invocations.invoke(arn, json.loads(target.get("Input") or "{}"))
        else:
            _logger.warning("%s: its role may not invoke %s", rule.get("Name"), arn)

    eventbridge._invoke_target = invoke
