"""What an IAM role may do, and what a resource's policy lets a service do."""

import time
from typing import Any

from ministack import app
from ministack.core.arn import parse_arn
from ministack.core.iam_evaluator import (
    EvalContext,
    _gather_role_policies,
    evaluate,
    evaluate_resource_policy,
)
from ministack.core.responses import get_region

# A poller checks many times a second. A result is kept briefly: a policy that a deployment has just
# attached must count soon, one that was taken away a little later, as on AWS.
_KEPT_ALLOWED = 5.0
_KEPT_DENIED = 0.5
_MOST_KEPT = 5000
_answers: dict[tuple[str, str, str], tuple[float, bool]] = {}


def role_allows(role_arn: str, action: str, resource: str) -> bool:
    """Return whether a role's policies allow an action on a resource; the answer may be some seconds old."""
    key = (role_arn, action, resource)
    now = time.monotonic()
    known = _answers.get(key)
    if known and now < known[0]:
        return known[1]
    allowed = role_allows_now(role_arn, action, resource)
    if len(_answers) > _MOST_KEPT:
        _answers.clear()
    _answers[key] = (now + (_KEPT_ALLOWED if allowed else _KEPT_DENIED), allowed)
    return allowed


def role_allows_now(role_arn: str, action: str, resource: str) -> bool:
    """Return whether a role's policies, inline and managed, allow an action on a resource."""
    if not app.AUTH:
        return True
    account = parse_arn(role_arn).account_id
    name = role_arn.rsplit("/", 1)[-1]
    context = EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{name}/engine",
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=get_region(),
    )
    return bool(evaluate(context, _gather_role_policies(name, account)).decision == "Allow")


def service_allowed(policy: Any, service: str, action: str, resource: str, source_arn: str) -> bool:
    """Return whether a resource's policy lets a service act on behalf of a source (a topic, a log group)."""
    if not app.AUTH:
        return True
    account = parse_arn(source_arn).account_id
    context = EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action=action,
        resource_arn=resource,
        region=get_region(),
        service_context={"aws:sourcearn": source_arn, "aws:sourceaccount": account},
    )
    return bool(evaluate_resource_policy(policy or "", context, service=service).decision == "Allow")
