"""What the engine's tests share: clients, small functions, and waiting."""

import io
import json
import urllib.request
import uuid
import zipfile
from typing import Any

import boto3
from botocore.config import Config

from local_engine.process import Engine
from tests.waiting import until

REGION = "us-east-1"
ACCOUNT = "000000000000"
# Functions run on the interpreter that runs the engine; the name only has to be a Python runtime.
RUNTIME = "python3.11"
# Those that assume the roles of tests.
_SERVICES = ("firehose", "lambda", "scheduler", "states")
ALL_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


def zipped(**files: str) -> bytes:
    """A deployment package: module name -> source."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, source in files.items():
            archive.writestr(f"{name}.py", source)
    return buffer.getvalue()


def allow(actions: str | list[str], resources: str | list[str] = "*") -> dict[str, Any]:
    """A policy with one statement."""
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resources}],
    }


class Aws:
    """The account of one engine, as its root user."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._clients: dict[str, Any] = {}

    def __getattr__(self, service: str) -> Any:
        """A client: `aws.sns`, `aws.sqs`..."""
        if service.startswith("_"):
            raise AttributeError(service)
        return self.client(service)

    def client(self, service: str) -> Any:
        """A client that neither retries nor validates: a test wants to see the service's first answer."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.engine.endpoint,
                region_name=REGION,
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(retries={"total_max_attempts": 1}, read_timeout=60, parameter_validation=False),
            )
        return self._clients[service]

    @property
    def environment(self) -> dict[str, str | None]:
        """The environment in which a tool reaches the account; None: without this variable."""
        return {
            "AWS_ENDPOINT_URL": self.engine.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_PROFILE": None,
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_POLL_DELAY": "0.2",
        }

    @staticmethod
    def name(kind: str = "it") -> str:
        """A unique name."""
        return f"{kind}-{uuid.uuid4().hex[:10]}"

    def queue(self, *, policy: dict[str, Any] | None = None, **attributes: str) -> tuple[str, str]:
        """URL and ARN of a new queue."""
        name = self.name("queue") + (".fifo" if attributes.get("FifoQueue") else "")
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        if policy:
            self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        return url, arn

    def inbox(self, topic: str, **attributes: str) -> tuple[str, str]:
        """URL and ARN of a new queue that a topic may send to."""
        return self.queue(
            policy={
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "sns.amazonaws.com"},
                        "Action": "sqs:SendMessage",
                        "Resource": "*",
                        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
                    }
                ],
            },
            **attributes,
        )

    def receive(self, url: str, *, seconds: float = 15) -> dict[str, Any]:
        """The next message of a queue, deleted; fails the test when none comes."""
        message: dict[str, Any] = until(lambda: self.messages(url, 1), f"a message in {url}", seconds=seconds)[0]
        return message

    def messages(self, url: str, limit: int = 10) -> list[dict[str, Any]]:
        """What a queue has to give at the moment, deleted from it."""
        found: list[dict[str, Any]] = self.sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=limit,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        ).get("Messages", [])
        for message in found:
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def depth(self, url: str) -> int:
        """How many messages a queue holds, those in flight included."""
        attributes = self.sqs.get_queue_attributes(
            QueueUrl=url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        return sum(int(value) for value in attributes.values())

    def topic(self, **attributes: str) -> str:
        """ARN of a new topic."""
        name = self.name("topic") + (".fifo" if attributes.get("FifoTopic") else "")
        arn: str = self.sns.create_topic(Name=name, Attributes=attributes)["TopicArn"]
        return arn

    def role(self, *policies: dict[str, Any]) -> str:
        """ARN of a new role for functions and other services, with inline policies; logs are always allowed."""
        name = self.name("role")
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": [f"{service}.amazonaws.com" for service in _SERVICES]},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        arn: str = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        for number, policy in enumerate((allow("logs:*"), *policies)):
            self.iam.put_role_policy(RoleName=name, PolicyName=f"p{number}", PolicyDocument=json.dumps(policy))
        return arn

    def function(self, source: str, *policies: dict[str, Any], role: str | None = None, **properties: Any) -> str:
        """Name of a new function; `source` is a module with a function `handler(event, context)`."""
        name = self.name("function")
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime=RUNTIME,
            Handler="app.handler",
            Role=role or self.role(*policies),
            Code={"ZipFile": zipped(app=source)},
            **{"Timeout": 10, **properties},
        )
        return name

    def revoke(self, function: str, action: str, *, on: str = "*") -> None:
        """Deny an action to a function's role, which it had when the function was set up."""
        role = self.client("lambda").get_function_configuration(FunctionName=function)["Role"].rpartition("/")[2]
        denied = allow(action, on)
        denied["Statement"][0]["Effect"] = "Deny"
        self.iam.put_role_policy(RoleName=role, PolicyName="revoked", PolicyDocument=json.dumps(denied))

    def subscribe_function(self, topic: str, function: str, **attributes: str) -> str:
        """ARN of a new subscription that invokes a function, with the permission for it."""
        self.client("lambda").add_permission(
            FunctionName=function,
            StatementId=self.name("s"),
            Action="lambda:InvokeFunction",
            Principal="sns.amazonaws.com",
            SourceArn=topic,
        )
        return self.subscribe(topic, "lambda", self.function_arn(function), **attributes)

    def subscribe(self, topic: str, protocol: str, endpoint: str, **attributes: str) -> str:
        """ARN of a new subscription."""
        arn: str = self.sns.subscribe(
            TopicArn=topic,
            Protocol=protocol,
            Endpoint=endpoint,
            Attributes=attributes,
            ReturnSubscriptionArn=True,
        )["SubscriptionArn"]
        return arn

    @staticmethod
    def function_arn(name: str) -> str:
        """The unqualified ARN of a function."""
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"

    def deploy(self, template: dict[str, Any], *, stack: str | None = None, **parameters: str) -> str:
        """Create or update a stack; returns its name. Fails the test if the operation fails."""
        request = {
            "TemplateBody": json.dumps(template),
            "Capabilities": ALL_CAPABILITIES,
            "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        }
        name = stack or self.name("stack")
        if stack is None:
            self.cloudformation.create_stack(StackName=name, **request)
        else:
            self.cloudformation.update_stack(StackName=name, **request)
        status = self.settled(name)
        assert status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), self.failures(name)
        return name

    def settled(self, stack: str) -> str:
        """The status of a stack once its operation is over."""

        def over() -> str | None:
            status: str = self.stack(stack)["StackStatus"]
            return None if status.endswith("_IN_PROGRESS") else status

        return str(until(over, f"the end of the operation on {stack}", seconds=30))

    def stack(self, name: str) -> dict[str, Any]:
        """What DescribeStacks says of a stack."""
        found: dict[str, Any] = self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return found

    def outputs(self, stack: str) -> dict[str, str]:
        """The outputs of a stack."""
        return {output["OutputKey"]: output["OutputValue"] for output in self.stack(stack).get("Outputs", [])}

    def resources(self, stack: str) -> dict[str, str]:
        """Logical id -> physical id."""
        found = self.cloudformation.list_stack_resources(StackName=stack)["StackResourceSummaries"]
        return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in found}

    def failures(self, stack: str) -> list[str]:
        """Why the operations of a stack failed."""
        events = self.cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        return [
            f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
            for event in events
            if event["ResourceStatus"].endswith("_FAILED")
        ]

    def upload(self, *documents: dict[str, Any] | bytes) -> list[str]:
        """URLs of templates or packages, put in a new bucket."""
        bucket = self.name("bucket")
        self.s3.create_bucket(Bucket=bucket)
        urls = []
        for number, document in enumerate(documents):
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.s3.put_object(Bucket=bucket, Key=str(number), Body=body)
            urls.append(f"{self.engine.endpoint}/{bucket}/{number}")
        return urls

    def log(self) -> str:
        """What the engine has printed."""
        return self.engine.log.read_text(encoding="utf-8", errors="replace")

    def get(self, path: str) -> Any:
        """The JSON at a path of the engine itself, as a person reads it with curl."""
        with urllib.request.urlopen(self.engine.endpoint + path, timeout=10) as response:  # noqa: S310 - loopback
            return json.load(response)
