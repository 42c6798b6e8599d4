"""Roles: one for each function, each statement exact."""

import re
from typing import Any

import pytest

from fanout_wiring import FUNCTION, Composition
from tests.template.application import ROOT
from tests.template.deployments import Mistake, as_list, properties, statements

PERMISSIONS = ROOT / "platform" / "permissions.yaml"
TEAM_EVENTS = ROOT / "usecases" / "team_events" / "template.yaml"
REGISTRATION = ROOT / "usecases" / "user_registration" / "template.yaml"

# Where a resource in a role or managed policy ends in a wildcard, and why nothing narrower is possible.
# A resource that is nothing but a wildcard is a matter of E9113.
WILDCARDS = {
    r"arn:aws:logs:.*:log-group:<.+>:log-stream:\*": {
        "logs:CreateLogStream": "the Lambda runtime names the log streams",
        "logs:PutLogEvents": "the Lambda runtime names the log streams",
    },
    r"arn:aws:s3:::<.+>/[a-z_]+/\*": {
        "s3:GetObject": "one use case's claim checks; their keys are digests",
        "s3:PutObject": "one use case's claim checks; their keys are digests",
    },
    r"<.*ArchiveBucket\.Arn>/logs/\*": {"s3:PutObject": "the archive's keys hold service, day and hour"},
    r"<.*TrailBucket\.Arn>/documents/\*": {
        "s3:GetObject": "the trail's keys hold tenant and event",
        "s3:GetObjectVersion": "the trail's keys hold tenant and event",
        "s3:PutObject": "the trail's keys hold tenant and event",
    },
    r"<.*UnpublishedBucket\.Arn>/changes/\*": {"s3:PutObject": "the keys hold table and sequence number"},
    r"<.*UnpublishedBucket\.Arn>/aws/lambda/\*": {"s3:PutObject": "Lambda names the objects: mapping, shard, day"},
    r"<.*LakeBucket\.Arn>/(events|rejected)/\*": {
        "s3:AbortMultipartUpload": "Firehose names the objects",
        "s3:GetObject": "Firehose names the objects",
        "s3:PutObject": "Firehose names the objects",
    },
    r"<.*JobBucket\.Arn>/inputs/\*": {"s3:GetObject": "the requester of a job names its input"},
    r"<.*JobBucket\.Arn>/(work|work/maps|results)/\*": {
        "s3:GetObject": "the keys of a job's files hold the job's id",
        "s3:PutObject": "the keys of a job's files hold the job's id",
        "s3:AbortMultipartUpload": "the keys of a job's files hold the job's id",
        "s3:ListMultipartUploadParts": "a Distributed Map names its files",
    },
    r"arn:aws:s3:::partner-files/incoming/\*": {"s3:GetObject": "the requester of a job names its input"},
    r"arn:aws:ses:.*:identity/\*": {"ses:SendEmail": "the person who registers or orders names the recipient"},
    r"arn:aws:states:.*:execution:<.*JobMachine\.Name>[:/]\*": {
        "states:DescribeExecution": "an execution is named after its job, or by a Distributed Map",
        "states:StopExecution": "a Distributed Map names its executions",
    },
}

# Actions with a wildcard that AWS's own documentation asks for.
WILDCARD_ACTIONS = {"kms:GenerateDataKey*", "kms:ReEncrypt*"}


def test_a_role_that_mails_may_mail_anyone_as_one_address(deployment: Composition) -> None:
    """In its sandbox SES checks the recipient's identity too: https://github.com/aws/aws-sdk-js/issues/3641."""
    problems = []
    for resource, statement in statements(deployment):
        if "ses:SendEmail" not in as_list(statement["Action"]):
            continue
        if not any(target.endswith(":identity/*") for target in as_list(statement["Resource"])):
            problems.append(f"{resource.path}: SES answers AccessDenied where its sandbox should refuse the recipient")
        if (statement.get("Condition") or {}).get("StringEquals", {}).keys() != {"ses:FromAddress"}:
            problems.append(f"{resource.path}: it may send as any address of the account")
    assert problems == []


@pytest.mark.guarantee("least-privilege/own-role")
def test_a_function_has_a_role_of_its_own(deployment: Composition) -> None:
    """Without one SAM attaches a policy for all queues of the account."""
    problems = []
    roles = [function.properties.get("Role") for function in deployment.of(FUNCTION)]
    for function, role in zip(deployment.of(FUNCTION), roles, strict=True):
        found = deployment.by_arn(role)
        if found is None:
            problems.append(f"{function.path}: no explicit role")
        elif roles.count(role) > 1:
            problems.append(f"{function.path}: shares its role")
        elif "Policies" in function.properties:
            problems.append(f"{function.path}: SAM ignores Policies beside an explicit role")
    assert problems == []


@pytest.mark.guarantee("least-privilege/actions", "least-privilege/claim-checks")
def test_a_statement_names_its_actions_and_resources(deployment: Composition) -> None:
    """It lists its actions; a wildcard below a resource's name has its reason in WILDCARDS."""
    problems = []
    for resource, statement in statements(deployment):
        actions = as_list(statement["Action"])
        for target in as_list(statement["Resource"]):
            allowed = next((reasons for pattern, reasons in WILDCARDS.items() if re.fullmatch(pattern, target)), {})
            if "*" in target and target != "*" and not set(actions) <= allowed.keys():
                problems.append(f"{resource.path}: {statement.get('Sid')} allows {actions} on {target}")
        for action in actions:
            if "*" in action and action not in WILDCARD_ACTIONS:
                problems.append(f"{resource.path}: {statement.get('Sid')} allows {action}")
        if not statement.get("Sid"):
            problems.append(f"{resource.path}: a statement without a Sid that says what it is for")
    assert problems == []


@pytest.mark.guarantee("least-privilege/key")
def test_a_grant_on_the_key_is_for_one_service(deployment: Composition) -> None:
    """A role may use the key through the service whose data it may touch, and not by itself."""
    problems = []
    for resource, statement in statements(deployment):
        if any(action.startswith("kms:") for action in as_list(statement["Action"])):
            through = (statement.get("Condition") or {}).get("StringEquals", {}).get("kms:ViaService")
            if not through:
                problems.append(f"{resource.path}: {statement.get('Sid')} may use the key for anything")
    assert problems == []


# ------------------------------------------------------------------------------------------------------------- mistakes


def _send_mail(template: dict[str, Any]) -> dict[str, Any]:
    statements = properties(template, "NotifyServicePolicy")["PolicyDocument"]["Statement"]
    statement: dict[str, Any] = next(each for each in statements if each["Sid"] == "SendMail")
    return statement


MISTAKES: list[Mistake] = [
    *(
        (test_a_role_that_mails_may_mail_anyone_as_one_address, REGISTRATION, change)
        for change in (
            lambda t: _send_mail(t)["Resource"].pop(0),
            lambda t: _send_mail(t).pop("Condition"),
        )
    ),
    (test_a_function_has_a_role_of_its_own, TEAM_EVENTS, lambda t: properties(t, "TeamAFunction").pop("Role")),
    (
        test_a_function_has_a_role_of_its_own,
        TEAM_EVENTS,
        lambda t: properties(t, "TeamAFunction").update(Role=properties(t, "TeamBFunction")["Role"]),
    ),
    (
        test_a_statement_names_its_actions_and_resources,
        TEAM_EVENTS,
        lambda t: properties(t, "TeamASubscriber")["Parameters"].update(
            TableArn={"Fn::Sub": "${FeedTable.Arn}/index/*"}
        ),
    ),
    (
        test_a_statement_names_its_actions_and_resources,
        TEAM_EVENTS,
        lambda t: properties(t, "TeamASubscriber")["Parameters"].update(TableActions="dynamodb:*"),
    ),
    (
        test_a_grant_on_the_key_is_for_one_service,
        PERMISSIONS,
        lambda t: properties(t, "TableKeyPolicy")["PolicyDocument"]["Statement"][0].pop("Condition"),
    ),
]
