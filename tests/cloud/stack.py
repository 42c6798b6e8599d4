"""A stack on AWS as a test sees it: what the tests on the engine see, reached with the caller's credentials."""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from fanout.contracts.team_events import TeamMessagePosted
from fanout.event import Event
from fanout_cli.demo.definition import Event as Document
from fanout_cli.demo.definition import UseCaseDemo, load, samples
from tests.integration.application import BIN, ROOT, Application
from tests.waiting import until

T = TypeVar("T")

SOURCE = "urn:fanout:tests:cloud"
# How long AWS may take. A rehearsal on the local engine, where some of this never comes, may want less of it.
_PATIENCE = float(os.environ.get("FANOUT_CLOUD_PATIENCE", "1"))
_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 5}, max_pool_connections=32)


@dataclass
class Stack(Application):
    """The deployed application. `state` is unused: there is no engine."""

    def fanout(
        self, *arguments: str, input: str | None = None, check: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run the command on this stack. `check`: the exit code it must have."""
        command = [str(BIN / "fanout"), *arguments, "--stack-name", self.stack_name]
        found = subprocess.run(command, input=input, capture_output=True, text=True, check=False, cwd=ROOT)
        said = f"{' '.join(command)} ended with {found.returncode}\n{found.stdout}\n{found.stderr}"
        assert check is None or found.returncode == check, said
        return found

    def client(self, service: str) -> Any:
        """A client with the caller's own credentials."""
        if service not in self._clients:
            self._clients[service] = boto3.client(service, config=_CONFIG)  # type: ignore[call-overload]
        return self._clients[service]

    def plain(self, service: str) -> Any:
        """A client that uses plain HTTP."""
        endpoint = self.client(service).meta.endpoint_url.replace("https://", "http://", 1)
        return boto3.client(service, endpoint_url=endpoint, config=_CONFIG)  # type: ignore[call-overload]

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """What the root was deployed with."""
        [stack] = self.client("cloudformation").describe_stacks(StackName=self.stack_name)["Stacks"]
        return {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])}

    @cached_property
    def resources(self) -> list[dict[str, Any]]:
        """Every resource of the root and of the stacks nested in it, as ListStackResources has them."""
        pages, waiting = self.client("cloudformation").get_paginator("list_stack_resources"), [self.stack_name]
        found: list[dict[str, Any]] = []
        while waiting:
            for page in pages.paginate(StackName=waiting.pop()):
                found += page["StackResourceSummaries"]
                waiting += [
                    each["PhysicalResourceId"]
                    for each in page["StackResourceSummaries"]
                    if each["ResourceType"] == "AWS::CloudFormation::Stack"
                ]
        return found

    def of_type(self, resource_type: str) -> list[str]:
        """The physical ids of all resources of a type."""
        return [each["PhysicalResourceId"] for each in self.resources if each["ResourceType"] == resource_type]

    def of(self, use_case: str, output: str) -> str:
        """An output of a use case's own stack."""
        return str(self.topology.outputs[use_case][output])

    def demo(self, use_case: str) -> UseCaseDemo:
        """The use case's demo."""
        return load(ROOT, use_case, self.client, self.topology)

    def sample(self, use_case: str, event_type: str) -> Document:
        """An ordinary sample of this type, as an event with a new id."""
        sample = next(each for each in samples(ROOT, use_case) if each["type"] == event_type)
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        made = Event.new(TeamMessagePosted(text="-", author="-"), source=SOURCE)  # an id, as our publishers make them
        return self.demo(use_case).fresh({**sample, "id": made.id, "time": now}, made.id.replace("-", "")[-12:])

    def message(self) -> Event[TeamMessagePosted]:
        """An event that three subscribers take, none of which needs anything outside of the stack."""
        return Event.new(TeamMessagePosted(text="A test on AWS", author="Ada"), source=SOURCE)

    def eventually(self, condition: Callable[[], T], what: str, *, minutes: float = 3, every: float = 5) -> T:
        """The first true value of a condition: AWS's own metrics, rights and traces take minutes."""
        return until(condition, what, seconds=60 * minutes * _PATIENCE, every=min(every, 60 * minutes * _PATIENCE / 4))

    def queue_arn(self, url: str) -> str:
        """A queue's ARN, whose last part is its name."""
        found = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(found["Attributes"]["QueueArn"])

    def alarms(self, namespace: str, metric: str, **dimensions: str) -> list[dict[str, Any]]:
        """The alarms whose query names a metric of one resource (decision 0016)."""
        [(key, value)] = dimensions.items()
        asked = re.compile(
            rf"""\("?{metric}"?\) FROM SCHEMA\("{namespace}", {key}\) WHERE {key} = '{re.escape(value)}'"""
        )
        return [
            alarm
            for page in self.client("cloudwatch").get_paginator("describe_alarms").paginate()
            for alarm in page["MetricAlarms"]
            if any(asked.search(each.get("Expression", "")) for each in alarm.get("Metrics", []))
        ]

    def values(self, namespace: str, metric: str, **dimensions: str) -> list[float]:
        """What a metric had in the last quarter of an hour."""
        now = datetime.now(UTC)
        found = self.client("cloudwatch").get_metric_statistics(
            Namespace=namespace,
            MetricName=metric,
            Dimensions=_dimensions(dimensions),
            StartTime=now - timedelta(minutes=15),
            EndTime=now + timedelta(minutes=1),
            Period=60,
            Statistics=["Maximum"],
        )
        return [each["Maximum"] for each in found["Datapoints"]]

    def dead_letter(self, subscriber: str, is_wanted: Callable[[str], bool], *, minutes: float) -> dict[str, Any]:
        """Wait for one dead letter by its body, and delete it: a test leaves no dead letter behind."""
        sqs, url = self.client("sqs"), self.subscriber(subscriber).dead_letter_url

        def look() -> dict[str, Any] | None:
            found = sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=5,
                WaitTimeSeconds=1,
                MessageAttributeNames=["All"],
            )
            return next((each for each in found.get("Messages", []) if is_wanted(each["Body"])), None)

        dead_letter = self.eventually(look, f"a dead letter of {subscriber}", minutes=minutes, every=1)
        assert dead_letter is not None
        sqs.delete_message(QueueUrl=url, ReceiptHandle=dead_letter["ReceiptHandle"])
        return dead_letter


def _dimensions(given: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in given.items()]


def code_of(call: Callable[..., Any], **parameters: Any) -> str:
    """The error code that AWS answers a call with; "" if it does what it is asked."""
    try:
        call(**parameters)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@contextmanager
def role_of(stack: Stack, statements: list[dict[str, Any]]) -> Iterator[tuple[str, boto3.session.Session]]:
    """A role that may do this and nothing else, for the length of the block: its name, and a session as that role."""
    iam, sts = stack.client("iam"), stack.client("sts")
    account = sts.get_caller_identity()["Account"]
    name = f"fanout-cloud-test-{int(time.time())}-{os.getpid()}"
    trust = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy([trust]))["Role"]["Arn"]
    try:
        iam.put_role_policy(RoleName=name, PolicyName="only", PolicyDocument=_policy(statements))

        def assume() -> dict[str, str] | None:
            try:
                found: dict[str, str] = sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
            except ClientError:  # IAM is eventually consistent
                return None
            return found

        given = stack.eventually(assume, "the new role can be assumed", minutes=2)
        assert given is not None
        yield (
            name,
            boto3.session.Session(
                aws_access_key_id=given["AccessKeyId"],
                aws_secret_access_key=given["SecretAccessKey"],
                aws_session_token=given["SessionToken"],
                region_name=stack.client("sns").meta.region_name,
            ),
        )
    finally:
        for policy in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=name, PolicyArn=policy["PolicyArn"])
        iam.delete_role_policy(RoleName=name, PolicyName="only")
        iam.delete_role(RoleName=name)


class SmallStack:
    """A stack of the test's own. Use as a context: it is deleted at the end."""

    def __init__(self, stack: Stack, name: str) -> None:
        self._cloudformation = stack.client("cloudformation")
        self._stack = stack
        self._name = f"{name}-{int(time.time())}-{os.getpid()}"
        self._made: list[str] = []

    def __enter__(self) -> "SmallStack":
        return self

    def __exit__(self, *_: object) -> None:
        for arn in self._made[:1]:
            self._cloudformation.delete_stack(StackName=arn)
            self._settled("its deletion")

    def deploy(self, template: str, **parameters: str) -> str:
        """Create the stack, or update it; return its status once nothing is in progress."""
        change_set = f"change-{len(self._made)}"
        arn: str = self._cloudformation.create_change_set(
            StackName=self._name,
            ChangeSetName=change_set,
            ChangeSetType="UPDATE" if self._made else "CREATE",
            TemplateBody=template,
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        )["StackId"]
        self._made.append(arn)

        def status() -> str:
            found = self._cloudformation.describe_change_set(StackName=self._name, ChangeSetName=change_set)
            assert found["Status"] != "FAILED", found.get("StatusReason")
            return str(found["Status"])

        self._stack.eventually(lambda: status() == "CREATE_COMPLETE", f"{change_set} of {self._name}", every=2)
        self._cloudformation.execute_change_set(StackName=self._name, ChangeSetName=change_set)
        return self._settled(change_set)

    @property
    def outputs(self) -> Mapping[str, str]:
        """The stack's outputs."""
        return {each["OutputKey"]: each["OutputValue"] for each in self._described()["Outputs"]}

    def physical_id(self, logical_id: str) -> str:
        """What the stack created under a logical id; also of a stack whose creation was rolled back."""
        events = self._cloudformation.get_paginator("describe_stack_events").paginate(StackName=self._made[0])
        return next(
            str(each["PhysicalResourceId"])
            for page in events
            for each in page["StackEvents"]
            if each["LogicalResourceId"] == logical_id and each.get("PhysicalResourceId")
        )

    def _described(self) -> dict[str, Any]:
        found: dict[str, Any] = self._cloudformation.describe_stacks(StackName=self._made[0])["Stacks"][0]
        return found

    def _settled(self, what: str) -> str:
        def status() -> str:
            found = str(self._described()["StackStatus"])
            return "" if found.endswith("_IN_PROGRESS") else found

        return str(self._stack.eventually(status, f"{what} of {self._name}", minutes=10))


def _policy(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def without() -> set[str]:
    """The subscribers that have no counterpart in this account: FANOUT_CLOUD_WITHOUT, with commas between."""
    return set(filter(None, os.environ.get("FANOUT_CLOUD_WITHOUT", "").split(",")))
