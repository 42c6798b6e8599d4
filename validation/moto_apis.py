"""moto and the service models: every resource is created through the API calls that CloudFormation makes for it.

Two judges see each call. The service models that botocore ships are AWS's own description of its APIs: names, types,
lengths, patterns, enumerations. moto knows what is in no model: it validates IAM documents, filter policies, keys and
indexes, and refuses what refers to something that is not there.
"""

import io
import zipfile
from collections.abc import Callable, Iterable
from typing import Any

from moto import mock_aws

from validation.account import MODELS, MOTO, Account
from validation.expansion import ExpandedResource, Expansion
from validation.findings import Finding, Verdict

_AWS_POLICIES = ":iam::aws:policy/"
Handler = Callable[[Account, ExpandedResource], None]


def judge(expansions: Iterable[Expansion]) -> list[Verdict]:
    """Create every resource of each deployment in an account of its own."""
    findings: list[Finding] = []
    resources = calls = 0
    for expansion in expansions:
        by_type: dict[str, list[ExpandedResource]] = {}
        for resource in expansion.resources:
            by_type.setdefault(resource.type, []).append(resource)
        # moto takes a second to load AWS's own policies.
        needed = any(_AWS_POLICIES in str(each.properties) for each in by_type.get("AWS::IAM::Role", []))
        with mock_aws(config={"iam": {"load_aws_managed_policies": needed}}):
            account = Account()
            _prepare(account)
            for kind, handler in _HANDLERS:
                for resource in by_type.get(kind, []):
                    handler(account, resource)
        known = {kind for kind, _ in _HANDLERS}
        for kind in by_type.keys() - known - {"AWS::CloudFormation::Stack"}:
            some = by_type[kind][0]
            message = "no call is known that creates it; add one to validation/moto_apis.py"
            account.findings.append(Finding(MOTO, "unknown type", some.path, kind, message))
        findings += account.findings
        calls += account.calls
        resources += sum(len(by_type[kind]) for kind in by_type.keys() & known)
    return [
        Verdict(
            judge, f"{calls} API calls for {resources} resources", [each for each in findings if each.judge == judge]
        )
        for judge in (MODELS, MOTO)
    ]


def _prepare(account: Account) -> None:
    """Make what is outside the application and must be there before it."""
    outside = ExpandedResource("outside", "AWS::Logs::LogGroup", {}, "/aws/lambda/shop", "")
    account.call(outside, "logs", "CreateLogGroup", logGroupName=outside.name)


def _archive() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("placeholder.py", "")
    return content.getvalue()


_ARCHIVE = _archive()


def _only(properties: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: properties[name] for name in names if name in properties}


def _without(properties: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if name not in names}


# ----------------------------------------------------------------------------------------------- keys, buckets, secrets
def _key(account: Account, key: ExpandedResource) -> None:
    own = key.properties
    made = account.call(key, "kms", "CreateKey", Policy=own["KeyPolicy"], **_without(own, "KeyPolicy", *_KEY_SETTINGS))
    if not made:
        return
    account.identify(key.ref, made["KeyMetadata"]["KeyId"])
    if own.get("EnableKeyRotation"):
        account.call(key, "kms", "EnableKeyRotation", KeyId=key.ref)


_KEY_SETTINGS = ("EnableKeyRotation", "PendingWindowInDays")


def _bucket(account: Account, bucket: ExpandedResource) -> None:
    own = dict(bucket.properties)
    name = {"Bucket": bucket.name}
    account.call(bucket, "s3", "CreateBucket", **name, ObjectLockEnabledForBucket=own.pop("ObjectLockEnabled", False))
    if encryption := own.pop("BucketEncryption", None):
        rules = [
            {
                "ApplyServerSideEncryptionByDefault": each["ServerSideEncryptionByDefault"],
                **_only(each, "BucketKeyEnabled"),
            }
            for each in encryption["ServerSideEncryptionConfiguration"]
        ]
        settings = {"ServerSideEncryptionConfiguration": {"Rules": rules}}
        account.call(bucket, "s3", "PutBucketEncryption", **name, **settings)
    if lifecycle := own.pop("LifecycleConfiguration", None):
        rules = [_lifecycle_rule(rule) for rule in lifecycle["Rules"]]
        settings = {"LifecycleConfiguration": {"Rules": rules}}
        account.call(bucket, "s3", "PutBucketLifecycleConfiguration", **name, **settings)
    for setting, operation in _BUCKET_SETTINGS.items():
        if setting in own:
            account.call(bucket, "s3", operation, **name, **{setting: own.pop(setting)})
    _nothing_left(account, bucket, own, "BucketName")


_BUCKET_SETTINGS = {
    "ObjectLockConfiguration": "PutObjectLockConfiguration",
    "OwnershipControls": "PutBucketOwnershipControls",
    "PublicAccessBlockConfiguration": "PutPublicAccessBlock",
    "VersioningConfiguration": "PutBucketVersioning",
}


def _lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """The same in the words of S3's API, which are not CloudFormation's."""
    own = dict(rule)
    found: dict[str, Any] = {"ID": own.pop("Id"), "Filter": {"Prefix": own.pop("Prefix", "")}}
    if "ExpirationInDays" in own:
        found["Expiration"] = {"Days": own.pop("ExpirationInDays")}
    return found | own


def _bucket_policy(account: Account, policy: ExpandedResource) -> None:
    own = policy.properties
    account.call(policy, "s3", "PutBucketPolicy", Bucket=own["Bucket"], Policy=own["PolicyDocument"])


def _secret(account: Account, secret: ExpandedResource) -> None:
    own = secret.properties
    if generate := own.get("GenerateSecretString"):
        account.call(secret, "secretsmanager", "GetRandomPassword", **_without(generate, *_SECRET_TEMPLATE))
    made = account.call(
        secret, "secretsmanager", "CreateSecret", Name=secret.name, **_without(own, "GenerateSecretString")
    )
    if made:
        account.identify(secret.ref, made["ARN"])


_SECRET_TEMPLATE = ("GenerateStringKey", "SecretStringTemplate")


# ------------------------------------------------------------------------------------------------------- topics, queues
def _queue(account: Account, queue: ExpandedResource) -> None:
    attributes = _without(queue.properties, "QueueName", *_QUEUE_LINKS)
    account.call(queue, "sqs", "CreateQueue", QueueName=queue.name, Attributes=attributes)


def _queue_links(account: Account, queue: ExpandedResource) -> None:
    if attributes := _only(queue.properties, *_QUEUE_LINKS):
        account.call(queue, "sqs", "SetQueueAttributes", QueueUrl=queue.ref, Attributes=attributes)


_QUEUE_LINKS = ("RedrivePolicy", "RedriveAllowPolicy")


def _queue_policy(account: Account, policy: ExpandedResource) -> None:
    for url in policy.properties["Queues"]:
        attributes = {"Policy": policy.properties["PolicyDocument"]}
        account.call(policy, "sqs", "SetQueueAttributes", QueueUrl=url, Attributes=attributes)


def _topic(account: Account, topic: ExpandedResource) -> None:
    account.call(topic, "sns", "CreateTopic", Name=topic.name, Attributes=_without(topic.properties, "TopicName"))


def _topic_policy(account: Account, policy: ExpandedResource) -> None:
    for arn in policy.properties["Topics"]:
        document = {"AttributeName": "Policy", "AttributeValue": policy.properties["PolicyDocument"]}
        account.call(policy, "sns", "SetTopicAttributes", TopicArn=arn, **document)


def _subscription(account: Account, subscription: ExpandedResource) -> None:
    own = subscription.properties
    call = _only(own, "TopicArn", "Protocol", "Endpoint")
    account.call(subscription, "sns", "Subscribe", **call, Attributes=_without(own, *call))


# ----------------------------------------------------------------------------------------------------- roles, functions
def _managed_policy(account: Account, policy: ExpandedResource) -> None:
    own = _without(policy.properties, "ManagedPolicyName", "Roles")
    account.call(policy, "iam", "CreatePolicy", PolicyName=policy.name, **own)


def _attached(account: Account, policy: ExpandedResource) -> None:
    for role in policy.properties.get("Roles", []):
        account.call(policy, "iam", "AttachRolePolicy", RoleName=role, PolicyArn=policy.ref)


def _role(account: Account, role: ExpandedResource) -> None:
    own = _without(role.properties, "RoleName", "Policies", "ManagedPolicyArns")
    account.call(role, "iam", "CreateRole", RoleName=role.name, **own)
    for policy in role.properties.get("Policies", []):
        account.call(role, "iam", "PutRolePolicy", RoleName=role.name, **policy)
    for arn in role.properties.get("ManagedPolicyArns", []):
        account.call(role, "iam", "AttachRolePolicy", RoleName=role.name, PolicyArn=arn)


def _layer(account: Account, layer: ExpandedResource) -> None:
    own = _without(layer.properties, "LayerName", "Content")
    account.call(layer, "lambda", "PublishLayerVersion", LayerName=layer.name, Content={"ZipFile": _ARCHIVE}, **own)


def _function(account: Account, function: ExpandedResource) -> None:
    own = _without(function.properties, "FunctionName", "Code", "Tags")
    tags = {each["Key"]: each["Value"] for each in function.properties.get("Tags", [])}
    code = {"ZipFile": _ARCHIVE}
    account.call(function, "lambda", "CreateFunction", FunctionName=function.name, Code=code, Tags=tags, **own)


def _same_names(service: str, operation: str) -> Handler:
    """Return what passes all properties on to one operation."""

    def handler(account: Account, resource: ExpandedResource) -> None:
        account.call(resource, service, operation, **resource.properties)

    return handler


def _named(service: str, operation: str, name: str = "Name") -> Handler:
    """Return the same with the physical name as the parameter `name`."""

    def handler(account: Account, resource: ExpandedResource) -> None:
        account.call(resource, service, operation, **{**resource.properties, name: resource.name})

    return handler


def _permission(account: Account, permission: ExpandedResource) -> None:
    statement = {"StatementId": permission.name.rpartition("-")[2]}
    account.call(permission, "lambda", "AddPermission", **statement, **permission.properties)


# ---------------------------------------------------------------------------------------------------- tables, schedules
def _table(account: Account, table: ExpandedResource) -> None:
    own = _without(table.properties, "TableName", *_TABLE_SETTINGS)
    name = {"TableName": table.name}
    if stream := own.pop("StreamSpecification", None):
        own["StreamSpecification"] = {"StreamEnabled": True, **stream}
    if encryption := own.pop("SSESpecification", None):
        own["SSESpecification"] = {"Enabled": encryption["SSEEnabled"], **_without(encryption, "SSEEnabled")}
    made = account.call(table, "dynamodb", "CreateTable", **name, **own)
    if arn := made.get("TableDescription", {}).get("LatestStreamArn"):
        account.identify(f"{arn.rpartition('/')[0]}/2026-01-01T00:00:00.000", arn)
    if expiry := table.properties.get("TimeToLiveSpecification"):
        account.call(table, "dynamodb", "UpdateTimeToLive", **name, TimeToLiveSpecification=expiry)
    if recovery := table.properties.get("PointInTimeRecoverySpecification"):
        settings = {"PointInTimeRecoverySpecification": recovery}
        account.call(table, "dynamodb", "UpdateContinuousBackups", **name, **settings)


_TABLE_SETTINGS = ("TimeToLiveSpecification", "PointInTimeRecoverySpecification")


def _log_group(account: Account, group: ExpandedResource) -> None:
    account.call(group, "logs", "CreateLogGroup", logGroupName=group.name)
    if days := group.properties.get("RetentionInDays"):
        account.call(group, "logs", "PutRetentionPolicy", logGroupName=group.name, retentionInDays=days)
    _nothing_left(account, group, _without(group.properties, "RetentionInDays"), "LogGroupName")


def _subscription_filter(account: Account, each: ExpandedResource) -> None:
    account.call(each, "logs", "PutSubscriptionFilter", filterName=each.name, **each.properties)


def _rule(account: Account, rule: ExpandedResource) -> None:
    account.call(rule, "events", "PutRule", Name=rule.name, **_without(rule.properties, "Name", "Targets"))
    account.call(rule, "events", "PutTargets", Rule=rule.name, Targets=rule.properties["Targets"])


def _state_machine(account: Account, machine: ExpandedResource) -> None:
    own = _without(machine.properties, "StateMachineName", "DefinitionString")
    definition = {"definition": machine.properties["DefinitionString"]}
    account.call(machine, "stepfunctions", "CreateStateMachine", name=machine.name, **definition, **own)


def _work_group(account: Account, group: ExpandedResource) -> None:
    own = _without(group.properties, "Name", "RecursiveDeleteOption", "WorkGroupConfiguration")
    configuration = {"Configuration": group.properties["WorkGroupConfiguration"]}
    account.call(group, "athena", "CreateWorkGroup", Name=group.name, **configuration, **own)


def _configuration_set(account: Account, group: ExpandedResource) -> None:
    own = _without(group.properties, "Name")
    account.call(group, "sesv2", "CreateConfigurationSet", ConfigurationSetName=group.name, **own)


def _event_destination(account: Account, destination: ExpandedResource) -> None:
    event = dict(destination.properties["EventDestination"])
    settings = {"Name": destination.name[-64:], "SNSDestination": event.pop("SnsDestination"), **event}
    group = _only(destination.properties, "ConfigurationSetName")
    operation = "CreateConfigurationSetEventDestination"
    account.call(destination, "ses", operation, **group, EventDestination=settings)


def _nothing_left(account: Account, resource: ExpandedResource, left: dict[str, Any], name: str) -> None:
    """A property that no call carries is not judged, and must not pass for judged."""
    if unjudged := sorted(left.keys() - {name, "Tags"}):
        message = f"no call carries {', '.join(unjudged)}; add one to validation/moto_apis.py"
        account.findings.append(Finding(MOTO, "unknown property", resource.path, resource.type, message))


_HANDLERS: list[tuple[str, Handler]] = [
    ("AWS::KMS::Key", _key),
    ("AWS::S3::Bucket", _bucket),
    ("AWS::S3::BucketPolicy", _bucket_policy),
    ("AWS::SecretsManager::Secret", _secret),
    ("AWS::SSM::Parameter", _named("ssm", "PutParameter")),
    ("AWS::Logs::LogGroup", _log_group),
    ("AWS::Logs::LogStream", _same_names("logs", "CreateLogStream")),
    ("AWS::SQS::Queue", _queue),
    ("AWS::SQS::Queue", _queue_links),
    ("AWS::SQS::QueuePolicy", _queue_policy),
    ("AWS::SNS::Topic", _topic),
    ("AWS::SNS::TopicPolicy", _topic_policy),
    ("AWS::DynamoDB::Table", _table),
    ("AWS::IAM::ManagedPolicy", _managed_policy),
    ("AWS::IAM::Role", _role),
    ("AWS::IAM::ManagedPolicy", _attached),
    ("AWS::Lambda::LayerVersion", _layer),
    ("AWS::Lambda::Function", _function),
    ("AWS::Lambda::Version", _same_names("lambda", "PublishVersion")),
    ("AWS::Lambda::Alias", _same_names("lambda", "CreateAlias")),
    ("AWS::Lambda::Permission", _permission),
    ("AWS::Lambda::EventInvokeConfig", _same_names("lambda", "PutFunctionEventInvokeConfig")),
    ("AWS::Lambda::EventSourceMapping", _same_names("lambda", "CreateEventSourceMapping")),
    ("AWS::KinesisFirehose::DeliveryStream", _named("firehose", "CreateDeliveryStream", "DeliveryStreamName")),
    ("AWS::SNS::Subscription", _subscription),
    ("AWS::Logs::SubscriptionFilter", _subscription_filter),
    ("AWS::CloudWatch::Alarm", _named("cloudwatch", "PutMetricAlarm", "AlarmName")),
    ("AWS::Events::Rule", _rule),
    ("AWS::Scheduler::Schedule", _named("scheduler", "CreateSchedule")),
    ("AWS::StepFunctions::StateMachine", _state_machine),
    ("AWS::Glue::Database", _same_names("glue", "CreateDatabase")),
    ("AWS::Glue::Table", _same_names("glue", "CreateTable")),
    ("AWS::Athena::WorkGroup", _work_group),
    ("AWS::SES::ConfigurationSet", _configuration_set),
    ("AWS::SES::ConfigurationSetEventDestination", _event_destination),
    ("AWS::SES::EmailIdentity", _same_names("sesv2", "CreateEmailIdentity")),
]
