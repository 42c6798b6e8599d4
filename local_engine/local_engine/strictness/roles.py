"""What IAM refuses of policies, trust policies and roles.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
Texts: https://github.com/getmoto/moto/blob/master/moto/iam/policy_validation.py
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import iam

from local_engine.strictness._refusing import Data, Refused, before_provisioning

_MANAGED_LIMIT, _INLINE_LIMIT, _TRUST_LIMIT, _ATTACHMENTS = 6_144, 10_240, 2_048, 10
_VERSIONS = ("2012-10-17", "2008-10-17")
_ASSUME = re.compile(
    r"sts:(AssumeRole|AssumeRoleWithSAML|AssumeRoleWithWebIdentity|TagSession|Set\w+|\*)", re.IGNORECASE
)
_STATUS = {"LimitExceeded": 409, "NoSuchEntity": 404}


def apply() -> None:
    """Validate policies and roles, whether they come over the API or from CloudFormation."""
    engine_message = iam_evaluator.validate_policy_document

    def message(document: Any) -> str | None:
        try:
            _validate_identity(document)
        except Refused as refused:
            return str(refused)
        found: str | None = engine_message(document)
        return found

    iam_evaluator.validate_policy_document = message
    _before("CreateRole", lambda data: _validate_trust(data["AssumeRolePolicyDocument"]))
    _before("UpdateAssumeRolePolicy", lambda data: _validate_trust(data["PolicyDocument"]))
    _before("CreatePolicy", lambda data: _limit(data["PolicyDocument"], _MANAGED_LIMIT, "PolicySize"))
    _before("CreatePolicyVersion", lambda data: _limit(data["PolicyDocument"], _MANAGED_LIMIT, "PolicySize"))
    _before("PutRolePolicy", _validate_inline)
    _before("AttachRolePolicy", _validate_attachment)
    before_provisioning("AWS::IAM::Role", _validate_role)
    before_provisioning("AWS::IAM::ManagedPolicy", _validate_managed)


def _before(action: str, check: Callable[[Data], None]) -> None:
    original = iam._IAM_HANDLERS[action]

    def handle(parameters: Data) -> Any:
        try:
            check({name: iam._p(parameters, name) for name in parameters})
        except Refused as refused:
            return iam._error(_STATUS.get(refused.code, 400), refused.code, str(refused), ns="iam")
        return original(parameters)

    iam._IAM_HANDLERS[action] = handle


# ---------------------------------------------------------------------------------------------------------- documents
def _malformed(message: str) -> Refused:
    return Refused("MalformedPolicyDocument", message)


def _statements(document: Any) -> Iterator[Data]:
    try:
        policy = json.loads(document) if isinstance(document, str) else document
    except ValueError:
        raise _malformed("Syntax errors in policy.") from None
    if not isinstance(policy, dict) or not policy.get("Statement"):
        raise _malformed("Syntax errors in policy.")
    # CloudFormation gives a version that YAML reads as a date.
    if str(policy.get("Version", _VERSIONS[1])) not in _VERSIONS:
        raise _malformed("Syntax errors in policy.")
    for statement in _listed(policy["Statement"]):
        if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
            raise _malformed("Syntax errors in policy.")
        if not (statement.get("Action") or statement.get("NotAction")):
            raise _malformed("Policy statement must contain actions.")
        yield statement


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _validate_identity(document: Any) -> None:
    known: set[str] = set()
    for statement in _statements(document):
        if "Principal" in statement or "NotPrincipal" in statement:
            raise _malformed("Policy document should not specify a principal.")
        resources = _listed(statement.get("Resource") or statement.get("NotResource") or [])
        if not resources:
            raise _malformed("Policy statement must contain resources.")
        for resource in resources:
            if resource != "*" and not str(resource).startswith("arn:"):
                raise _malformed(f'Resource {resource} must be in ARN format or "*".')
        for action in _listed(statement.get("Action") or statement.get("NotAction")):
            if action != "*" and ":" not in str(action):
                raise _malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
        if statement.get("Sid"):
            if statement["Sid"] in known:
                raise _malformed("Statement IDs (SID) in a single policy must be unique.")
            known.add(statement["Sid"])


def _validate_trust(document: Any) -> None:
    for statement in _statements(document):
        if "Resource" in statement or "NotResource" in statement:
            raise _malformed("Has prohibited field Resource.")
        if "Principal" not in statement and "NotPrincipal" not in statement:
            raise _malformed("Missing required field Principal")
        if any(not _ASSUME.fullmatch(str(action)) for action in _listed(statement.get("Action") or [])):
            raise _malformed(
                "Trust Policy statement actions can only be sts:AssumeRole, "
                "sts:AssumeRoleWithSAML,  and sts:AssumeRoleWithWebIdentity"
            )
    _limit(document, _TRUST_LIMIT, "ACLSizePerRole")


def _size(document: Any) -> int:
    """IAM counts no white space."""
    text = document if isinstance(document, str) else json.dumps(document, separators=(",", ":"))
    return len(re.sub(r"\s", "", text))


def _limit(document: Any, limit: int, quota: str) -> None:
    if _size(document) > limit:
        raise Refused("LimitExceeded", f"Cannot exceed quota for {quota}: {limit}")


# -------------------------------------------------------------------------------------------------------------- roles
def _validate_inline(data: Data) -> None:
    role = iam._roles.get(data["RoleName"]) or {"InlinePolicies": {}}
    _limit_inline(role["InlinePolicies"] | {data["PolicyName"]: data["PolicyDocument"]}, data["RoleName"])


def _limit_inline(policies: Data, role: str) -> None:
    # The quota is for all inline policies of the role together.
    if sum(map(_size, policies.values())) > _INLINE_LIMIT:
        raise Refused("LimitExceeded", f"Maximum policy size of {_INLINE_LIMIT} bytes exceeded for role {role}")


def _validate_attachment(data: Data) -> None:
    arn, role = data["PolicyArn"], iam._roles.get(data["RoleName"]) or {}
    _require_policy(arn)
    if len({*role.get("AttachedPolicies", []), arn}) > _ATTACHMENTS:
        raise Refused("LimitExceeded", f"Cannot exceed quota for PoliciesPerRole: {_ATTACHMENTS}")


def _require_policy(arn: str) -> None:
    """Refuse a policy of the account that does not exist; managed policies of AWS are not checked."""
    if f":{get_account_id()}:policy/" in arn and arn not in iam._policies:
        raise Refused("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.")


def _validate_role(properties: Data) -> None:
    _validate_trust(properties.get("AssumeRolePolicyDocument"))
    policies = {policy["PolicyName"]: policy["PolicyDocument"] for policy in properties.get("Policies") or []}
    for document in policies.values():
        _validate_identity(document)
    _limit_inline(policies, properties.get("RoleName") or "")
    attached = set(properties.get("ManagedPolicyArns") or [])
    for arn in attached:
        _require_policy(arn)
    if len(attached) > _ATTACHMENTS:
        raise Refused("LimitExceeded", f"Cannot exceed quota for PoliciesPerRole: {_ATTACHMENTS}")


def _validate_managed(properties: Data) -> None:
    _validate_identity(properties.get("PolicyDocument"))
    _limit(properties.get("PolicyDocument"), _MANAGED_LIMIT, "PolicySize")
