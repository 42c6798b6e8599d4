"""What is stored and sent is encrypted, stays, and is closed to others."""

import json

import pytest

from fanout_wiring import Composition, Resource
from tests.template.application import ROOT
from tests.template.deployments import QUEUE, TABLE, TOPIC, Mistake, as_list, properties, statements

SUBSCRIBER = ROOT / "platform" / "subscriber.yaml"
TOPIC_STACK = ROOT / "platform" / "topic.yaml"
TEAM_EVENTS = ROOT / "usecases" / "team_events" / "template.yaml"
LOGS = ROOT / "usecases" / "application_logs" / "template.yaml"
ALERTS = ROOT / "usecases" / "system_alerts" / "template.yaml"
AUDIT = ROOT / "usecases" / "audit_logs" / "template.yaml"

DATA = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::SecretsManager::Secret")

# These hold no user data that is worth keeping: ids of messages in a queue, and how often each was tried.
WORKING_MEMORY = "AttemptsTable"

# What could undo, shorten or hide what Object Lock keeps.
UNLOCKING = {
    "s3:BypassGovernanceRetention",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:PutBucketObjectLockConfiguration",
    "s3:PutLifecycleConfiguration",
    "s3:PutObjectLegalHold",
    "s3:PutObjectRetention",
}


def _is_written_once(composition: Composition, bucket: Resource) -> bool:
    denied = {
        action: statement.get("Condition")
        for policy in composition.of("AWS::S3::BucketPolicy")
        for statement in policy.properties["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and as_list(statement["Resource"]) == [f"{bucket.arn}/*"]
        for action in as_list(statement["Action"])
    }
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
    conditional = {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}
    return denied.get("s3:PutObject") == conditional and denied.get("s3:DeleteObject", conditional) is None


def test_topics_and_queues_are_encrypted(deployment: Composition) -> None:
    """Topics with the application's key, queues by SQS, so that SNS needs no grant for them."""
    problems = []
    for topic in deployment.of(TOPIC):
        key = deployment.by_arn(topic.properties.get("KmsMasterKeyId"))
        if key is None or key.type != "AWS::KMS::Key":
            problems.append(f"{topic.path}: not encrypted with the application's key")
    for queue in deployment.of(QUEUE):
        if queue.properties.get("SqsManagedSseEnabled") is not True:
            problems.append(f"{queue.path}: not encrypted")
    assert problems == []


def test_stored_data_is_encrypted_with_our_key(deployment: Composition) -> None:
    """Tables, buckets and secrets."""
    problems = []
    for resource in deployment.of("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SecretsManager::Secret"):
        if resource.path.endswith(f"/{WORKING_MEMORY}"):
            continue
        text = json.dumps(resource.properties)
        keys = [key.arn for key in deployment.of("AWS::KMS::Key")]
        if not any(key in text for key in keys):
            problems.append(f"{resource.path}: not encrypted with the application's key")
    assert problems == []


@pytest.mark.guarantee("deployment/retained-data")
def test_data_is_retained_when_its_stack_is_deleted(deployment: Composition) -> None:
    """Deletion and replacement both; but a creation that is rolled back leaves nothing behind."""
    problems = []
    for resource in deployment.of(*DATA):
        if resource.path.endswith(f"/{WORKING_MEMORY}"):
            continue
        for policy, kept in (("DeletionPolicy", "RetainExceptOnCreate"), ("UpdateReplacePolicy", "Retain")):
            if resource.declared.get(policy) != kept:
                problems.append(f"{resource.path}: {policy} is not {kept}")
    assert problems == []


def test_a_table_can_be_restored_and_costs_nothing_while_idle(deployment: Composition) -> None:
    """Point-in-time recovery, pay per request."""
    problems = []
    for table in deployment.of(TABLE):
        if (table.properties.get("PointInTimeRecoverySpecification") or {}).get(
            "PointInTimeRecoveryEnabled"
        ) is not True:
            problems.append(f"{table.path}: no point-in-time recovery")
        if table.properties.get("BillingMode") != "PAY_PER_REQUEST":
            problems.append(f"{table.path}: not pay per request")
    assert problems == []


def test_a_partition_of_a_table_has_no_size_limit(deployment: Composition) -> None:
    """All items of one partition key end at 10 GB in a table with a local index, at none without one.

    Error ItemCollectionSizeLimitExceededException:
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html#API_PutItem_Errors
    """
    problems = []
    for table in deployment.of(TABLE):
        if table.properties.get("LocalSecondaryIndexes"):
            problems.append(f"{table.path}: one key's items end at 10 GB; use a global index")
    assert problems == []


def test_a_bucket_is_closed(deployment: Composition) -> None:
    """No public access in any of four ways."""
    problems = []
    for bucket in deployment.of("AWS::S3::Bucket"):
        closed = bucket.properties.get("PublicAccessBlockConfiguration") or {}
        if [name for name, value in closed.items() if value is True] != list(closed) or len(closed) != 4:
            problems.append(f"{bucket.path}: open to the public in some way")
    assert problems == []


@pytest.mark.guarantee("least-privilege/object-lock")
def test_a_preserved_document_can_be_neither_changed_nor_hidden(deployment: Composition) -> None:
    """A locked bucket has versions and a default retention, no role may undo it, and on AWS it is written once."""
    problems = []
    on_aws = deployment.root.parameters["Stage"] != "local"
    for bucket in deployment.of("AWS::S3::Bucket"):
        lock = bucket.properties.get("ObjectLockConfiguration")
        if lock is None and not bucket.properties.get("ObjectLockEnabled"):
            continue
        retention = ((lock or {}).get("Rule") or {}).get("DefaultRetention") or {}
        if not bucket.properties.get("ObjectLockEnabled") or not retention.get("Days"):
            problems.append(f"{bucket.path}: nothing is locked that is written to it")
        if (bucket.properties.get("VersioningConfiguration") or {}).get("Status") != "Enabled":
            problems.append(f"{bucket.path}: no versions")
        if deployment.root.parameters["Stage"] == "prod" and retention.get("Mode") != "COMPLIANCE":
            problems.append(f"{bucket.path}: in production the lock could be bypassed")
        if on_aws and not _is_written_once(deployment, bucket):
            problems.append(f"{bucket.path}: a second version or a delete marker could be put over a locked one")
    for resource, statement in statements(deployment):
        if found := UNLOCKING & set(as_list(statement["Action"])):
            problems.append(f"{resource.path}: {statement.get('Sid')} allows {sorted(found)}")
    assert problems == []


def test_a_topic_has_a_policy_of_its_own(deployment: Composition) -> None:
    """SNS gives a topic without one a policy that lets every principal in the account publish, whatever IAM says."""
    problems = []
    policies = deployment.of("AWS::SNS::TopicPolicy")
    covered = {target for policy in policies for target in as_list(policy.properties["Topics"])}
    for topic in deployment.of(TOPIC):
        if topic.arn not in covered:
            problems.append(f"{topic.path}: every principal in the account may publish")
    for policy in policies:
        for statement in policy.properties["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Allow" and statement["Principal"] in ("*", {"AWS": "*"}):
                problems.append(f"{policy.path}: {statement['Sid']} allows every principal")
    assert problems == []


@pytest.mark.guarantee("least-privilege/tls")
def test_plain_http_is_refused_on_aws(deployment: Composition) -> None:
    """By topics, queues and buckets; the local engine supports nothing else."""
    problems = []
    if deployment.root.parameters["Stage"] == "local":
        return
    refused = {
        target
        for policy in deployment.of("AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy")
        for statement in policy.properties["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        for target in as_list(statement["Resource"])
    }
    for resource in deployment.of(TOPIC, QUEUE, "AWS::S3::Bucket"):
        if resource.arn not in refused:
            problems.append(f"{resource.path}: reachable without TLS")
    assert problems == []


# ------------------------------------------------------------------------------------------------------------- mistakes


MISTAKES: list[Mistake] = [
    (test_topics_and_queues_are_encrypted, TOPIC_STACK, lambda t: properties(t, "Topic").pop("KmsMasterKeyId")),
    (test_topics_and_queues_are_encrypted, SUBSCRIBER, lambda t: properties(t, "Queue").pop("SqsManagedSseEnabled")),
    (
        test_stored_data_is_encrypted_with_our_key,
        TEAM_EVENTS,
        lambda t: properties(t, "FeedTable")["SSESpecification"].pop("KMSMasterKeyId"),
    ),
    (
        test_data_is_retained_when_its_stack_is_deleted,
        TEAM_EVENTS,
        lambda t: t["Resources"]["FeedTable"].pop("UpdateReplacePolicy"),
    ),
    (
        test_a_table_can_be_restored_and_costs_nothing_while_idle,
        TEAM_EVENTS,
        lambda t: properties(t, "FeedTable").pop("PointInTimeRecoverySpecification"),
    ),
    (
        test_a_partition_of_a_table_has_no_size_limit,
        ALERTS,
        lambda t: properties(t, "AlertTable").update(
            LocalSecondaryIndexes=properties(t, "AlertTable").pop("GlobalSecondaryIndexes")
        ),
    ),
    (
        test_a_bucket_is_closed,
        LOGS,
        lambda t: properties(t, "ArchiveBucket")["PublicAccessBlockConfiguration"].pop("BlockPublicAcls"),
    ),
    *(
        (test_a_preserved_document_can_be_neither_changed_nor_hidden, AUDIT, change)
        for change in (
            lambda t: properties(t, "TrailBucket").pop("ObjectLockEnabled"),
            lambda t: properties(t, "TrailBucket")["ObjectLockConfiguration"].pop("Rule"),
            lambda t: properties(t, "TrailBucket").pop("VersioningConfiguration"),
            lambda t: properties(t, "TrailBucket")["ObjectLockConfiguration"]["Rule"]["DefaultRetention"].update(
                Mode="GOVERNANCE"
            ),
            lambda t: properties(t, "TrailBucketPolicy")["PolicyDocument"]["Statement"].pop(1),
            lambda t: properties(t, "TrailBucketPolicy")["PolicyDocument"]["Statement"].pop(2),
            lambda t: properties(t, "TrailBucketPolicy")["PolicyDocument"]["Statement"][1]["Condition"].pop("Null"),
            lambda t: properties(t, "PreservePolicy")["PolicyDocument"]["Statement"][0]["Action"].append(
                "s3:BypassGovernanceRetention"
            ),
        )
    ),
    (test_a_topic_has_a_policy_of_its_own, TOPIC_STACK, lambda t: t["Resources"].pop("TopicPolicy")),
    (
        test_a_topic_has_a_policy_of_its_own,
        TOPIC_STACK,
        lambda t: properties(t, "TopicPolicy")["PolicyDocument"]["Statement"][0]["Fn::If"][2].update(Principal="*"),
    ),
    (test_plain_http_is_refused_on_aws, TOPIC_STACK, lambda t: t["Resources"].pop("TopicPolicy")),
]
