"""What roles and policies allow, wherever it is written: in a role, a managed policy, a policy attached to a role, or
the policies of a SAM function that has no role of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fanout_wiring._graph import Graph
from fanout_wiring._policies import statements
from fanout_wiring._stack import FUNCTION, Resource
from fanout_wiring._values import as_dict, as_list

ROLE = "AWS::IAM::Role"
MANAGED = "AWS::IAM::ManagedPolicy"
ATTACHED = ("AWS::IAM::Policy", "AWS::IAM::RolePolicy")
_DOCUMENTS = (ROLE, MANAGED, *ATTACHED, "AWS::IAM::UserPolicy", "AWS::IAM::GroupPolicy", "AWS::IAM::User", FUNCTION)

# The policy templates of SAM that this is about: what they grant, {} being their one argument.
_SAM_TEMPLATES = {
    "SNSPublishMessagePolicy": ("TopicName", ["sns:Publish"]),
    "KMSDecryptPolicy": ("KeyId", ["kms:Decrypt"]),
    "KMSEncryptPolicy": ("KeyId", ["kms:Encrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]),
}


@dataclass(frozen=True)
class Grant:
    """One statement, and its position."""

    resource: Resource
    keys: tuple[str | int, ...]
    statement: dict[str, Any]


def written(graph: Graph) -> Iterator[Grant]:
    """Yield every statement of an identity policy document."""
    for resource in graph.of(*_DOCUMENTS):
        yield from _of(resource)


def _of(resource: Resource) -> Iterator[Grant]:
    own = resource.properties
    if "PolicyDocument" in own:
        for statement in statements(own):
            yield Grant(resource, ("Properties", "PolicyDocument"), statement)
    if resource.type == FUNCTION and "Role" in own:
        return  # SAM ignores Policies beside a role
    for index, policy in enumerate(as_list(own.get("Policies"))):
        keys = ("Properties", "Policies", index)
        # SAM takes the document as it is, IAM wants it inside a policy with a name.
        document = policy if "Statement" in as_dict(policy) else as_dict(policy).get("PolicyDocument")
        for statement in statements({"PolicyDocument": document}):
            yield Grant(resource, keys, statement)


def managed(resource: Resource) -> list[Any]:
    """Return the ARNs or names of the managed policies that a role or SAM function lists."""
    own = resource.properties
    policies = [] if resource.type != FUNCTION or "Role" in own else as_list(own.get("Policies"))
    return [*as_list(own.get("ManagedPolicyArns")), *(each for each in policies if isinstance(each, str))]


@dataclass(frozen=True)
class Grantee:
    """A principal with all of its permissions in the templates."""

    resource: Resource
    statements: list[dict[str, Any]]


def grantees(graph: Graph) -> Iterator[Grantee]:
    """Every role and SAM function, with what is attached to it; and every managed policy that is attached to none."""
    held: set[str] = set()
    for holder in graph.of(ROLE, FUNCTION):
        if holder.type == FUNCTION and "Role" in holder.properties:
            continue
        attached = [policy for arn in managed(holder) if (policy := graph.find(arn, MANAGED)) is not None]
        for policy in graph.of(MANAGED, *ATTACHED):
            named = [*as_list(policy.properties.get("Roles")), *as_list(policy.properties.get("RoleName"))]
            if any(graph.find(name) is holder or name == holder.properties.get("RoleName", holder) for name in named):
                attached.append(policy)
        held |= {policy.path for policy in attached}
        grants = [grant.statement for each in (holder, *attached) for grant in _of(each)]
        yield Grantee(holder, [*grants, *_from_sam(holder)])
    for policy in graph.of(MANAGED):
        if policy.path not in held:
            yield Grantee(policy, [grant.statement for grant in _of(policy)])


def _from_sam(function: Resource) -> Iterator[dict[str, Any]]:
    if function.type == FUNCTION:
        for policy in as_list(function.properties.get("Policies")):
            for name, arguments in as_dict(policy).items():
                if name in _SAM_TEMPLATES:
                    argument, allowed = _SAM_TEMPLATES[name]
                    yield {"Effect": "Allow", "Action": allowed, "Resource": as_dict(arguments).get(argument)}
