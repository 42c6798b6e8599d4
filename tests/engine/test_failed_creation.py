"""What is left when a creation fails: nothing that has DeletionPolicy RetainExceptOnCreate, nested stacks included."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fanout_cli.stack.deploy import delete_failed_creation
from tests.engine.aws import RUNTIME, Aws, zipped

POLICY = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
# The last resource of a stack: the engine refuses it only when it makes it, after all others.
BROKEN = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 99999}}


def stores(package: str) -> dict[str, Any]:
    """A template with one store of each kind that ours retain, and a layer."""
    bucket, key = package.split("/")[-2:]
    id_key = [{"AttributeName": "id", "KeyType": "HASH"}]
    retained = {
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                "KeySchema": id_key,
            },
        },
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {"ObjectLockEnabled": True, "VersioningConfiguration": {"Status": "Enabled"}},
        },
        "Policy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {
                "Bucket": {"Ref": "Bucket"},
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Deny",
                            "Principal": "*",
                            "Action": "s3:*",
                            "Resource": {"Fn::Sub": "${Bucket.Arn}/*"},
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        }
                    ],
                },
            },
        },
        "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 30}},
        "Key": {
            "Type": "AWS::KMS::Key",
            "Properties": {
                "KeyPolicy": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"AWS": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:root"}},
                            "Action": "kms:*",
                            "Resource": "*",
                        }
                    ],
                }
            },
        },
        "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"GenerateSecretString": {}}},
        "Database": {
            "Type": "AWS::Glue::Database",
            "Properties": {"CatalogId": {"Ref": "AWS::AccountId"}, "DatabaseInput": {}},
        },
        "Layer": {
            "Type": "AWS::Lambda::LayerVersion",
            "Properties": {"Content": {"S3Bucket": bucket, "S3Key": key}, "CompatibleRuntimes": [RUNTIME]},
        },
    }
    resources = {name: {**resource, **POLICY} for name, resource in retained.items()}
    return {
        "Resources": resources,
        "Outputs": {name: {"Value": {"Ref": name}} for name in resources},
    }


def nested(url: str, **others: Any) -> dict[str, Any]:
    child = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}
    return {"Resources": {"Child": child, **others}}


def inventory(aws: Aws) -> dict[str, set[str]]:
    """Every resource of the kinds above that the account has; keys that wait for their deletion are gone."""
    keys = [key["KeyId"] for key in aws.kms.list_keys()["Keys"]]
    layers = aws.client("lambda").list_layers()["Layers"]
    return {
        "tables": set(aws.dynamodb.list_tables()["TableNames"]),
        "buckets": {bucket["Name"] for bucket in aws.s3.list_buckets()["Buckets"]},
        "logs": {group["logGroupName"] for group in aws.logs.describe_log_groups()["logGroups"]},
        "keys": {
            key for key in keys if aws.kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] != "PendingDeletion"
        },
        "secrets": {secret["Name"] for secret in aws.secretsmanager.list_secrets()["SecretList"]},
        "databases": {database["Name"] for database in aws.glue.get_databases()["DatabaseList"]},
        "layers": {layer["LatestMatchingVersion"]["LayerVersionArn"] for layer in layers},
        "queues": set(aws.sqs.list_queues().get("QueueUrls", [])),
    }


@pytest.fixture
def package(aws: Aws) -> str:
    return aws.upload(zipped(module=""))[0]


def test_a_first_deployment_that_fails_in_its_last_resource_leaves_nothing_behind(aws: Aws, package: str) -> None:
    (child,) = aws.upload(stores(package))
    (middle,) = aws.upload(nested(child))
    before = inventory(aws)
    stack = aws.name("stack")
    broken = {**BROKEN, "DependsOn": "Child"}
    aws.cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(nested(middle, Broken=broken)))
    assert aws.settled(stack) == "ROLLBACK_COMPLETE"
    created = [
        event["LogicalResourceId"]
        for event in aws.cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        if event["ResourceStatus"] == "CREATE_COMPLETE"
    ]
    assert created == ["Child"], aws.failures(stack)
    assert inventory(aws) == before


def test_a_nested_stack_that_fails_in_its_last_resource_leaves_nothing_behind(aws: Aws, package: str) -> None:
    template = stores(package)
    template["Resources"]["Broken"] = {**BROKEN, "DependsOn": list(template["Resources"])}
    child, middle = aws.upload(template, {})
    bucket, key = middle.split("/")[-2:]
    aws.s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(nested(child)))
    before = inventory(aws)
    stack = aws.name("stack")
    aws.cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(nested(middle)))
    assert aws.settled(stack) == "ROLLBACK_COMPLETE"
    assert inventory(aws) == before


def test_stores_that_an_update_adds_and_rolls_back_are_deleted(aws: Aws, package: str) -> None:
    (child,) = aws.upload(stores(package))
    queue = {"Type": "AWS::SQS::Queue"}
    stack = aws.deploy({"Resources": {"Queue": queue}})
    before = inventory(aws)
    broken = {**BROKEN, "DependsOn": "Child"}
    aws.cloudformation.update_stack(StackName=stack, TemplateBody=json.dumps(nested(child, Queue=queue, Broken=broken)))
    assert aws.settled(stack) == "UPDATE_ROLLBACK_COMPLETE"
    assert inventory(aws) == before


def test_stores_that_an_update_adds_to_a_nested_stack_and_rolls_back_are_deleted(aws: Aws, package: str) -> None:
    queue = {"Type": "AWS::SQS::Queue"}
    template = stores(package)
    grown, small = aws.upload({"Resources": {**template["Resources"], "Queue": queue}}, {"Resources": {"Queue": queue}})
    stack = aws.deploy(nested(small))
    before = inventory(aws)
    broken = {**BROKEN, "DependsOn": "Child"}
    aws.cloudformation.update_stack(StackName=stack, TemplateBody=json.dumps(nested(grown, Broken=broken)))
    assert aws.settled(stack) == "UPDATE_ROLLBACK_COMPLETE"
    assert inventory(aws) == before


def test_stores_stay_when_their_stack_is_deleted(aws: Aws, package: str) -> None:
    (child,) = aws.upload(stores(package))
    stack = aws.deploy(nested(child))
    before = inventory(aws)
    stack_id = aws.stack(stack)["StackId"]
    aws.cloudformation.delete_stack(StackName=stack)
    assert aws.settled(stack_id) == "DELETE_COMPLETE"
    assert inventory(aws) == before


def test_stores_stay_when_an_update_takes_them_out(aws: Aws, package: str) -> None:
    queue = {"Type": "AWS::SQS::Queue"}
    template = stores(package)
    stack = aws.deploy({"Resources": {**template["Resources"], "Queue": queue}})
    before = inventory(aws)
    aws.deploy({"Resources": {"Queue": queue}}, stack=stack)
    assert inventory(aws) == before


def test_the_command_deletes_a_stack_whose_creation_failed_and_no_other(aws: Aws) -> None:
    failed, kept = aws.name("stack"), aws.deploy({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    aws.cloudformation.create_stack(StackName=failed, TemplateBody=json.dumps({"Resources": {"Broken": BROKEN}}))
    assert aws.settled(failed) == "ROLLBACK_COMPLETE"
    for stack in (failed, kept, aws.name("missing")):
        delete_failed_creation(aws.cloudformation, stack)
    assert aws.stack(kept)["StackStatus"] == "CREATE_COMPLETE"
    with pytest.raises(ClientError, match="does not exist"):
        aws.stack(failed)
