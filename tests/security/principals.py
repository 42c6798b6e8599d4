"""A role of the deployed application as an attacker holds it, and what it is tried with."""

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.integration.application import ROOT, Application
from tests.security.needs import use_case

# One session for all: it reads the service models once.
_SESSION = boto3.Session(aws_access_key_id="unused", aws_secret_access_key="unused", region_name="us-east-1")
_REFUSED = re.compile(r"AccessDenied|AuthorizationError|MissingAuthenticationToken|UnrecognizedClientException")
_NESTED = "AWS::CloudFormation::Stack"
_TABLE_ACTIONS = ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan")
_OBJECT_ACTIONS = ("GetObject", "PutObject", "DeleteObject")


@dataclass(frozen=True)
class Deployed:
    """The resources of the application by their path, from the stacks: {path: (type, physical id)}."""

    application: Application
    resources: dict[str, tuple[str, str]]

    @classmethod
    def of(cls, application: Application) -> "Deployed":
        """Walk the stacks."""
        cloudformation = application.client("cloudformation")
        found: dict[str, tuple[str, str]] = {}
        left = [("", application.stack_name)]
        while left:
            path, stack = left.pop()
            for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack):
                for each in page["StackResourceSummaries"]:
                    name = f"{path}{each['LogicalResourceId']}"
                    found[name] = (each["ResourceType"], each["PhysicalResourceId"])
                    if each["ResourceType"] == _NESTED:
                        left.append((f"{name}/", each["PhysicalResourceId"]))
        return cls(application, found)

    def of_type(self, kind: str) -> dict[str, str]:
        """{path: physical id} of a type: `SQS::Queue`."""
        return {path: name for path, (found, name) in self.resources.items() if found == f"AWS::{kind}"}

    @cached_property
    def function_roles(self) -> dict[str, str]:
        """{path: role name} of every role that Lambda assumes."""
        iam = self.application.client("iam")
        return {
            path: name
            for path, name in self.of_type("IAM::Role").items()
            if "lambda.amazonaws.com" in json.dumps(iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"])
        }


class Principal:
    """A caller with credentials of the engine, or without valid ones."""

    def __init__(self, application: Application, key: str, secret: str, token: str | None = None) -> None:
        self._endpoint = application.endpoint
        self._credentials = {"aws_access_key_id": key, "aws_secret_access_key": secret, "aws_session_token": token}
        self._clients: dict[str, Any] = {}

    @classmethod
    def holding(cls, application: Application, role: str) -> "Principal":
        """The role's credentials, as an attacker who controls a function has them.

        Only Lambda may assume it, so for one call its trust policy names the account, too; what the role may do does
        not change. role: its name.
        """
        iam, sts = application.client("iam"), application.client("sts")
        found = iam.get_role(RoleName=role)["Role"]
        trust = found["AssumeRolePolicyDocument"]
        account = sts.get_caller_identity()["Account"]
        opened = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
        iam.update_assume_role_policy(
            RoleName=role, PolicyDocument=json.dumps({**trust, "Statement": [*trust["Statement"], opened]})
        )
        try:
            held = sts.assume_role(RoleArn=found["Arn"], RoleSessionName="attacker")["Credentials"]
        finally:
            iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))
        return cls(application, held["AccessKeyId"], held["SecretAccessKey"], held["SessionToken"])

    @classmethod
    def user(cls, application: Application, name: str, *policies: str) -> "Principal":
        """A new user of the account with these managed policies and no others."""
        iam = application.client("iam")
        iam.create_user(UserName=name)
        for policy in policies:
            iam.attach_user_policy(UserName=name, PolicyArn=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return cls(application, key["AccessKeyId"], key["SecretAccessKey"])

    @classmethod
    def anonymous(cls, application: Application) -> "Principal":
        """A caller that reaches the endpoint without credentials."""
        return cls(application, "", "")

    def client(self, service: str) -> Any:
        """A client that sends what it is given, valid or not, once."""
        if service not in self._clients:
            self._clients[service] = _SESSION.client(  # type: ignore[call-overload]
                service,
                endpoint_url=self._endpoint,
                config=Config(
                    retries={"total_max_attempts": 1},
                    parameter_validation=False,
                    max_pool_connections=4,
                    signature_version=None if self._credentials["aws_access_key_id"] else UNSIGNED,
                ),
                **self._credentials,
            )
        return self._clients[service]

    def allowed(self, attempts: Iterator["Attempt"]) -> set[tuple[str, str]]:
        """Make the attempts; return those that were not refused, as (resource, action)."""
        with ThreadPoolExecutor(4) as pool:
            made = list(attempts)
            for service in sorted({attempt.service for attempt in made}):
                self.client(service)  # making a client is not for several threads
            refused = pool.map(lambda attempt: is_refused(attempt.call, self.client(attempt.service)), made)
            return {(one.resource, one.action) for one, no in zip(made, refused, strict=True) if not no}


@dataclass(frozen=True)
class Attempt:
    """One call that changes nothing even if it is allowed: what it asks for is wrong, absent, or empty."""

    resource: str
    action: str
    service: str
    call: Callable[[Any], Any]


def is_refused(call: Callable[[Any], Any], client: Any) -> bool:
    """Whether IAM refuses a call. Any other answer, an error as well, comes from behind IAM."""
    try:
        call(client)
    except ClientError as error:
        return bool(_REFUSED.search(error.response["Error"]["Code"]))
    return False


def attempts(deployed: Deployed, owner: str = "") -> Iterator[Attempt]:
    """Everything that is tried. owner: a path in the use case that the principal belongs to, if it does.

    Of another use case's queues only sending and receiving are tried with such a one: what may not even receive there
    has no receipt handle, and all the calls have to be made in seconds.
    """
    for path, table in deployed.of_type("DynamoDB::Table").items():
        for action in _TABLE_ACTIONS:
            yield Attempt(path, action, "dynamodb", _on_table(action, table))
    for path, name in deployed.of_type("Lambda::Function").items():
        yield Attempt(path, "InvokeFunction", "lambda", _on_function(name))
    for path, arn in deployed.of_type("StepFunctions::StateMachine").items():
        yield Attempt(path, "StartExecution", "stepfunctions", _on_machine(arn))
    for path, url in deployed.of_type("SQS::Queue").items():
        for action in ("SendMessage", "ReceiveMessage", "DeleteMessage", "PurgeQueue"):
            if not owner or use_case(path) == use_case(owner) or action in ("SendMessage", "ReceiveMessage"):
                yield Attempt(path, action, "sqs", _on_queue(action, url))
    for path, bucket in deployed.of_type("S3::Bucket").items():
        for prefix in _PREFIXES.get(path, ("anything",)):
            for action in _OBJECT_ACTIONS:
                yield Attempt(f"{path}:{prefix}", action, "s3", _on_object(action, bucket, f"{prefix}/no-such-thing"))
    for path, arn in deployed.of_type("SNS::Topic").items():
        yield Attempt(path, "Publish", "sns", lambda client, arn=arn: client.publish(TopicArn=arn, Message=""))
    for path, arn in deployed.of_type("SecretsManager::Secret").items():
        yield Attempt(
            path, "GetSecretValue", "secretsmanager", lambda client, arn=arn: client.get_secret_value(SecretId=arn)
        )


_USE_CASES = tuple(sorted(file.parent.name for file in ROOT.glob("usecases/*/template.yaml")))
# Where policies distinguish prefixes, each of them, and one that no policy names.
_PREFIXES = {
    "ClaimChecks/Bucket": (*_USE_CASES, "anything"),
    "ApplicationLogs/ArchiveBucket": ("logs", "anything"),
    "AuditLogs/TrailBucket": ("documents", "anything"),
    "BatchJobs/JobBucket": ("inputs", "work", "results", "anything"),
    "DataAggregation/LakeBucket": ("events", "rejected"),
    "DatabaseChanges/UnpublishedBucket": ("changes", "aws/lambda", "anything"),
}


def _on_table(action: str, table: str) -> Callable[[Any], Any]:
    key = {"no-such-key": {"S": "x"}}
    match action:
        case "GetItem":
            return lambda client: client.get_item(TableName=table, Key=key)
        case "PutItem":
            return lambda client: client.put_item(TableName=table, Item=key)
        case "UpdateItem":
            return lambda client: client.update_item(TableName=table, Key=key)
        case "DeleteItem":
            return lambda client: client.delete_item(TableName=table, Key=key)
        case "Query":
            return lambda client: client.query(TableName=table, KeyConditionExpression="no-such-key")
    return lambda client: client.scan(TableName=table, Limit=1)


def _on_function(name: str) -> Callable[[Any], Any]:
    return lambda client: client.invoke(FunctionName=name, InvocationType="DryRun")


def _on_machine(arn: str) -> Callable[[Any], Any]:
    return lambda client: client.start_execution(stateMachineArn=arn, input="no JSON")


def _on_queue(action: str, url: str) -> Callable[[Any], Any]:
    match action:
        case "SendMessage":
            return lambda client: client.send_message(QueueUrl=url, MessageBody="")
        case "ReceiveMessage":
            return lambda client: client.receive_message(
                QueueUrl=url, MaxNumberOfMessages=1, VisibilityTimeout=0, WaitTimeSeconds=0
            )
        case "DeleteMessage":
            return lambda client: client.delete_message(QueueUrl=url, ReceiptHandle="no-such-handle")
    return lambda client: client.purge_queue(QueueUrl=url)


def _on_object(action: str, bucket: str, key: str) -> Callable[[Any], Any]:
    match action:
        case "GetObject":
            return lambda client: client.get_object(Bucket=bucket, Key=key)
        case "PutObject":  # the digest of something else: refused by S3 once IAM has let it through
            return lambda client: client.put_object(
                Bucket=bucket, Key=key, Body=b"x", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg=="
            )
    return lambda client: client.delete_object(Bucket=bucket, Key=key)
