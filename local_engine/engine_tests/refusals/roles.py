"""What IAM refuses."""

import json
from typing import Any

from engine_tests.aws import ACCOUNT, Aws, allow
from engine_tests.refusals.refusal import Refusal

_QUOTAS = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"
_MESSAGES = "https://github.com/getmoto/moto/blob/master/moto/iam/policy_validation.py"
_MODULE = "strictness/roles.py"
_SHAPES = "strictness/request_shapes.py"
_ROLE = "https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html"
_POLICY = "https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html"
_PUT = "https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html"


def _trust(**changes: Any) -> dict[str, Any]:
    """A trust policy with these elements of its statement changed, or left out if None."""
    statement = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    kept = {name: value for name, value in {**statement, **changes}.items() if value is not None}
    return {"Version": "2012-10-17", "Statement": [kept]}


def _rights(**changes: Any) -> dict[str, Any]:
    """An identity policy, changed in the same way."""
    statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
    kept = {name: value for name, value in {**statement, **changes}.items() if value is not None}
    return {"Version": "2012-10-17", "Statement": [kept]}


def _many(count: int) -> dict[str, Any]:
    """An identity policy of count resources of about a hundred characters each."""
    return allow("sqs:SendMessage", [f"arn:aws:sqs:*:*:{number:080}" for number in range(count)])


def _create(aws: Aws, trust: Any = None, **properties: Any) -> Any:
    document = trust if isinstance(trust, str) else json.dumps(trust or _trust())
    return aws.iam.create_role(RoleName=aws.name("role"), AssumeRolePolicyDocument=document, **properties)


def _create_policy(aws: Aws, document: Any, **properties: Any) -> Any:
    text = document if isinstance(document, str) else json.dumps(document)
    return aws.iam.create_policy(PolicyName=aws.name("policy"), PolicyDocument=text, **properties)


def _put(aws: Aws, document: Any, name: str = "rights") -> None:
    role = aws.role().rpartition("/")[2]
    aws.iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def _attach(aws: Aws, *policies: str) -> None:
    role = aws.role().rpartition("/")[2]
    for policy in policies:
        aws.iam.attach_role_policy(RoleName=role, PolicyArn=policy)


def _eleven_policies(aws: Aws) -> list[str]:
    return [_create_policy(aws, _rights())["Policy"]["Arn"] for _ in range(11)]


def _role(**properties: Any) -> dict[str, Any]:
    return {
        "Resources": {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": _trust(), **properties}}
        }
    }


def _with_rights(document: Any) -> dict[str, Any]:
    return _role(Policies=[{"PolicyName": "rights", "PolicyDocument": document}])


def _managed(document: Any, **properties: Any) -> dict[str, Any]:
    return {
        "Resources": {
            "Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document, **properties}}
        }
    }


def _malformed(name: str, rule: str, text: str, document: dict[str, Any], source: str = _MESSAGES) -> Refusal:
    """A rule about identity policies: broken by an inline policy over the API and by a managed one in a template."""
    return Refusal(
        id=f"iam-{name}",
        rule=rule,
        source=source,
        code="MalformedPolicyDocument",
        text=text,
        held=_MODULE,
        call=lambda aws: _put(aws, document),
        template=_managed(document),
    )


def _untrusted(name: str, rule: str, text: str, trust: dict[str, Any], source: str = _MESSAGES) -> Refusal:
    """A rule about trust policies."""
    return Refusal(
        id=f"iam-{name}",
        rule=rule,
        source=source,
        code="MalformedPolicyDocument",
        text=text,
        held=_MODULE,
        call=lambda aws: _create(aws, trust),
        template=_role(AssumeRolePolicyDocument=trust),
    )


REFUSALS = (
    Refusal(
        id="iam-a-policy-is-json",
        rule="A policy is a JSON document",
        source=_MESSAGES,
        code="MalformedPolicyDocument",
        text="Syntax errors in policy.",
        held=_MODULE,
        call=lambda aws: _create_policy(aws, "Allow everything"),
    ),
    _malformed(
        "a-policy-has-a-known-version",
        "The version of a policy is 2012-10-17 or 2008-10-17",
        "Syntax errors in policy.",
        {**_rights(), "Version": "2012-10-18"},
    ),
    _malformed(
        "a-policy-has-a-known-effect",
        "The effect of a statement is Allow or Deny",
        "Syntax errors in policy.",
        _rights(Effect="Permit"),
    ),
    _malformed(
        "a-policy-names-no-principal",
        "An identity policy has no principal",
        "Policy document should not specify a principal.",
        _rights(Principal="*"),
        "https://github.com/hashicorp/terraform-provider-aws/issues/10419",
    ),
    _malformed(
        "a-policy-has-actions",
        "A statement has an Action or a NotAction",
        "Policy statement must contain actions.",
        _rights(Action=None),
    ),
    _malformed(
        "a-policy-has-resources",
        "A statement of an identity policy has a Resource or a NotResource",
        "Policy statement must contain resources.",
        _rights(Resource=None),
    ),
    _malformed(
        "a-resource-is-an-arn",
        "A resource is an ARN or *",
        'Resource orders must be in ARN format or "*".',
        _rights(Resource="orders"),
    ),
    _malformed(
        "an-action-names-its-service",
        "An action has the form service:action",
        "Actions/Conditions must be prefaced by a vendor",
        _rights(Action="SendMessage"),
    ),
    _malformed(
        "statement-ids-are-unique",
        "Statement ids are unique within a policy",
        "Statement IDs (SID) in a single policy must be unique.",
        {"Version": "2012-10-17", "Statement": [*_rights(Sid="Send")["Statement"], *_rights(Sid="Send")["Statement"]]},
    ),
    _untrusted(
        "a-trust-policy-names-no-resource",
        "A trust policy has no resource",
        "Has prohibited field Resource",
        _trust(Resource="*"),
    ),
    _untrusted(
        "a-trust-policy-names-a-principal",
        "A statement of a trust policy has a principal",
        "Principal",
        _trust(Principal=None),
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html",
    ),
    _untrusted(
        "a-trust-policy-has-sts-actions-only",
        "A trust policy has actions of STS only",
        "Trust Policy statement actions can only be sts:AssumeRole",
        _trust(Action="sqs:SendMessage"),
    ),
    Refusal(
        id="iam-a-trust-policy-has-2048-characters-at-most",
        rule="A trust policy has 2,048 characters at most, not counting white space",
        source="https://github.com/kubeflow/dashboard/issues/29",
        code="LimitExceeded",
        text="Cannot exceed quota for ACLSizePerRole: 2048",
        held=_MODULE,
        call=lambda aws: _create(aws, _trust(Sid="a" * 2048)),
        template=_role(AssumeRolePolicyDocument=_trust(Sid="a" * 2048)),
    ),
    Refusal(
        id="iam-a-managed-policy-has-6144-characters-at-most",
        rule="A managed policy has 6,144 characters at most, not counting white space",
        source="https://github.com/ministryofjustice/analytical-platform/issues/6873",
        code="LimitExceeded",
        text="Cannot exceed quota for PolicySize: 6144",
        held=_MODULE,
        call=lambda aws: _create_policy(aws, _many(70)),
        template=_managed(_many(70)),
    ),
    Refusal(
        id="iam-inline-policies-have-10240-characters-at-most",
        rule="All inline policies of a role have 10,240 characters at most, not counting white space",
        source="https://github.com/aws/copilot-cli/issues/5917",
        code="LimitExceeded",
        text="Maximum policy size of 10240 bytes exceeded for role",
        held=_MODULE,
        call=lambda aws: _put(aws, _many(120)),
        template=_with_rights(_many(120)),
    ),
    Refusal(
        id="iam-a-role-has-10-managed-policies-at-most",
        rule="A role has 10 managed policies at most, unless the account's quota is raised",
        source=_QUOTAS,
        code="LimitExceeded",
        text="Cannot exceed quota for PoliciesPerRole: 10",
        held=_MODULE,
        call=lambda aws: _attach(aws, *_eleven_policies(aws)),
        template=lambda aws: _role(ManagedPolicyArns=_eleven_policies(aws)),
    ),
    Refusal(
        id="iam-an-attached-policy-exists",
        rule="A policy that is attached to a role exists",
        source="https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html",
        code="NoSuchEntity",
        text="does not exist or is not attachable",
        held=_MODULE,
        call=lambda aws: _attach(aws, f"arn:aws:iam::{ACCOUNT}:policy/missing"),
        template=_role(ManagedPolicyArns=[f"arn:aws:iam::{ACCOUNT}:policy/missing"]),
    ),
    Refusal(
        id="iam-a-role-name-has-64-characters-at-most",
        rule="The name of a role has 64 characters at most",
        source=_ROLE,
        code="ValidationError",
        text="Member must have length less than or equal to 64",
        held=_SHAPES,
        call=lambda aws: aws.iam.create_role(RoleName="r" * 65, AssumeRolePolicyDocument=json.dumps(_trust())),
    ),
    Refusal(
        id="iam-a-session-lasts-12-hours-at-most",
        rule="The longest session of a role is 1 to 12 hours",
        source=_ROLE,
        code="ValidationError",
        text="Member must have value less than or equal to 43200",
        held=_SHAPES,
        call=lambda aws: _create(aws, MaxSessionDuration=43_201),
    ),
    Refusal(
        id="iam-a-role-description-has-1000-characters-at-most",
        rule="The description of a role has 1,000 characters at most",
        source=_ROLE,
        code="ValidationError",
        text="Member must have length less than or equal to 1000",
        held=_SHAPES,
        call=lambda aws: _create(aws, Description="d" * 1001),
    ),
    Refusal(
        id="iam-a-path-begins-and-ends-with-a-slash",
        rule="A path begins and ends with a slash",
        source=_POLICY,
        code="ValidationError",
        text="Member must satisfy regular expression pattern",
        held=_SHAPES,
        call=lambda aws: _create_policy(aws, _rights(), Path="/fanout"),
    ),
    Refusal(
        id="iam-a-policy-name-has-no-spaces",
        rule="The name of a policy has letters, digits and +=,.@-_ only",
        source=_PUT,
        code="ValidationError",
        text="Member must satisfy regular expression pattern",
        held=_SHAPES,
        call=lambda aws: _put(aws, _rights(), name="my rights"),
    ),
)
