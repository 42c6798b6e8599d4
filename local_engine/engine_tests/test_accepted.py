"""What our templates declare and the engine has to take, even where it does little with it."""

from typing import Any

from engine_tests.aws import Aws


def table_with_everything() -> dict[str, Any]:
    return {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": "Retain",
        "Properties": {
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": "alias/any"},
        },
    }


def test_a_table_keeps_its_lifetime_recovery_and_encryption(aws: Aws) -> None:
    stack = aws.deploy({"Resources": {"Table": table_with_everything()}})
    table = aws.resources(stack)["Table"]
    lifetime = aws.dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert lifetime == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    backups = aws.dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert aws.dynamodb.describe_table(TableName=table)["Table"]["SSEDescription"]["Status"] == "ENABLED"
    stack_id = aws.stack(stack)["StackId"]
    aws.cloudformation.delete_stack(StackName=stack)
    assert aws.settled(stack_id) == "DELETE_COMPLETE"
    assert aws.dynamodb.describe_table(TableName=table)["Table"]["TableStatus"] == "ACTIVE"


def test_a_topic_encrypted_with_a_key_of_ours_delivers(aws: Aws) -> None:
    template: dict[str, Any] = {
        "Resources": {
            "Key": {"Type": "AWS::KMS::Key"},
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"KmsMasterKeyId": {"Ref": "Key"}}},
        }
    }
    resources = aws.resources(aws.deploy(template))
    attributes = aws.sns.get_topic_attributes(TopicArn=resources["Topic"])["Attributes"]
    assert attributes["KmsMasterKeyId"] == resources["Key"]
    queue, queue_arn = aws.topic_queue(resources["Topic"])
    aws.subscribe(resources["Topic"], "sqs", queue_arn, RawMessageDelivery="true")
    aws.sns.publish(TopicArn=resources["Topic"], Message="hello")
    assert aws.receive(queue)["Body"] == "hello"


def test_a_queue_keeps_its_encryption_and_policies(aws: Aws) -> None:
    template: dict[str, Any] = {
        "Resources": {
            "Graveyard": {
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "SqsManagedSseEnabled": True,
                    "MessageRetentionPeriod": 1209600,
                    "RedriveAllowPolicy": {"redrivePermission": "denyAll"},
                },
            }
        }
    }
    url = aws.resources(aws.deploy(template))["Graveyard"]
    attributes = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["SqsManagedSseEnabled"] == "true"
    assert attributes["MessageRetentionPeriod"] == "1209600"
    assert '"denyAll"' in attributes["RedriveAllowPolicy"]


def test_upstream_still_drops_lifetime_and_recovery_of_a_table(upstream: Aws) -> None:
    table = upstream.resources(upstream.deploy({"Resources": {"Table": table_with_everything()}}))["Table"]
    lifetime = upstream.dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert lifetime["TimeToLiveStatus"] == "DISABLED"
    assert not upstream.dynamodb.describe_table(TableName=table)["Table"].get("SSEDescription")
    backups = upstream.dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED"
