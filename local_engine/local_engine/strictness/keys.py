"""What KMS refuses of keys, key policies and aliases.

https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html
https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html
https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
"""

import json
from fnmatch import fnmatchcase
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import iam, kms

from local_engine.strictness._refusing import Data, Refused, before, before_provisioning

_MALFORMED = "MalformedPolicyDocumentException"
_PENDING = ("PendingDeletion", "PendingReplicaDeletion")
_NOT_WHILE_PENDING = (
    "_create_alias",
    "_disable_key",
    "_enable_key",
    "_enable_key_rotation",
    "_schedule_key_deletion",
    "_update_key_description",
)


def apply() -> None:
    """Validate keys and aliases, whether they come over the API or from CloudFormation."""
    before(kms, "_create_key", _validate_key)
    before(kms, "_put_key_policy", _validate_key)
    before(kms, "_create_alias", _validate_alias)
    for function in _NOT_WHILE_PENDING:
        before(kms, function, _require_usable)
    before(kms, "_cancel_key_deletion", _require_pending)
    # The engine's provisioner of keys checks none of this when it changes a key's policy.
    before_provisioning("AWS::KMS::Key", _validate_resource)
    before_provisioning("AWS::KMS::Alias", lambda properties: _require_key(properties["TargetKeyId"]))


def _validate_resource(properties: Data) -> None:
    _validate_key({"Policy": properties.get("KeyPolicy"), **properties})


def _validate_key(data: Data) -> None:
    document = data.get("Policy")
    if not document:
        return
    try:
        policy = json.loads(document) if isinstance(document, str) else document
        statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    except (ValueError, KeyError, TypeError):
        raise Refused(_MALFORMED, "The key policy is not a valid JSON policy document.") from None
    for statement in statements:
        for principal in _principals(statement):
            _require_principal(principal)
    bypass = str(data.get("BypassPolicyLockoutSafetyCheck", False)).lower() == "true"
    if not bypass and not any(_lets_the_account_change_it(statement) for statement in statements):
        raise Refused(_MALFORMED, "The new key policy will not allow you to update the key policy in the future.")


def _principals(statement: Data) -> list[str]:
    principal = statement.get("Principal")
    named: Any = principal.get("AWS", []) if isinstance(principal, dict) else principal or []
    if not named and not (isinstance(principal, dict) and principal) and "NotPrincipal" not in statement:
        raise Refused(_MALFORMED, "Each statement in the key policy must contain one or more principals.")
    return [named] if isinstance(named, str) else named


def _require_principal(principal: str) -> None:
    """Refuse a role or user of the account that does not exist; other accounts are not checked."""
    kind, _, name = principal.rpartition(":")[2].partition("/")
    store = {"role": iam._roles, "user": iam._users}.get(kind)
    if f"::{get_account_id()}:" in principal and store is not None and name.rpartition("/")[2] not in store:
        raise Refused(_MALFORMED, "Policy contains a statement with one or more invalid principals.")


def _lets_the_account_change_it(statement: Data) -> bool:
    actions = statement.get("Action") or []
    return (
        statement.get("Effect") == "Allow"
        and any(f"::{get_account_id()}:" in each or each in ("*", get_account_id()) for each in _principals(statement))
        and any(
            fnmatchcase("kms:putkeypolicy", action.lower())
            for action in ([actions] if isinstance(actions, str) else actions)
        )
    )


def _validate_alias(data: Data) -> None:
    if str(data.get("AliasName", "")).startswith("alias/aws/"):
        raise Refused("NotAuthorizedException", "The alias/aws/ prefix is reserved for AWS managed keys.")


def _require_key(key: str) -> None:
    record = kms._resolve_key(key)
    if not record:
        raise Refused("NotFoundException", f"Key '{key}' does not exist")
    _require_usable({"KeyId": key})


def _require_usable(data: Data) -> None:
    record = kms._resolve_key(data.get("KeyId") or data.get("TargetKeyId") or "")
    if record and record["KeyState"] in _PENDING:
        raise Refused("KMSInvalidStateException", f"{record['Arn']} is pending deletion.")


def _require_pending(data: Data) -> None:
    record = kms._resolve_key(data.get("KeyId", ""))
    if record and record["KeyState"] not in _PENDING:
        raise Refused("KMSInvalidStateException", f"{record['Arn']} is not pending deletion.")
