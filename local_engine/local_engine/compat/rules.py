"""EventBridge rules run functions that do not let them, and run them once.

Symptom: a rule invokes a function whose policy does not name it; a function that fails is not tried again.
Cause: `eventbridge._dispatch_to_lambda` runs the function on a thread and never sees its policy.
Patch: a rule's function is invoked asynchronously, as on AWS, if the function's policy lets the rule. (Schedules are in
`schedules`, which runs their functions before this is called.)
It can go when upstream does both.
"""

import json
import logging
from typing import Any

from ministack.services import eventbridge, lambda_svc

from local_engine.compat import async_invocations
from local_engine.compat._permissions import service_allowed

_logger = logging.getLogger("fanout")


def apply() -> None:
    """Invoke the functions of rules as their policies allow."""
    original = eventbridge._invoke_target

    def invoke(target: dict[str, Any], event: Any, rule: dict[str, Any], view: Any = None) -> None:
        if ":lambda:" not in target.get("Arn", "") or "FlexibleTimeWindow" in rule:
            original(target, event, rule, view)
            return
        base, _, _ = lambda_svc._get_base_func_record_for_ref(target["Arn"])
        policy = (base or {}).get("policy")
        if service_allowed(policy, "events.amazonaws.com", "lambda:InvokeFunction", target["Arn"], rule["Arn"]):
            original(target, event, rule, view)
        else:
            _logger.warning("%s: the policy of %s does not let it", rule.get("Name"), target["Arn"])

    def dispatch(function: str, payload: str) -> None:
        async_invocations.invoke(function, json.loads(payload))

    eventbridge._invoke_target = invoke
    eventbridge._dispatch_to_lambda = dispatch
