"""Roles: a publisher may use its topic's key, and no role may use every resource."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from cfnlint.data import AdditionalSpecs
from cfnlint.helpers import load_resource

from fanout_wiring._grants import Grantee, grantees, managed, written
from fanout_wiring._graph import KEY, TOPIC, Graph
from fanout_wiring._policies import TO_ENCRYPT, actions, allows, conditions, key_policy
from fanout_wiring._rule import PAGE, Finding, WiringRule
from fanout_wiring._stack import Resource
from fanout_wiring._values import as_list

# Services whose ARNs begin with the resource's name; all others have its type before it.
_NAME_FIRST = ("s3", "sqs", "sns", "execute-api")
# The list gives these an optional resource, which is rarely the one that is used: metrics have no ARN.
_OPTIONAL = re.compile(r"cloudwatch:(putmetricdata|getmetricdata|listmetrics)")
# SAM takes the policy's name alone, too.
_EVERYTHING = re.compile(r"(?:arn:[^:]*:iam::aws:policy/(?:.*/)?)?(\w*(?:FullAccess|PowerUser\w*|AdministratorAccess))")


class PublisherWithoutKey(WiringRule):
    """A publisher to an encrypted topic needs the topic's key."""

    id = "E9112"
    shortdesc = "Who may publish to an encrypted topic may use the topic's key"
    description = "sns:Publish alone is refused with KMSAccessDenied when the topic has a customer managed key"
    page = source_url = f"{PAGE}sns/latest/dg/sns-key-management.html"

    def findings(self, graph: Graph) -> Iterator[Finding]:
        for grantee in grantees(graph):
            for topic in _publishes_to(graph, grantee):
                key = graph.key_of(topic.properties.get("KmsMasterKeyId"))
                if key is None or (isinstance(key, str) and key.endswith("alias/aws/sns")):
                    continue  # an AWS managed key is open to its account, through SNS
                if not _may_use(graph, grantee, key):
                    name = key.path if isinstance(key, Resource) else key
                    yield Finding(
                        grantee.resource,
                        ("Properties",),
                        f"{grantee.resource.logical_id} may publish to {topic.path} but not use its key {name}; allow "
                        "kms:GenerateDataKey and kms:Decrypt on the key, through sns if kms:ViaService is asked",
                    )


def _publishes_to(graph: Graph, grantee: Grantee) -> list[Resource]:
    topics: dict[str, Resource] = {}
    for statement in grantee.statements:
        if allows(statement, "sns:Publish"):
            for target in as_list(statement.get("Resource")):
                found = graph.of(TOPIC) if target == "*" else [graph.find(target, TOPIC)]
                topics |= {topic.path: topic for topic in found if topic is not None}
    return list(topics.values())


def _may_use(graph: Graph, grantee: Grantee, key: Resource | str) -> bool:
    return all(
        any(
            allows(statement, action)
            and _through_sns(statement)
            and any(target == "*" or graph.key_of(target) == key for target in as_list(statement.get("Resource")))
            for statement in grantee.statements
        )
        or (isinstance(key, Resource) and _key_lets(graph, grantee, key, action))
        for action in TO_ENCRYPT
    )


def _through_sns(statement: dict[str, Any]) -> bool:
    services = conditions(statement, "kms:ViaService")
    return services is None or any(str(service).startswith(("sns.", "*")) for service in services)


def _key_lets(graph: Graph, grantee: Grantee, key: Resource, action: str) -> bool:
    """Return whether the key policy names the role."""
    return key.type == KEY and any(
        allows(statement, action)
        and isinstance(statement.get("Principal"), dict)
        and any(graph.find(arn) is grantee.resource for arn in as_list(statement["Principal"].get("AWS")))
        for statement in key_policy(key.properties)
    )


class WildcardResource(WiringRule):
    """A role names the resources it may use."""

    id = "E9113"
    shortdesc = "A role names the resources it may touch"
    description = "A wildcard in place of a name only for actions that know no resources, as AWS lists them"
    page = source_url = f"{PAGE}IAM/latest/UserGuide/best-practices.html"

    def findings(self, graph: Graph) -> Iterator[Finding]:
        for grant in written(graph):
            for reason in _too_wide(grant.statement):
                yield Finding(grant.resource, grant.keys, f"statement {grant.statement.get('Sid', '')} {reason}")
        for holder in graph.of("AWS::IAM::Role", "AWS::Serverless::Function", "AWS::IAM::User"):
            for arn in managed(holder):
                if found := _EVERYTHING.fullmatch(str(arn)):
                    yield Finding(
                        holder,
                        ("Properties",),
                        f"{holder.logical_id} has {found[1]}, which names no resource; write a policy that does",
                    )


def _too_wide(statement: dict[str, Any]) -> Iterator[str]:
    if statement.get("Effect") != "Allow":
        return
    for name in ("NotAction", "NotResource"):
        if name in statement:
            yield f"allows everything but what {name} lists; list what is allowed"
    for action in actions(statement):
        if re.fullmatch(r"\*|[a-z0-9-]+:\*", action):
            yield f"allows {action}; list the actions"
    wide = [str(target) for target in as_list(statement.get("Resource")) if is_wide(str(target))]
    narrowable = sorted(str(each) for each in as_list(statement.get("Action")) if knows_resources(str(each)))
    if wide and narrowable:
        yield f"allows {', '.join(narrowable)} on {', '.join(wide)}; name the resource"


@cache
def is_wide(resource: str) -> bool:
    """Return whether a wildcard replaces the account or the name of a resource.

    Below a name it is narrow: the objects of a bucket, the streams of a log group, the indexes of a table.
    """
    if beyond := re.fullmatch(r"<[^>]*>(.*)", resource, re.DOTALL):  # the ARN of a resource, and what is below it
        return "*" in beyond[1] and beyond[1][0] not in "/:"
    text = re.sub(r"<[^>]*>", "X", resource)
    parts = text.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        return "*" in text
    _, _, service, region, account, rest = parts
    if "*" in service + region + account:
        return True
    segments = rest.split(":") if service == "logs" else re.split("[:/]", rest)
    if service == "secretsmanager":
        segments = [re.sub(r"-(\*|\?{6})$", "", segment) for segment in segments]
    until_name = segments[: 1 if service in _NAME_FIRST else 2]
    return any("*" in segment or "?" in segment for segment in until_name)


@cache
def knows_resources(action: str) -> bool:
    """Return whether an action can be limited to resources; for a pattern, whether any matching action can.

    From the list of AWS's service authorization reference that comes with cfn-lint. What is not in it, can.
    """
    if _OPTIONAL.fullmatch(action.lower()):
        return False
    service, _, name = action.lower().partition(":")
    known = _actions().get(service)
    matching = [about for known_name, about in (known or {}).items() if fnmatchcase(known_name, name)]
    return not matching or any(about.get("Resources") for about in matching)


@cache
def _actions() -> dict[str, dict[str, Any]]:
    services = load_resource(AdditionalSpecs, "Policies.json")
    return {service: about.get("Actions", {}) for service, about in services.items()}
