"""Statements of policy documents."""

import re
from fnmatch import fnmatchcase
from typing import Any

from fanout_wiring._values import as_dict, as_list

TO_ENCRYPT = ("kms:GenerateDataKey", "kms:Decrypt")
"""The actions on its key that a writer to an encrypted topic or queue needs."""


def statements(properties: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the statements of the policy document in a resource's properties."""
    document = as_dict(properties.get("PolicyDocument"))
    return [each for each in as_list(document.get("Statement")) if isinstance(each, dict)]


def key_policy(properties: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the statements of the policy of a key."""
    return statements({"PolicyDocument": properties.get("KeyPolicy")})


def services(statement: dict[str, Any]) -> list[str]:
    """Return the services that a statement of a resource policy is about; all principals are `*`."""
    principal = statement.get("Principal")
    if isinstance(principal, dict):
        everybody = ["*"] if "*" in as_list(principal.get("AWS")) else []
        return [*map(str, as_list(principal.get("Service"))), *everybody]
    return [str(principal)]


def service_may(policy: list[dict[str, Any]], service: str, *wanted: str) -> bool:
    """Return whether the statements of a resource policy allow a service all of these actions."""
    return all(
        any(allows(each, action) and {service, "*"} & set(services(each)) for each in policy)
        and not denies(policy, service, action)
        for action in wanted
    )


def denies(policy: list[dict[str, Any]], service: str, action: str) -> bool:
    """Return whether the statements deny a service an action in every request. Ignores statements with conditions."""
    return any(
        each.get("Effect") == "Deny"
        and not each.get("Condition")
        and _covers(each, action)
        and {service, "*"} & set(services(each))
        for each in policy
    )


def actions(statement: dict[str, Any]) -> list[str]:
    """Return a statement's actions in lower case, as IAM compares them."""
    return [str(action).lower() for action in as_list(statement.get("Action"))]


def allows(statement: dict[str, Any], action: str) -> bool:
    """Whether a statement of effect Allow covers an action, given in full."""
    return statement.get("Effect") == "Allow" and _covers(statement, action)


def _covers(statement: dict[str, Any], action: str) -> bool:
    return any(fnmatchcase(action.lower(), pattern) for pattern in actions(statement))


def conditions(statement: dict[str, Any], key: str) -> list[Any] | None:
    """Return the values that a statement's conditions ask a context key to equal or to be like; None if none asks."""
    found: list[Any] | None = None
    for operator, wanted in as_dict(statement.get("Condition")).items():
        if re.fullmatch(r"(ForAnyValue:)?(String|Arn)(Equals|EqualsIgnoreCase|Like)(IfExists)?", operator):
            for name, values in as_dict(wanted).items():
                if name.lower() == key.lower():
                    found = [*(found or []), *as_list(values)]
    return found
