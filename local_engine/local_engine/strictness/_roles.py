"""Whether a service may assume a role."""

import json

from ministack.services import iam

from local_engine.strictness._refusing import Refused


def require_trust(arn: str, service: str, refused: Refused) -> None:
    """Raise the refusal unless the role exists and its trust policy lets the service, or its Regional name, assume it.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_terms-and-concepts.html
    """
    role = iam._roles.get(arn.rsplit("/", 1)[-1]) or {}
    document = role.get("AssumeRolePolicyDocument") or "{}"
    policy = json.loads(document) if isinstance(document, str) else document
    statements = policy.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal")
        named = principal.get("Service", []) if isinstance(principal, dict) else []
        trusted = {name.partition(".")[0] for name in ([named] if isinstance(named, str) else named)}
        if statement["Effect"] == "Allow" and service.partition(".")[0] in trusted:
            return
    raise refused
