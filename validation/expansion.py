"""Expands the application into what CloudFormation receives from `sam deploy`.

The SAM translator turns each template into plain CloudFormation. The reader in lint/ then decides conditions, passes
parameters down and outputs up. Last, every reference becomes an ARN, id or name of the shape that AWS gives it.
"""

import copy
import logging
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from boto3.session import Session
from samtranslator.parser.parser import Parser
from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.translator import Translator

from fanout_wiring import OPEN, UNRESOLVED, Composition, Resource, Stack, random_suffix

STACK_NAME = "fanout-with-a-name-of-forty-characters-x"
"""The longest name that the application supports, so that names which contain it are as long as they can become."""
REGION, ACCOUNT = "us-east-1", "123456789012"

# What `sam package` uploads, and so replaces with the address of the upload.
_LOCAL = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}
_UPLOADED = "s3://uploads-123456789012/0123456789abcdef0123456789abcdef"
_UPLOADED_TEMPLATE = {
    "AWS::CloudFormation::Stack": {"TemplateURL": "https://s3.amazonaws.com/uploads-123456789012/t.json"}
}
# The keys of a resource besides its type and properties.
_ATTRIBUTES = ("DeletionPolicy", "UpdateReplacePolicy", "UpdatePolicy", "Metadata")


class ExpansionError(Exception):
    """The application cannot be expanded. The message says which part, and why."""


@dataclass(frozen=True)
class ExpandedResource:
    """One resource, as its service receives it."""

    path: str
    """`TeamEvents/TeamASubscriber/Queue`"""
    type: str
    properties: dict[str, Any]
    name: str
    """its physical name, given or generated"""
    ref: str
    """what `!Ref` returns"""


class Expansion:
    """One deployment, expanded."""

    def __init__(
        self, file: Path, parameters: Mapping[str, str], sources: Mapping[Path, dict[str, Any]] | None = None
    ) -> None:
        """sources: templates to use instead of the files. Raises ExpansionError, UnreadableTemplateError."""
        given = {**parameters, "AWS::StackName": STACK_NAME, "AWS::Region": REGION, "AWS::AccountId": ACCOUNT}
        written = Composition(file, given, sources)
        translated: dict[Path, dict[str, Any]] = {}
        for stack in written.root.stacks():
            if stack.file not in translated:
                transforms = "Transform" in stack.template
                translated[stack.file] = _translated(stack) if transforms else stack.template
        self._composition = Composition(file, given, translated)
        if self._composition.problems:
            problem = self._composition.problems[0]
            raise ExpansionError(f"{problem.path}: {problem.message}")
        self._by_path = {resource.path: resource for resource in self._composition.resources}
        self._names: dict[str, str] = {}

    @cached_property
    def resources(self) -> list[ExpandedResource]:
        """Every resource of every stack. Raises ExpansionError if a reference has no known shape."""
        return [
            ExpandedResource(
                path=resource.path,
                type=resource.type,
                properties=self._value(resource.properties | _UPLOADED_TEMPLATE.get(resource.type, {})),
                name=self._name(resource),
                ref=self._reference(resource, ""),
            )
            for resource in self._composition.resources
        ]

    @cached_property
    def declarations(self) -> dict[str, dict[str, Any]]:
        """Every resource as its stack's template declares it, by path. Raises ExpansionError likewise."""
        found = {}
        for resource in self.resources:
            declared = self._by_path[resource.path].declared
            kept = {name: declared[name] for name in _ATTRIBUTES if name in declared}
            found[resource.path] = {"Type": resource.type, "Properties": resource.properties, **kept}
        return found

    # ---------------------------------------------------------------------------------------------------- references
    def _value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._value(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._value(inner) for inner in value]
        if isinstance(value, str) and "<" in value:
            if any(mark in value for mark in (UNRESOLVED, *OPEN)):
                raise ExpansionError(f"a value that cannot be resolved: {value}")
            return re.sub(r"<([^<>.]+)(?:\.([^<>]+))?>", self._placeholder, value)
        # The reader remembers a number's bounds; JSON and the judges know plain numbers only.
        return int(value) if isinstance(value, int) and not isinstance(value, bool) else value

    def _placeholder(self, found: re.Match[str]) -> str:
        resource = self._by_path.get(found[1])
        return found[0] if resource is None else self._reference(resource, found[2] or "")

    def _reference(self, resource: Resource, attribute: str) -> str:
        if resource.type == "AWS::Lambda::Alias":
            function = self._by_path[f"{resource.stack.path}/{_target(resource)}".lstrip("/")]
            return f"{self._reference(function, 'Arn')}:{resource.properties['Name']}"
        if resource.type == "AWS::Lambda::Version":
            function = self._by_path[f"{resource.stack.path}/{_target(resource)}".lstrip("/")]
            return "1" if attribute == "Version" else f"{self._reference(function, 'Arn')}:1"
        name = self._name(resource)
        shape = _SHAPES.get(resource.type, {}).get(attribute)
        if shape is not None:
            return shape(name)
        if attribute:
            raise ExpansionError(f"{resource.path}: no shape is known for {resource.type}.{attribute}")
        return name

    def _name(self, resource: Resource) -> str:
        if resource.path not in self._names:
            self._names[resource.path] = self._given_name(resource) or _generated_name(resource)
        return self._names[resource.path]

    def _given_name(self, resource: Resource) -> str:
        for name in _NAMES.get(resource.type, ()):
            value: Any = resource.properties
            for key in name.split("."):
                value = value.get(key) if isinstance(value, dict) else None
            if value:
                return str(self._value(value))
        return ""


def _target(resource: Resource) -> str:
    """The logical id of an alias's or version's function."""
    return str(resource.properties["FunctionName"]).strip("<>").rpartition("/")[2].partition(".")[0]


def _translated(stack: Stack) -> dict[str, Any]:
    """Return a stack's template after the AWS::Serverless transform. Raises ExpansionError if it is refused."""
    template = copy.deepcopy(stack.template)
    for resource in template["Resources"].values():
        if name := _LOCAL.get(resource["Type"]):
            resource["Properties"][name] = _UPLOADED
    values = {
        name: ",".join(value) if isinstance(value, list) else str(value) for name, value in stack.parameters.items()
    }
    # It counts its own calls, and warns that we do not publish the counts.
    logging.getLogger("samtranslator.metrics.metrics").setLevel(logging.ERROR)
    translator = Translator(None, Parser(), [], Session(region_name=REGION))
    try:
        translated: dict[str, Any] = translator.translate(template, values, get_managed_policy_map=dict)
    except InvalidDocumentException as error:
        causes = "; ".join(str(cause.message) for cause in error.causes)
        raise ExpansionError(f"{stack.path or stack.file.name}: {causes}") from error
    return translated


# ----------------------------------------------------------------------------------------------------- names and shapes
# The property that names a resource.
_NAMES = {
    "AWS::Athena::WorkGroup": ("Name",),
    "AWS::CloudWatch::Alarm": ("AlarmName",),
    "AWS::DynamoDB::Table": ("TableName",),
    "AWS::Events::Rule": ("Name",),
    "AWS::Glue::Database": ("DatabaseInput.Name",),
    "AWS::Glue::Table": ("TableInput.Name",),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName",),
    "AWS::IAM::Role": ("RoleName",),
    "AWS::KinesisFirehose::DeliveryStream": ("DeliveryStreamName",),
    "AWS::Lambda::Function": ("FunctionName",),
    "AWS::Lambda::LayerVersion": ("LayerName",),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::Logs::LogStream": ("LogStreamName",),
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::SES::ConfigurationSet": ("Name",),
    "AWS::SES::EmailIdentity": ("EmailIdentity",),
    "AWS::SNS::Topic": ("TopicName",),
    "AWS::SQS::Queue": ("QueueName",),
    "AWS::SSM::Parameter": ("Name",),
    "AWS::Scheduler::Schedule": ("Name",),
    "AWS::SecretsManager::Secret": ("Name",),
    "AWS::StepFunctions::StateMachine": ("StateMachineName",),
}
# The lengths that CloudFormation cuts generated names to, from the services' models.
_LONGEST = {
    "AWS::Events::Rule": 64,
    "AWS::IAM::Role": 64,
    "AWS::KinesisFirehose::DeliveryStream": 64,
    "AWS::Lambda::Function": 64,
    "AWS::S3::Bucket": 63,
    "AWS::SES::ConfigurationSet": 64,
    "AWS::SQS::Queue": 80,
    "AWS::Scheduler::Schedule": 64,
    "AWS::StepFunctions::StateMachine": 80,
}
_LOWER_CASE = ("AWS::S3::Bucket", "AWS::Glue::Database", "AWS::Glue::Table")


def _generated_name(resource: Resource) -> str:
    suffix = f"-{random_suffix(resource.path)}"
    longest = _LONGEST.get(resource.type, 128)
    name = f"{resource.stack.stack_name}-{resource.logical_id}"[: longest - len(suffix)] + suffix
    return name.lower() if resource.type in _LOWER_CASE else name


def _arn(service: str, resource: str, region: str = REGION, account: str = ACCOUNT) -> Callable[[str], str]:
    return lambda name: f"arn:aws:{service}:{region}:{account}:{resource}{name}"


def _plain(name: str) -> str:
    return name


def _unique(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def _secret(name: str) -> str:
    return f"{_arn('secretsmanager', 'secret:')(name)}-{random_suffix(name)[:6]}"


# What `!Ref` (the empty attribute) and `!GetAtt` return, from the "Return values" of each type in the CloudFormation
# Template Reference; without an entry `!Ref` returns the name.
_SHAPES: dict[str, dict[str, Callable[[str], str]]] = {
    "AWS::CloudFormation::Stack": {"": _arn("cloudformation", "stack/")},
    "AWS::CloudWatch::Alarm": {"Arn": _arn("cloudwatch", "alarm:")},
    "AWS::DynamoDB::Table": {
        "Arn": _arn("dynamodb", "table/"),
        "StreamArn": lambda name: f"{_arn('dynamodb', 'table/')(name)}/stream/2026-01-01T00:00:00.000",
    },
    "AWS::Events::Rule": {"Arn": _arn("events", "rule/")},
    "AWS::IAM::ManagedPolicy": {"": _arn("iam", "policy/", region="")},
    "AWS::IAM::Role": {"Arn": _arn("iam", "role/", region="")},
    "AWS::KMS::Key": {"": _unique, "Arn": lambda name: _arn("kms", "key/")(_unique(name))},
    "AWS::KinesisFirehose::DeliveryStream": {"Arn": _arn("firehose", "deliverystream/")},
    "AWS::Lambda::EventSourceMapping": {"": _unique, "Id": _unique},
    "AWS::Lambda::Function": {"Arn": _arn("lambda", "function:")},
    "AWS::Lambda::LayerVersion": {"": lambda name: f"{_arn('lambda', 'layer:')(name)}:1"},
    "AWS::Logs::LogGroup": {"Arn": lambda name: f"{_arn('logs', 'log-group:')(name)}:*"},
    "AWS::S3::Bucket": {"Arn": _arn("s3", "", region="", account="")},
    "AWS::SNS::Topic": {"": _arn("sns", ""), "TopicArn": _arn("sns", ""), "TopicName": _plain},
    "AWS::SQS::Queue": {
        "": lambda name: f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}",
        "Arn": _arn("sqs", ""),
        "QueueName": _plain,
    },
    "AWS::Scheduler::Schedule": {"Arn": _arn("scheduler", "schedule/default/")},
    "AWS::SecretsManager::Secret": {"": _secret, "Id": _secret},
    "AWS::StepFunctions::StateMachine": {
        "": _arn("states", "stateMachine:"),
        "Arn": _arn("states", "stateMachine:"),
        "Name": _plain,
    },
}
