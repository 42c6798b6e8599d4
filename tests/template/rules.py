"""What must hold in every deployment of the application, whatever its parameters.

Each rule takes a composition and returns its findings, one sentence each, none if it holds. What holds for every
fan-out, not only for ours, is in lint/ and runs with cfn-lint.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from fanout_wiring import FUNCTION, Composition, Graph, Resource, metrics
from tests.template.application import ROOT

Rule = Callable[[Composition], list[str]]
RULES: list[Rule] = []

QUEUE = "AWS::SQS::Queue"
TOPIC = "AWS::SNS::Topic"
TABLE = "AWS::DynamoDB::Table"
SUBSCRIPTION = "AWS::SNS::Subscription"
ALARM = "AWS::CloudWatch::Alarm"
FOURTEEN_DAYS = 14 * 86_400
_DEPTH = "ApproximateNumberOfMessagesVisible"

# The subscribers whose mapping has a limit of concurrency, and what the limit protects. Any other mapping has none: a
# limit keeps five pollers at work where an idle mapping needs two, decision 0016.
LIMITED = {
    "order_processing/payment": "the payment provider",
    "order_processing/shipping": "the others' share of the account's concurrency, as the use case promises",
    "order_processing/customer_notification": "SES's sending rate",
    "order_workflow/payment": "the payment provider",
    "order_workflow/inventory": "the stock of one product, which every order for it changes in a transaction",
    "order_workflow/notification": "SES's sending rate",
    "database_changes/replicate_to_sql": "the SQL replica's connections",
    "data_aggregation/web": "the few items that every batch adds to",
    "data_aggregation/mobile": "the few items that every batch adds to",
    "data_aggregation/store": "the few items that every batch adds to",
    "batch_jobs/start_job": "the rate of Step Functions' StartExecution",
}
DATA = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::SecretsManager::Secret")

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
    r"<.*JobBucket\.Arn>/inputs/\*": {"s3:GetObject": "whoever requests a job names its input"},
    r"<.*JobBucket\.Arn>/(work|work/maps|results)/\*": {
        "s3:GetObject": "the keys of a job's files hold the job's id",
        "s3:PutObject": "the keys of a job's files hold the job's id",
        "s3:AbortMultipartUpload": "the keys of a job's files hold the job's id",
        "s3:ListMultipartUploadParts": "a Distributed Map names its files",
    },
    r"arn:aws:s3:::partner-files/incoming/\*": {"s3:GetObject": "whoever requests a job names its input"},
    r"arn:aws:ses:.*:identity/\*": {"ses:SendEmail": "the person who registers or orders names the recipient"},
    r"arn:aws:states:.*:execution:<.*JobMachine\.Name>[:/]\*": {
        "states:DescribeExecution": "an execution is named after its job, or by a Distributed Map",
        "states:StopExecution": "a Distributed Map names its executions",
    },
}
# Actions with a wildcard that AWS's own documentation asks for.
WILDCARD_ACTIONS = {"kms:GenerateDataKey*", "kms:ReEncrypt*"}

# What is in these is nobody's data and not worth keeping: ids of messages in a queue, and how often each was tried.
WORKING_MEMORY = "AttemptsTable"
# More often than a message of a FIFO queue can be received while it waits: nine before it in its batch, ten tries each.
NEVER_REACHED = 1000


def rule(check: Callable[[Composition], Iterator[str]]) -> Rule:
    """Register a generator of findings as a rule."""

    def findings(composition: Composition) -> list[str]:
        return list(check(composition))

    findings.__name__ = check.__name__
    findings.__doc__ = check.__doc__
    RULES.append(findings)
    return findings


def as_list(value: Any) -> list[Any]:
    """What may be given as one or as several, as several."""
    return value if isinstance(value, list) else [value]


# ------------------------------------------------------------------------------------------------------------ helpers
def _dead_letter_arns(composition: Composition) -> dict[str, str]:
    """Every queue that takes what failed, with one that sends there."""
    found: dict[str, str] = {}
    for resource in composition.resources:
        policy = resource.properties.get("RedrivePolicy") or {}
        if "deadLetterTargetArn" in policy:
            found[policy["deadLetterTargetArn"]] = resource.path
        failure = _on_failure(resource)
        if failure:
            found[failure] = resource.path
    return found


def _on_failure(resource: Resource) -> str | None:
    """The on-failure destination that Lambda has for asynchronous invocations."""
    if resource.type != "AWS::Lambda::EventInvokeConfig":
        return None
    destinations = resource.properties.get("DestinationConfig") or {}
    arn: str | None = (destinations.get("OnFailure") or {}).get("Destination")
    return arn


def _asynchronous(composition: Composition) -> Iterator[tuple[Resource, Resource]]:
    """Every function with its settings for asynchronous invocations."""
    graph = Graph(composition)
    for settings in composition.of("AWS::Lambda::EventInvokeConfig"):
        function = graph.find(settings.properties["FunctionName"], FUNCTION)
        if function is not None:
            yield function, settings


def _mappings(composition: Composition) -> Iterator[tuple[Resource, dict[str, Any]]]:
    """Every function that reads a queue, with its mapping."""
    graph = Graph(composition)
    for mapping in graph.mappings:
        function = graph.find(mapping.function, FUNCTION)
        if function is not None:
            yield function, mapping.settings


def _may_send(composition: Composition, queue_arn: str, topic_arn: str) -> bool:
    """Whether the queue's policy lets exactly that topic send."""
    for policy in composition.of("AWS::SQS::QueuePolicy"):
        for statement in policy.properties["PolicyDocument"]["Statement"]:
            if (
                statement["Effect"] == "Allow"
                and statement["Principal"] == {"Service": "sns.amazonaws.com"}
                and queue_arn in as_list(statement["Resource"])
                and (statement.get("Condition") or {}).get("ArnEquals", {}).get("aws:SourceArn") == topic_arn
                and any(f"<{queue}>" == queue_arn.replace(".Arn>", ">") for queue in _queues_of(policy))
            ):
                return True
    return False


def _queues_of(policy: Resource) -> list[str]:
    return [url.strip("<>") for url in policy.properties["Queues"]]


def _alarms_on(composition: Composition, metric: str, **dimensions: str) -> list[Resource]:
    return [
        alarm
        for alarm in composition.of(ALARM)
        for watched in metrics(alarm)
        if watched.name == metric and watched.dimensions == dimensions
    ]


def _statements(composition: Composition) -> Iterator[tuple[Resource, dict[str, Any]]]:
    """What roles and managed policies allow."""
    for resource in composition.of("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"):
        documents = [policy["PolicyDocument"] for policy in resource.properties.get("Policies", [])]
        if "PolicyDocument" in resource.properties:
            documents.append(resource.properties["PolicyDocument"])
        for document in documents:
            for statement in document["Statement"]:
                yield resource, statement


# ----------------------------------------------------------------------------------------------- topics to subscribers
@rule
def a_queue_is_open_to_nobody_but_its_topic(composition: Composition) -> Iterator[str]:
    """Who else may send is a matter of that caller's role."""
    for policy in composition.of("AWS::SQS::QueuePolicy"):
        for statement in policy.properties["PolicyDocument"]["Statement"]:
            source = (statement.get("Condition") or {}).get("ArnEquals", {}).get("aws:SourceArn")
            topic = composition.by_arn(source)
            if statement["Effect"] == "Allow" and (topic is None or topic.type != TOPIC):
                yield f"{policy.path}: statement {statement.get('Sid')} names no topic as SourceArn"


# SNS sends people words instead of the event, and a filter on the body would be asked about those words.
PEOPLE = ("email", "sms")


@rule
def a_filter_reads_the_body(composition: Composition) -> Iterator[str]:
    """An event published without attributes must not vanish; the filters of people's subscriptions must read them."""
    for subscription in composition.of(SUBSCRIPTION):
        if subscription.properties["Protocol"] in PEOPLE:
            if subscription.properties.get("FilterPolicyScope", "MessageAttributes") != "MessageAttributes":
                yield f"{subscription.path}: the filter reads the words that people get"
        elif "FilterPolicy" in subscription.properties:
            if subscription.properties.get("FilterPolicyScope") != "MessageBody":
                yield f"{subscription.path}: the filter reads attributes"
            if len(_types(subscription)) == 0:
                yield f"{subscription.path}: the filter names no event type"


def _types(subscription: Resource) -> list[Any]:
    return as_list((subscription.properties.get("FilterPolicy") or {}).get("type", []))


@rule
def a_filtered_topic_keeps_what_nobody_takes(composition: Composition) -> Iterator[str]:
    """Its Unrouted queue gets every type but those the other filters take, and alarms tell of it and of bad bodies."""
    for topic in composition.of(TOPIC):
        filtered = [
            subscription
            for subscription in composition.of(SUBSCRIPTION)
            if subscription.properties["TopicArn"] == topic.arn
            and "FilterPolicy" in subscription.properties
            and subscription.properties["Protocol"] not in PEOPLE
        ]
        taken = {kind for subscription in filtered for kind in _types(subscription) if isinstance(kind, str)}
        if not filtered:
            continue
        wanted = [{"anything-but": sorted(taken)}, {"exists": False}]
        unrouted = [
            subscription for subscription in filtered if subscription.properties["FilterPolicy"] == {"type": wanted}
        ]
        if len(unrouted) != 1:
            yield f"{topic.path}: no Unrouted subscription with the filter {json.dumps({'type': wanted})}"
            continue
        queue = composition.by_arn(unrouted[0].properties["Endpoint"])
        if queue is None or not _alarms_on(composition, _DEPTH, QueueName=f"<{queue.path}.QueueName>"):
            yield f"{topic.path}: no alarm on its Unrouted queue"
        bad_bodies = "NumberOfNotificationsFilteredOut-InvalidMessageBody"
        if not _alarms_on(composition, bad_bodies, TopicName=f"<{topic.path}.TopicName>"):
            yield f"{topic.path}: no alarm on bodies that are no JSON object"


@rule
def a_direct_subscriber_has_one_dead_letter_queue_for_everything(composition: Composition) -> Iterator[str]:
    """Failed deliveries, a killed function and rejections end in the same place: that of its inbox."""
    for subscription in composition.of(SUBSCRIPTION):
        if subscription.properties["Protocol"] != "lambda":
            continue
        invoked = subscription.properties["Endpoint"]
        function = Graph(composition).find(invoked, FUNCTION)
        if function is None:
            yield f"{subscription.path}: its endpoint is not a function of ours"
            continue
        if not any(
            permission.properties["FunctionName"] == invoked
            and permission.properties["Principal"] == "sns.amazonaws.com"
            and permission.properties.get("SourceArn") == subscription.properties["TopicArn"]
            for permission in composition.of("AWS::Lambda::Permission")
        ):
            yield f"{function.path}: its topic may not invoke it"
        redriven = (subscription.properties.get("RedrivePolicy") or {}).get("deadLetterTargetArn")
        inboxes = [
            composition.by_arn(mapping["EventSourceArn"])
            for owner, mapping in _mappings(composition)
            if owner is function
        ]
        behind = [
            ((inbox.properties.get("RedrivePolicy") or {}).get("deadLetterTargetArn")) for inbox in inboxes if inbox
        ]
        failures = [_on_failure(settings) for owner, settings in _asynchronous(composition) if owner is function]
        if len({redriven, *failures, *behind}) != 1 or not behind or not failures:
            yield f"{function.path}: subscription, on-failure destination and inbox differ in their dead-letter queue"


@rule
def a_fifo_topic_has_a_name_and_its_groups_limits_of_their_own(composition: Composition) -> Iterator[str]:
    """CloudFormation makes up a name that no FIFO topic may have, and one limit for all groups is a low one."""
    for topic in composition.of(TOPIC):
        # https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/681
        if topic.properties.get("FifoTopic") is True and not topic.properties.get("TopicName", "").endswith(".fifo"):
            yield f"{topic.path}: CloudFormation would make up a name that no FIFO topic may have"
    for subscription in composition.of(SUBSCRIPTION):
        topic = composition.by_arn(subscription.properties["TopicArn"])
        queue = composition.by_arn(subscription.properties["Endpoint"])
        if topic is None or topic.properties.get("FifoTopic") is not True or queue is None:
            continue
        if queue.properties.get("FifoThroughputLimit") != "perMessageGroupId":
            yield f"{queue.path}: all message groups share one limit"


# -------------------------------------------------------------------------------------------------------------- queues
@rule
def a_large_batch_is_collected_over_a_window(composition: Composition) -> Iterator[str]:
    """Lambda refuses more than ten messages at a time without one."""
    for function, mapping in _mappings(composition):
        if mapping.get("BatchSize", 10) > 10 and not mapping.get("MaximumBatchingWindowInSeconds"):
            yield f"{function.path}: batches above ten need a window"


@rule
def function_and_inbox_agree_on_the_number_of_attempts(composition: Composition) -> Iterator[str]:
    """Ten by default, which last more than two hours."""
    for function, mapping in _mappings(composition):
        queue = composition.by_arn(mapping["EventSourceArn"])
        policy = (queue.properties.get("RedrivePolicy") or {}) if queue else {}
        received = policy.get("maxReceiveCount", 0)
        told = function.properties["Environment"]["Variables"].get("FANOUT_MAX_ATTEMPTS")
        if queue is not None and queue.properties.get("FifoQueue"):
            # There SQS counts receives that were no attempts; the runtime counts those, and gives up itself.
            table = function.properties["Environment"]["Variables"].get("FANOUT_ATTEMPTS_TABLE")
            if table != f"<{queue.path.removesuffix('Queue')}AttemptsTable>":
                yield f"{function.path}: FANOUT_ATTEMPTS_TABLE is not that of its inbox"
            if received != NEVER_REACHED:
                yield f"{queue.path}: SQS gives a message up after {received} receives, before the runtime does"
            received = queue.stack.parameters["MaxReceiveCount"]
            if received < 5:  # E9107 sees what SQS counts only
                yield f"{function.path}: a dead letter after {received} attempts"
        if str(told) != str(received):
            yield f"{function.path}: FANOUT_MAX_ATTEMPTS is {told}, maxReceiveCount {received}"


@rule
def a_function_on_a_stream_loses_nothing(composition: Composition) -> Iterator[str]:
    """Its failures come one by one, what is given up is kept with an alarm, and before the stream forgets it."""
    for resource in composition.of("AWS::Lambda::EventSourceMapping"):
        mapping = resource.properties
        if not str(mapping["EventSourceArn"]).endswith(".StreamArn>"):
            continue
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{resource.path}: one failure fails the whole batch"
        bucket = composition.by_arn(
            ((mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
        )
        if bucket is None or bucket.type != "AWS::S3::Bucket":
            yield f"{resource.path}: what Lambda gives up is not kept whole"
        if mapping.get("StartingPosition") != "TRIM_HORIZON":
            yield f"{resource.path}: changes before the deployment's end are skipped"
        if not 0 < mapping.get("MaximumRecordAgeInSeconds", -1) < 86_400 or "MaximumRetryAttempts" in mapping:
            yield f"{resource.path}: it must be tried for nearly the day that the stream keeps records"
        watched = {metric.name for alarm in composition.of(ALARM) for metric in metrics(alarm)}
        if not {"OnFailureDestinationDeliveredEventCount", "IteratorAge"} <= watched:
            yield f"{resource.path}: no alarm says that it is behind, or that something was given up"


@rule
def dead_letters_are_kept_as_long_as_possible(composition: Composition) -> Iterator[str]:
    """Whoever sent them there: a person has 14 days."""
    for arn, sender in _dead_letter_arns(composition).items():
        queue = composition.by_arn(arn)
        if queue is None or queue.properties.get("MessageRetentionPeriod") != FOURTEEN_DAYS:
            yield f"{sender}: its dead-letter queue does not keep messages for 14 days"


@rule
def what_waits_for_a_person_or_is_lost_raises_an_alarm(composition: Composition) -> Iterator[str]:
    """At every monitoring level. Dead letters: one sample of five, for SQS reports late on a queue that wakes up.

    That each dead-letter queue has an alarm is a matter of E9108.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/monitoring-using-cloudwatch.html
    """
    for arn, sender in _dead_letter_arns(composition).items():
        queue = composition.by_arn(arn)
        for alarm in _alarms_on(composition, _DEPTH, QueueName=f"<{queue.path}.QueueName>") if queue else ():
            if (alarm.properties["EvaluationPeriods"], alarm.properties.get("DatapointsToAlarm")) != (5, 1):
                yield f"{sender}: {alarm.path} does not take one sample of five for an alarm"
    # The operator's topic carries alarms, not events: an alarm on it would be sent to itself.
    operators = {arn for alarm in composition.of(ALARM) for arn in alarm.properties.get("AlarmActions") or ()}
    for subscription in composition.of(SUBSCRIPTION):
        topic = subscription.properties["TopicArn"]
        if topic not in operators and not _alarms_on(
            composition, "NumberOfNotificationsFailedToRedriveToDlq", TopicName=topic.replace(">", ".TopicName>")
        ):
            yield f"{subscription.path}: no alarm on what SNS can write to no dead-letter queue"
    for function, settings in _asynchronous(composition):
        failures = _alarms_on(composition, "DestinationDeliveryFailures", FunctionName=f"<{function.path}>")
        if _on_failure(settings) and not failures:
            yield f"{function.path}: no alarm on what Lambda cannot write to its on-failure destination"


@rule
def a_mapping_has_a_limit_where_something_must_be_protected(composition: Composition) -> Iterator[str]:
    """And nowhere else: LIMITED."""
    for function, mapping in _mappings(composition):
        subscriber = function.properties["Environment"]["Variables"]["FANOUT_SUBSCRIBER"]
        if subscriber in LIMITED and "ScalingConfig" not in mapping:
            yield f"{function.path}: nothing protects {LIMITED[subscriber]}"
        if subscriber not in LIMITED and "ScalingConfig" in mapping:
            yield f"{function.path}: a limit of concurrency that protects nothing costs three pollers"


@rule
def an_alarm_of_the_whole_application_has_an_action(composition: Composition) -> Iterator[str]:
    """A use case deployed alone may have none; and a silent metric is neither good nor bad news."""
    for alarm in composition.of(ALARM):
        told = composition.root.file == ROOT / "template.yaml"
        if told and not alarm.properties.get("AlarmActions"):
            yield f"{alarm.path}: it tells nobody"
        if alarm.properties.get("TreatMissingData") != "notBreaching":
            yield f"{alarm.path}: a silent metric is no good news and no bad news, say notBreaching"


def _service_may(composition: Composition, topic: Resource, service: str) -> bool:
    allowed = any(
        topic.arn in policy.properties["Topics"]
        and any(
            statement["Effect"] == "Allow"
            and service in as_list(statement["Principal"].get("Service"))
            and "aws:SourceAccount" in statement["Condition"]["StringEquals"]
            for statement in policy.properties["PolicyDocument"]["Statement"]
        )
        for policy in composition.of("AWS::SNS::TopicPolicy")
    )
    key = composition.by_arn(topic.properties.get("KmsMasterKeyId"))
    usable = key is not None and any(
        service in as_list((statement["Principal"] or {}).get("Service", []))
        and {"kms:Decrypt", "kms:GenerateDataKey*"} <= set(as_list(statement["Action"]))
        for statement in key.properties["KeyPolicy"]["Statement"]
    )
    return allowed and usable


@rule
def mail_feedback_can_arrive(composition: Composition) -> Iterator[str]:
    """SES publishes to an encrypted topic in its own name."""
    for destination in composition.of("AWS::SES::ConfigurationSetEventDestination"):
        topic = composition.by_arn(destination.properties["EventDestination"]["SnsDestination"]["TopicARN"])
        if topic is None or not _service_may(composition, topic, "ses.amazonaws.com"):
            yield f"{destination.path}: SES may not publish there, or not use the topic's key"


@rule
def a_role_that_mails_may_mail_anyone_as_one_address(composition: Composition) -> Iterator[str]:
    """In its sandbox SES checks the recipient's identity too: https://github.com/aws/aws-sdk-js/issues/3641."""
    for resource, statement in _statements(composition):
        if "ses:SendEmail" not in as_list(statement["Action"]):
            continue
        if not any(target.endswith(":identity/*") for target in as_list(statement["Resource"])):
            yield f"{resource.path}: SES answers AccessDenied where its sandbox should refuse the recipient"
        if (statement.get("Condition") or {}).get("StringEquals", {}).keys() != {"ses:FromAddress"}:
            yield f"{resource.path}: it may send as any address of the account"


# ----------------------------------------------------------------------------------------------------- encryption, data
@rule
def topics_and_queues_are_encrypted(composition: Composition) -> Iterator[str]:
    """Topics with the application's key, queues by SQS, so that SNS needs no grant for them."""
    for topic in composition.of(TOPIC):
        key = composition.by_arn(topic.properties.get("KmsMasterKeyId"))
        if key is None or key.type != "AWS::KMS::Key":
            yield f"{topic.path}: not encrypted with the application's key"
    for queue in composition.of(QUEUE):
        if queue.properties.get("SqsManagedSseEnabled") is not True:
            yield f"{queue.path}: not encrypted"


@rule
def stored_data_is_encrypted_with_our_key(composition: Composition) -> Iterator[str]:
    """Tables, buckets and secrets."""
    for resource in composition.of("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SecretsManager::Secret"):
        if resource.path.endswith(f"/{WORKING_MEMORY}"):
            continue
        text = json.dumps(resource.properties)
        keys = [key.arn for key in composition.of("AWS::KMS::Key")]
        if not any(key in text for key in keys):
            yield f"{resource.path}: not encrypted with the application's key"


@rule
def data_stays_when_its_stack_goes(composition: Composition) -> Iterator[str]:
    """Deletion and replacement both; but a creation that is rolled back leaves nothing behind."""
    for resource in composition.of(*DATA):
        if resource.path.endswith(f"/{WORKING_MEMORY}"):
            continue
        for policy, kept in (("DeletionPolicy", "RetainExceptOnCreate"), ("UpdateReplacePolicy", "Retain")):
            if resource.declared.get(policy) != kept:
                yield f"{resource.path}: {policy} is not {kept}"


@rule
def a_table_can_be_restored_and_costs_nothing_while_idle(composition: Composition) -> Iterator[str]:
    """Point-in-time recovery, pay per request."""
    for table in composition.of(TABLE):
        if (table.properties.get("PointInTimeRecoverySpecification") or {}).get(
            "PointInTimeRecoveryEnabled"
        ) is not True:
            yield f"{table.path}: no point-in-time recovery"
        if table.properties.get("BillingMode") != "PAY_PER_REQUEST":
            yield f"{table.path}: not pay per request"


@rule
def a_partition_of_a_table_has_no_size_limit(composition: Composition) -> Iterator[str]:
    """All items of one partition key end at 10 GB in a table with a local index, at none without one.

    Error ItemCollectionSizeLimitExceededException:
    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html#API_PutItem_Errors
    """
    for table in composition.of(TABLE):
        if table.properties.get("LocalSecondaryIndexes"):
            yield f"{table.path}: one key's items end at 10 GB; use a global index"


@rule
def a_bucket_is_closed(composition: Composition) -> Iterator[str]:
    """No public access in any of four ways."""
    for bucket in composition.of("AWS::S3::Bucket"):
        closed = bucket.properties.get("PublicAccessBlockConfiguration") or {}
        if [name for name, value in closed.items() if value is True] != list(closed) or len(closed) != 4:
            yield f"{bucket.path}: open to the public in some way"


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


@rule
def what_is_preserved_can_be_neither_changed_nor_hidden(composition: Composition) -> Iterator[str]:
    """A locked bucket has versions and a default retention, no role may undo it, and on AWS it is written once."""
    on_aws = composition.root.parameters["Stage"] != "local"
    for bucket in composition.of("AWS::S3::Bucket"):
        lock = bucket.properties.get("ObjectLockConfiguration")
        if lock is None and not bucket.properties.get("ObjectLockEnabled"):
            continue
        retention = ((lock or {}).get("Rule") or {}).get("DefaultRetention") or {}
        if not bucket.properties.get("ObjectLockEnabled") or not retention.get("Days"):
            yield f"{bucket.path}: nothing is locked that is written to it"
        if (bucket.properties.get("VersioningConfiguration") or {}).get("Status") != "Enabled":
            yield f"{bucket.path}: no versions"
        if composition.root.parameters["Stage"] == "prod" and retention.get("Mode") != "COMPLIANCE":
            yield f"{bucket.path}: in production somebody could bypass the lock"
        if on_aws and not _is_written_once(composition, bucket):
            yield f"{bucket.path}: a second version or a delete marker could be put over a locked one"
    for resource, statement in _statements(composition):
        if found := UNLOCKING & set(as_list(statement["Action"])):
            yield f"{resource.path}: {statement.get('Sid')} allows {sorted(found)}"


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


@rule
def a_topic_has_a_policy_of_its_own(composition: Composition) -> Iterator[str]:
    """SNS gives a topic without one a policy that lets everybody in the account publish, whatever IAM says of them."""
    policies = composition.of("AWS::SNS::TopicPolicy")
    covered = {target for policy in policies for target in as_list(policy.properties["Topics"])}
    for topic in composition.of(TOPIC):
        if topic.arn not in covered:
            yield f"{topic.path}: everybody in the account may publish"
    for policy in policies:
        for statement in policy.properties["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Allow" and statement["Principal"] in ("*", {"AWS": "*"}):
                yield f"{policy.path}: {statement['Sid']} lets in everybody"


@rule
def plain_http_is_refused_on_aws(composition: Composition) -> Iterator[str]:
    """By topics, queues and buckets; the local engine speaks nothing else."""
    if composition.root.parameters["Stage"] == "local":
        return
    refused = {
        target
        for policy in composition.of("AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy")
        for statement in policy.properties["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny" and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        for target in as_list(statement["Resource"])
    }
    for resource in composition.of(TOPIC, QUEUE, "AWS::S3::Bucket"):
        if resource.arn not in refused:
            yield f"{resource.path}: reachable without TLS"


# ----------------------------------------------------------------------------------------------------------- functions
@rule
def a_function_has_a_role_of_its_own(composition: Composition) -> Iterator[str]:
    """Without one SAM attaches a policy for all queues of the account."""
    roles = [function.properties.get("Role") for function in composition.of(FUNCTION)]
    for function, role in zip(composition.of(FUNCTION), roles, strict=True):
        found = composition.by_arn(role)
        if found is None:
            yield f"{function.path}: no explicit role"
        elif roles.count(role) > 1:
            yield f"{function.path}: shares its role"
        elif "Policies" in function.properties:
            yield f"{function.path}: SAM ignores Policies beside an explicit role"


@rule
def a_statement_says_what_it_is_for(composition: Composition) -> Iterator[str]:
    """It lists its actions; a wildcard below a resource's name has its reason in WILDCARDS."""
    for resource, statement in _statements(composition):
        actions = as_list(statement["Action"])
        for target in as_list(statement["Resource"]):
            allowed = next((reasons for pattern, reasons in WILDCARDS.items() if re.fullmatch(pattern, target)), {})
            if "*" in target and target != "*" and not set(actions) <= allowed.keys():
                yield f"{resource.path}: {statement.get('Sid')} allows {actions} on {target}"
        for action in actions:
            if "*" in action and action not in WILDCARD_ACTIONS:
                yield f"{resource.path}: {statement.get('Sid')} allows {action}"
        if not statement.get("Sid"):
            yield f"{resource.path}: a statement without a Sid that says what it is for"


@rule
def a_grant_on_the_key_is_for_one_service(composition: Composition) -> Iterator[str]:
    """A role may use the key through the service whose data it may touch, and not by itself."""
    for resource, statement in _statements(composition):
        if any(action.startswith("kms:") for action in as_list(statement["Action"])):
            through = (statement.get("Condition") or {}).get("StringEquals", {}).get("kms:ViaService")
            if not through:
                yield f"{resource.path}: {statement.get('Sid')} may use the key for anything"


@rule
def a_subscriber_reads_its_own_inbox(composition: Composition) -> Iterator[str]:
    """Environment, mapping and role all speak of the same queue and dead-letter queue."""
    policies = {f"<{policy.path}>": policy for policy in composition.of("AWS::IAM::ManagedPolicy")}
    for function, mapping in _mappings(composition):
        queue = composition.by_arn(mapping["EventSourceArn"])
        if queue is None:
            continue
        variables = function.properties["Environment"]["Variables"]
        dead_letters = (queue.properties.get("RedrivePolicy") or {}).get("deadLetterTargetArn", "")
        if variables.get("FANOUT_INBOX_URL") != f"<{queue.path}>":
            yield f"{function.path}: FANOUT_INBOX_URL is not its inbox"
        if variables.get("FANOUT_DEAD_LETTER_URL") != dead_letters.replace(".Arn>", ">"):
            yield f"{function.path}: FANOUT_DEAD_LETTER_URL is not its dead-letter queue"
        use_case = function.stack.file.parent.name
        if variables.get("FANOUT_SUBSCRIBER") != f"{use_case}/{function.properties['Handler'].split('.')[-2]}":
            yield f"{function.path}: FANOUT_SUBSCRIBER is not <use case>/<module>"
        if variables.get("POWERTOOLS_SERVICE_NAME") != variables.get("FANOUT_SUBSCRIBER"):
            yield f"{function.path}: POWERTOOLS_SERVICE_NAME is not its FANOUT_SUBSCRIBER"
        role = composition.by_arn(function.properties.get("Role"))
        attached = [policies[arn] for arn in (role.properties["ManagedPolicyArns"] if role else []) if arn in policies]
        readable = {
            target
            for policy in attached
            for statement in policy.properties["PolicyDocument"]["Statement"]
            if "sqs:ReceiveMessage" in as_list(statement["Action"])
            for target in as_list(statement["Resource"])
        }
        if readable != {queue.arn}:
            yield f"{function.path}: its role reads {sorted(readable)}, not its inbox and nothing else"


@rule
def a_function_has_exactly_the_common_layer_of_its_stack(composition: Composition) -> Iterator[str]:
    """One layer, the common one. `sam sync` finds it only as a plain !Ref in the function itself, not in Globals.

    PublishLambdaVersion makes a change of the layer a version of the function:
    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-layerversion.html
    """
    layers = {f"<{layer.path}>": layer for layer in composition.of("AWS::Serverless::LayerVersion")}
    for function in composition.of(FUNCTION):
        given = function.properties.get("Layers", [])
        layer = layers.get(given[0]) if len(given) == 1 else None
        if layer is None or layer.stack is not function.stack:
            yield f"{function.path}: its layers are {given}"
        elif "Layers" in (function.stack.template.get("Globals") or {}).get("Function", {}):
            yield f"{function.path}: its layer is in Globals, where `sam sync` does not look"
        elif layer.properties.get("PublishLambdaVersion") is not True:
            yield f"{layer.path}: its change reaches no version of {function.path}"
    for layer in layers.values():
        if not str(layer.properties.get("LayerName")).startswith(layer.stack.stack_name):
            yield f"{layer.path}: its name is shared: `sam sync` of one stack deletes the newest version of another"


@rule
def a_function_publishes_versions_and_logs_to_its_use_case(composition: Composition) -> Iterator[str]:
    """The alias `live`, JSON, one log group with a retention, receipts and metrics, and no line for Lambda's own part.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
    """
    for function in composition.of(FUNCTION):
        logging = function.properties.get("LoggingConfig") or {}
        group = next(
            (found for found in composition.of("AWS::Logs::LogGroup") if f"<{found.path}>" == logging.get("LogGroup")),
            None,
        )
        if group is None or group.stack is not function.stack or not group.properties.get("RetentionInDays"):
            yield f"{function.path}: no log group of its use case with a retention"
        if logging.get("LogFormat") != "JSON":
            yield f"{function.path}: its log is no JSON"
        if logging.get("ApplicationLogLevel", "INFO") not in ("INFO", "DEBUG", "TRACE"):
            yield f"{function.path}: Lambda drops its receipts and metrics, which are lines of level INFO"
        if logging.get("SystemLogLevel") != "WARN":
            yield f"{function.path}: two lines of Lambda's for each invocation, which nothing here reads"
        if function.properties.get("AutoPublishAlias") != "live":
            yield f"{function.path}: no alias live"


@rule
def packages_are_in_the_layer(composition: Composition) -> Iterator[str]:
    """SAM CLI's own builder of requirements.txt needs the target's interpreter and writes no .pyc files."""
    for function in composition.of(FUNCTION):
        folder = (function.stack.file.parent / function.properties["CodeUri"]).resolve()
        if (folder / "requirements.txt").exists():
            yield f"{function.path}: a requirements.txt beside its code; packages belong in the layer"


# --------------------------------------------------------------------------------------------------------------- texts
@rule
def everything_a_person_sets_or_reads_is_described(composition: Composition) -> Iterator[str]:
    """Parameters and outputs."""
    for stack in composition.root.stacks():
        for section in ("Parameters", "Outputs"):
            for name, about in stack.template.get(section, {}).items():
                if not about.get("Description"):
                    yield f"{stack.path or 'root'}: {section} {name} has no description"


# Their generated names end up longer than the service takes: CloudFormation puts the stack's name, the logical id and
# thirteen characters in a row.
TOO_LONG_IF_GENERATED = {
    "AWS::Events::Rule": ("Name", 64),
    "AWS::KinesisFirehose::DeliveryStream": ("DeliveryStreamName", 64),
    "AWS::SES::ConfigurationSet": ("Name", 64),
    "AWS::Scheduler::Schedule": ("Name", 64),
}


def _stack_id(resource: Resource) -> str:
    """The unique part of the id of a resource's stack."""
    return str(resource.stack.ref("AWS::StackId")).rpartition("/")[2]


@rule
def only_what_must_have_a_name_of_ours_has_one(composition: Composition) -> Iterator[str]:
    """So that two deployments fit in one account. Where AWS forces one, the stack's id makes it unique."""
    names = ("FunctionName", "TableName", "BucketName", "TopicName", "QueueName", "RoleName", "LogGroupName", "Name")
    kinds = (FUNCTION, TABLE, "AWS::S3::Bucket", TOPIC, QUEUE, "AWS::IAM::Role", "AWS::Logs::LogGroup")
    for resource in composition.of(*kinds):
        given = [name for name in names if name in resource.properties]
        forced = resource.stack.file.name == "inbox.yaml" or resource.properties.get("FifoTopic") is True
        if given and not (forced and _stack_id(resource) in resource.properties[given[0]]):
            yield f"{resource.path}: {given[0]} is given"
    for resource in composition.of(*TOO_LONG_IF_GENERATED):
        name, _ = TOO_LONG_IF_GENERATED[resource.type]
        if _stack_id(resource) not in resource.properties.get(name, ""):
            yield f"{resource.path}: give it a {name} with the stack's id in it"


# The longest name of a root stack that the application promises to work with, and the characters that CloudFormation
# adds behind each logical id: a hyphen and, in the longest form seen, thirteen letters and digits.
STACK_NAME = 40
RANDOM = 14
LIMITS = {
    QUEUE: ("QueueName", 80),
    TOPIC: ("TopicName", 256),
    "AWS::Athena::WorkGroup": ("Name", 128),
    **TOO_LONG_IF_GENERATED,
}


@rule
def every_name_fits(composition: Composition) -> Iterator[str]:
    """Of nested stacks (128 characters), with a root of forty, and of all that has a name of ours.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    """
    for stack in composition.root.stacks():
        length = STACK_NAME + sum(1 + len(part) + RANDOM for part in stack.path.split("/") if part)
        if length > 128:
            yield f"{stack.path}: with a root stack of {STACK_NAME} characters its name has {length}"
    for resource in composition.of(*LIMITS):
        name, limit = LIMITS[resource.type]
        length = len(str(resource.properties.get(name, "")))
        if length > limit:
            yield f"{resource.path}: its {name} has {length} characters, not {limit}"
