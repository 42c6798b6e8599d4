"""The steps that remove everything: the stack, what it retains, and what was uploaded for it.

CloudFormation itself says what a deleted stack has retained, for 90 days. So nothing is remembered on this machine, and
a run that was interrupted is simply started again. It also finds what earlier stacks of the same name have retained.
"""

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from fanout_cli.errors import UsageError
from fanout_cli.first_deployment import checks
from fanout_cli.first_deployment.checks import Finding, events, nested_stack, resources, stack_status
from fanout_cli.first_deployment.plan import Client
from fanout_cli.first_deployment.steps import Run, Step, carry_out
from fanout_cli.output import note

# The shortest that AWS takes for both. Neither costs anything while it waits.
# https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys.html
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/manage_delete-secret.html
WAITING_DAYS = 7
_GONE = {
    *("NoSuchBucket", "ResourceNotFoundException", "NotFoundException"),
    "KMSInvalidStateException",  # its deletion is already scheduled
    "InvalidRequestException",  # a secret that is already marked as deleted
}


def remove(run: Run) -> None:
    """Delete everything that belongs to the stack. Raises UserError if something has to be done by hand first."""
    if run.plan.parameters["Stage"] == "prod":
        raise UsageError(
            "a stack of stage prod is not removed by a command",
            "docs/first-deployment.md has the commands. Documents under COMPLIANCE cannot be deleted by anyone.",
        )
    carry_out(run, CHECKS, all_at_once=True)
    carry_out(run, STEPS, all_at_once=False)
    note(f"{run.plan.stack_name} is removed.")


def _policies_are_detached(run: Run) -> list[Finding]:
    """Report the stack's managed policies that other roles have: they block its deletion (DeleteConflict)."""
    if not stack_status(run.client, run.plan.stack_name):
        return []
    iam, found = run.client("iam"), []
    listed = list(resources(run.client, run.plan.stack_name))
    own = {each["PhysicalResourceId"] for each in listed if each["ResourceType"] == "AWS::IAM::Role"}
    for policy in (each for each in listed if each["ResourceType"] == "AWS::IAM::ManagedPolicy"):
        arn = policy["PhysicalResourceId"]
        entities = iam.list_entities_for_policy(PolicyArn=arn)
        for kind in ("Role", "User", "Group"):
            for name in (each[f"{kind}Name"] for each in entities[f"Policy{kind}s"]):
                if name not in own:
                    found.append(
                        Finding(
                            f"{kind.lower()} {name} has the policy {arn} of the stack, which blocks its deletion",
                            f"aws iam detach-{kind.lower()}-policy --{kind.lower()}-name {name} --policy-arn {arn}",
                        )
                    )
    return found


def _delete_stack(run: Run) -> list[Finding]:
    if stack_status(run.client, run.plan.stack_name):
        region = ("--region", run.plan.region) if run.plan.region else ()
        run.command("sam", "delete", "--config-env", run.plan.config_env, "--no-prompts", *region)
    # SAM CLI ends with 0 also when it has deleted nothing.
    status = stack_status(run.client, run.plan.stack_name)
    return [Finding(f"stack {run.plan.stack_name} is {status}", "See its events.")] if status else []


def _delete_retained(run: Run) -> list[Finding]:
    retained, found = _retained(run.client, run.plan.stack_name), []
    for resource_type, delete in DELETIONS.items():  # the key is the last: the others are encrypted with it
        for name in sorted(name for kind, name in retained if kind == resource_type):
            try:
                left = delete(run.client, name)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _GONE:
                    raise
                continue
            if left:
                found.append(Finding(f"bucket {name}: {left}", "Run this again when they are not locked any more."))
                continue
            note(f"  {resource_type} {name}")
    others = [each for each in sorted(retained) if each[0] not in {*DELETIONS, *_GONE_WITH_THEIRS}]
    return [*found, *(Finding(f"{kind} {name} is retained", "Delete it by hand.") for kind, name in others)]


def _delete_artifacts(run: Run) -> list[Finding]:
    """Delete what `sam deploy` uploaded: SAM CLI's bucket keeps every version of it."""
    if stack_status(run.client, checks.BUCKET_STACK):
        bucket = checks.outputs(run.client, checks.BUCKET_STACK)["SourceBucket"]
        _empty(run.client("s3"), bucket, f"{run.plan.artifacts}/", {})
    return []


def _retained(client: Client, stack_name: str) -> set[tuple[str, str]]:
    """Return type and physical id of what deleted stacks of this name, and stacks nested in them, have retained.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackEvents.html
    """
    cloudformation = client("cloudformation")
    pages = cloudformation.get_paginator("list_stacks").paginate(StackStatusFilter=["DELETE_COMPLETE"])
    deleted = [each for page in pages for each in page["StackSummaries"]]
    roots = {each["StackId"] for each in deleted if each["StackName"] == stack_name}
    # Those that an update has removed since are named by their RootId only.
    waiting = sorted(roots | {each["StackId"] for each in deleted if each.get("RootId") in roots})
    seen, found = set(waiting), set()
    while waiting:
        for event in events(client, waiting.pop()):
            nested = nested_stack(event)
            if nested and nested not in seen:
                seen.add(nested)
                waiting.append(nested)
            if event["ResourceStatus"] == "DELETE_SKIPPED" and event.get("PhysicalResourceId"):
                found.add((event["ResourceType"], event["PhysicalResourceId"]))
    return found


def _delete_bucket(client: Client, bucket: str) -> str:
    s3, options = client("s3"), {}
    try:
        s3.get_object_lock_configuration(Bucket=bucket)
        # Takes s3:BypassGovernanceRetention. In COMPLIANCE mode nothing helps but time.
        options = {"BypassGovernanceRetention": True}
    except ClientError as error:
        if error.response["Error"]["Code"] != "ObjectLockConfigurationNotFoundError":
            raise
    locked = _empty(s3, bucket, "", options)
    if locked:
        return f"{locked} versions are locked or may not be deleted by these credentials (s3:BypassGovernanceRetention)"
    s3.delete_bucket(Bucket=bucket)
    return ""


def _empty(s3: Any, bucket: str, prefix: str, options: Mapping[str, bool]) -> int:
    """Delete every version and delete marker under a prefix; return how many could not be deleted."""
    left = 0
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if versions:
            keys = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in versions]
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True}, **options)
            left += len(answer.get("Errors", []))
    return left


def _delete_table(client: Client, table: str) -> str:
    client("dynamodb").delete_table(TableName=table)
    return ""


def _delete_secret(client: Client, secret: str) -> str:
    client("secretsmanager").delete_secret(SecretId=secret, RecoveryWindowInDays=WAITING_DAYS)
    return ""


def _delete_log_group(client: Client, group: str) -> str:
    client("logs").delete_log_group(logGroupName=group)
    return ""


def _delete_key(client: Client, key: str) -> str:
    client("kms").schedule_key_deletion(KeyId=key, PendingWindowInDays=WAITING_DAYS)
    return ""


DELETIONS: Mapping[str, Callable[[Client, str], str]] = {
    "AWS::S3::Bucket": _delete_bucket,
    "AWS::DynamoDB::Table": _delete_table,
    "AWS::SecretsManager::Secret": _delete_secret,
    "AWS::Logs::LogGroup": _delete_log_group,
    "AWS::KMS::Key": _delete_key,
}
# A bucket's policy is gone with its bucket, and a function's versions with the function, which is never retained.
_GONE_WITH_THEIRS = {"AWS::S3::BucketPolicy", "AWS::Lambda::Version"}

CHECKS = (Step("Check for attached policies", _policies_are_detached),)
STEPS = (
    Step("Delete the stack", _delete_stack),
    Step("Delete what the stack retains", _delete_retained),
    Step("Delete what was uploaded", _delete_artifacts),
)
