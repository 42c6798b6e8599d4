"""What a deployment needs from its account, and what it left there. A check returns findings and changes nothing."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from fanout_cli.first_deployment.plan import Client, Plan

# One job of batch_jobs with its default of 40 chunks at a time, and one batch of every subscriber beside it.
# New accounts have less than the default of 1,000: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
CONCURRENT_EXECUTIONS = 100
QUOTA = "L-B99A9384"
"""Concurrent executions in Service Quotas, service code lambda."""

# Use case -> parameter with the sender of its mail, and the subscriber that sends it.
SENDERS = {
    "user_registration": ("SenderAddress", "user_registration/notify_service"),
    "order_workflow": ("OrderSenderAddress", "order_workflow/notification"),
    "order_processing": ("ProcessingSenderAddress", "order_processing/customer_notification"),
}
SQL_SUBSCRIBER = "database_changes/replicate_to_sql"
BUCKET_STACK = "aws-sam-cli-managed-default"
_EMBEDDED = re.compile(r"Embedded stack (arn:\S+) was not successfully")


@dataclass(frozen=True)
class Finding:
    """Something that blocks the deployment, or that the operator must know."""

    problem: str
    next_step: str
    name: str = ""
    """The name for --accept, to continue nevertheless; "" if that cannot work."""
    subscribers: tuple[str, ...] = ()
    """Whose deliveries are expected to fail while it is accepted."""


Check = Callable[[Client, Plan], list[Finding]]


# ------------------------------------------------------------------------------------------------------------- before
def stack_can_be_deployed(client: Client, plan: Plan) -> list[Finding]:
    """Check whether CloudFormation can create or update the stack, and SAM CLI can use its bucket.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
    """
    found = []
    for name in (BUCKET_STACK, plan.stack_name):
        status = stack_status(client, name)
        if status in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}:
            reasons = "".join(f"\n  {line}" for line in failures(client, name))
            found.append(
                Finding(
                    f"stack {name} is {status}: it can only be deleted.{reasons}",
                    f"Fix the cause. Then: aws cloudformation delete-stack --stack-name {name}; "
                    f"aws cloudformation wait stack-delete-complete --stack-name {name}; then run this again.",
                )
            )
        elif status == "UPDATE_ROLLBACK_FAILED":
            found.append(
                Finding(
                    f"stack {name} is {status}",
                    f"Fix the cause. Then: aws cloudformation continue-update-rollback --stack-name {name}",
                )
            )
        elif status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
            found.append(Finding(f"stack {name} is {status}", "Wait until it is done, then run this again."))
    return found


def concurrency_suffices(client: Client, plan: Plan) -> list[Finding]:
    """Check whether Lambda runs enough functions at a time.

    Service Quotas gives the quota, Lambda what is in effect; new accounts may have less than their quota says.
    """
    quota = client("service-quotas").get_service_quota(ServiceCode="lambda", QuotaCode=QUOTA)["Quota"]["Value"]
    effective = client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    if min(quota, effective) >= CONCURRENT_EXECUTIONS:
        return []
    return [
        Finding(
            f"the account runs {effective:g} Lambda functions at a time in {plan.region} (quota {quota:g}); "
            f"the application needs {CONCURRENT_EXECUTIONS}",
            "aws service-quotas request-service-quota-increase --service-code lambda "
            f"--quota-code {QUOTA} --desired-value 1000 --region {plan.region}. With less, functions are throttled.",
            "concurrency",
        )
    ]


def mail_can_be_sent(client: Client, plan: Plan) -> list[Finding]:
    """Check whether SES sends mail from the senders, and to whom."""
    senders = {
        plan.parameters[parameter]: (parameter, subscriber)
        for use_case, (parameter, subscriber) in SENDERS.items()
        if plan.deploys(use_case)
    }
    if not senders:
        return []
    ses, found = client("sesv2"), []
    mailers = tuple(subscriber for _, subscriber in senders.values())
    account = ses.get_account()
    if not account["SendingEnabled"]:
        found.append(Finding("SES has stopped sending for this account", "See the SES console.", "mail", mailers))
    if not account["ProductionAccessEnabled"]:
        found.append(
            Finding(
                f"SES is in the sandbox in {plan.region}: it sends to verified addresses and its simulator only",
                "Enough to try the application. To mail customers, request production access in the SES console.",
                "mail-sandbox",
                mailers,
            )
        )
    for sender, (parameter, subscriber) in senders.items():
        if not any(_verified(ses, identity) for identity in (sender, sender.rpartition("@")[2])):
            found.append(
                Finding(
                    f"{parameter} is {sender}, which is not verified in SES in {plan.region}",
                    f"aws sesv2 create-email-identity --email-identity {sender} (its owner clicks a link), and name it "
                    f"in samconfig.toml: {parameter}=...",
                    "mail",
                    (subscriber,),
                )
            )
    return found


def _verified(ses: Any, identity: str) -> bool:
    try:
        return bool(ses.get_email_identity(EmailIdentity=identity)["VerifiedForSendingStatus"])
    except ses.exceptions.NotFoundException:
        return False


def short_messages_can_be_sent(client: Client, plan: Plan) -> list[Finding]:
    """Check whether SNS sends short messages to AlertPhoneNumber, if there is one.

    https://docs.aws.amazon.com/sns/latest/dg/sns-sms-sandbox.html
    """
    number = plan.parameters["AlertPhoneNumber"]
    if not number or not plan.deploys("system_alerts"):
        return []
    sns = client("sns")
    if not sns.get_sms_sandbox_account_status()["IsInSandbox"]:
        return []
    pages = sns.get_paginator("list_sms_sandbox_phone_numbers").paginate()
    numbers = {each["PhoneNumber"]: each["Status"] for page in pages for each in page["PhoneNumbers"]}
    if numbers.get(number) == "Verified":
        return []
    return [
        Finding(
            f"SNS is in the SMS sandbox in {plan.region}, and AlertPhoneNumber ({number}) is not verified",
            f"aws sns create-sms-sandbox-phone-number --phone-number {number}, then verify-sms-sandbox-phone-number.",
            "sms",
        )
    ]


# -------------------------------------------------------------------------------------------------------------- after
def stack_is_complete(client: Client, plan: Plan) -> list[Finding]:
    """Check whether every resource of every nested stack is there."""
    complete = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    wrong = [each for each in resources(client, plan.stack_name) if each["ResourceStatus"] not in complete]
    return [
        Finding(f"{each['LogicalResourceId']} ({each['ResourceType']}) is {each['ResourceStatus']}", "See its stack.")
        for each in wrong
    ]


def no_alarm_fires(client: Client, plan: Plan) -> list[Finding]:
    """Check whether an alarm of the stack is in state ALARM."""
    pages = client("cloudwatch").get_paginator("describe_alarms")
    firing = [
        alarm
        for page in pages.paginate(AlarmNamePrefix=f"{plan.stack_name}-", StateValue="ALARM")
        for alarm in page["MetricAlarms"]
    ]
    return [
        Finding(f"alarm {each['AlarmName']}: {each.get('AlarmDescription', '')}", "See docs/operations.md.", "alarms")
        for each in firing
    ]


def operator_is_confirmed(client: Client, plan: Plan) -> list[Finding]:
    """Check whether alarms reach an operator."""
    if not plan.parameters["OperatorEmail"]:
        return [
            Finding("OperatorEmail is not set: alarms have no recipient", "Name one in samconfig.toml.", "operator")
        ]
    topic = outputs(client, plan.stack_name)["AlarmTopicArn"]
    pages = client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
    if any(each["SubscriptionArn"].startswith("arn:") for page in pages for each in page["Subscriptions"]):
        return []
    return [
        Finding(
            f"{plan.parameters['OperatorEmail']} has not confirmed the subscription to the alarms",
            "Click the link in the mail from AWS Notifications. It is valid for three days; then deploy again.",
            "operator",
        )
    ]


def sql_replica_is_named(client: Client, plan: Plan) -> list[Finding]:
    """Check whether the secret of database_changes says where the SQL replica is."""
    if not plan.deploys("database_changes"):
        return []
    secret = outputs(client, plan.stack_name)["SqlSecretArn"]
    if '"dsn"' in client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]:
        return []
    return [
        Finding(
            "the secret of database_changes names no PostgreSQL: changes for it become dead letters after hours",
            f"aws secretsmanager put-secret-value --secret-id {secret} --secret-string file://dsn.json. Without a "
            "PostgreSQL, deploy with DeployDatabaseChanges=false.",
            "sql-replica",
            (SQL_SUBSCRIBER,),
        )
    ]


# ------------------------------------------------------------------------------------------------------------ reading
def stack_status(client: Client, name: str) -> str:
    """Return a stack's status, "" if there is none."""
    try:
        return str(client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        return ""


def outputs(client: Client, name: str) -> dict[str, str]:
    """Return a stack's outputs."""
    [stack] = client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}


def resources(client: Client, stack_name: str) -> Iterator[dict[str, Any]]:
    """Yield every resource of a stack and of those nested in it."""
    pages, waiting = client("cloudformation").get_paginator("list_stack_resources"), [stack_name]
    while waiting:
        for page in pages.paginate(StackName=waiting.pop()):
            for each in page["StackResourceSummaries"]:
                yield each
                if each["ResourceType"] == "AWS::CloudFormation::Stack" and each.get("PhysicalResourceId"):
                    waiting.append(each["PhysicalResourceId"])


def events(client: Client, stack: str) -> Iterator[dict[str, Any]]:
    """Yield a stack's events, the last one first; a deleted stack's by its ARN, for 90 days."""
    for page in client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack):
        yield from page["StackEvents"]


def nested_stack(event: Mapping[str, Any]) -> str:
    """Return the ARN of the nested stack that an event of its parent is about, else ""."""
    if event["ResourceType"] != "AWS::CloudFormation::Stack" or event.get("PhysicalResourceId") == event["StackId"]:
        return ""
    named = _EMBEDDED.search(event.get("ResourceStatusReason", ""))
    return str(named[1] if named else event.get("PhysicalResourceId", ""))


def failures(client: Client, stack: str) -> list[str]:
    """Return what made the last operation of a stack fail, in nested stacks as well, the first failure first."""
    found: list[str] = []
    for event in events(client, stack):
        status, reason = event["ResourceStatus"], event.get("ResourceStatusReason", "")
        if event.get("PhysicalResourceId") == event["StackId"]:
            if status in {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"}:
                break
        elif status not in {"CREATE_FAILED", "UPDATE_FAILED"} or "cancelled" in reason:
            continue
        elif nested := nested_stack(event):
            found += reversed(failures(client, nested))
        else:
            found.append(f"{event['StackName']} {event['LogicalResourceId']} ({event['ResourceType']}): {reason}")
    return found[::-1]
