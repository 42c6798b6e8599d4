"""How topics, subscriptions, queues and functions are wired, beyond what the wiring rules ask of every fan-out."""

import json
from typing import Any

import pytest

from fanout_wiring import FUNCTION, Composition, Graph, Resource, metrics
from fanout_wiring._grants import grantees
from tests.template.application import ROOT
from tests.template.deployments import (
    ALARM,
    DEPTH,
    SUBSCRIPTION,
    TOPIC,
    Mistake,
    alarms_on,
    as_list,
    asynchronous,
    mappings,
    on_failure,
    properties,
)

CHANGES = ROOT / "usecases" / "database_changes" / "template.yaml"
SUBSCRIBER = ROOT / "platform" / "subscriber.yaml"
TOPIC_STACK = ROOT / "platform" / "topic.yaml"
DIRECT = ROOT / "platform" / "direct_subscription.yaml"
TEAM_EVENTS = ROOT / "usecases" / "team_events" / "template.yaml"
REGISTRATION = ROOT / "usecases" / "user_registration" / "template.yaml"
LOGS = ROOT / "usecases" / "application_logs" / "template.yaml"
ALERTS = ROOT / "usecases" / "system_alerts" / "template.yaml"

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

# More often than a message of a FIFO queue can be received while it waits: nine before it in its batch, ten tries each.
NEVER_REACHED = 1000

# SNS sends people words instead of the event, and a filter on the body would be asked about those words.
PEOPLE = ("email", "sms")


def _types(subscription: Resource) -> list[Any]:
    return as_list((subscription.properties.get("FilterPolicy") or {}).get("type", []))


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


@pytest.mark.guarantee("least-privilege/queue-policy")
def test_a_queue_accepts_messages_from_its_topic_alone(deployment: Composition) -> None:
    """Who else may send is a matter of that caller's role."""
    problems = []
    for policy in deployment.of("AWS::SQS::QueuePolicy"):
        for statement in policy.properties["PolicyDocument"]["Statement"]:
            source = (statement.get("Condition") or {}).get("ArnEquals", {}).get("aws:SourceArn")
            topic = deployment.by_arn(source)
            if statement["Effect"] == "Allow" and (topic is None or topic.type != TOPIC):
                problems.append(f"{policy.path}: statement {statement.get('Sid')} names no topic as SourceArn")
    assert problems == []


@pytest.mark.guarantee("no-silent-drop/filter-reads-body")
def test_a_filter_reads_the_body(deployment: Composition) -> None:
    """An event published without attributes must not vanish; the filters of people's subscriptions must read them."""
    problems = []
    for subscription in deployment.of(SUBSCRIPTION):
        if subscription.properties["Protocol"] in PEOPLE:
            if subscription.properties.get("FilterPolicyScope", "MessageAttributes") != "MessageAttributes":
                problems.append(f"{subscription.path}: the filter reads the words that people get")
        elif "FilterPolicy" in subscription.properties:
            if subscription.properties.get("FilterPolicyScope") != "MessageBody":
                problems.append(f"{subscription.path}: the filter reads attributes")
            if len(_types(subscription)) == 0:
                problems.append(f"{subscription.path}: the filter names no event type")
    assert problems == []


@pytest.mark.guarantee("no-silent-drop/unrouted", "no-silent-drop/invalid-body")
def test_a_filtered_topic_keeps_unrouted_events(deployment: Composition) -> None:
    """Its Unrouted queue gets every type but those the other filters take, and alarms report it and invalid bodies."""
    problems = []
    for topic in deployment.of(TOPIC):
        filtered = [
            subscription
            for subscription in deployment.of(SUBSCRIPTION)
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
            problems.append(f"{topic.path}: no Unrouted subscription with the filter {json.dumps({'type': wanted})}")
            continue
        queue = deployment.by_arn(unrouted[0].properties["Endpoint"])
        if queue is None or not alarms_on(deployment, DEPTH, QueueName=f"<{queue.path}.QueueName>"):
            problems.append(f"{topic.path}: no alarm on its Unrouted queue")
        bad_bodies = "NumberOfNotificationsFilteredOut-InvalidMessageBody"
        if not alarms_on(deployment, bad_bodies, TopicName=f"<{topic.path}.TopicName>"):
            problems.append(f"{topic.path}: no alarm on bodies that are not a JSON object")
    assert problems == []


@pytest.mark.guarantee("at-least-once/function-killed", "least-privilege/invoke-permission")
def test_a_direct_subscriber_has_one_dead_letter_queue_for_everything(deployment: Composition) -> None:
    """Failed deliveries, a killed function and rejections end in the same place: that of its queue."""
    problems = []
    for subscription in deployment.of(SUBSCRIPTION):
        if subscription.properties["Protocol"] != "lambda":
            continue
        invoked = subscription.properties["Endpoint"]
        function = Graph(deployment).find(invoked, FUNCTION)
        if function is None:
            problems.append(f"{subscription.path}: its endpoint is not a function of ours")
            continue
        if not any(
            permission.properties["FunctionName"] == invoked
            and permission.properties["Principal"] == "sns.amazonaws.com"
            and permission.properties.get("SourceArn") == subscription.properties["TopicArn"]
            for permission in deployment.of("AWS::Lambda::Permission")
        ):
            problems.append(f"{function.path}: its topic may not invoke it")
        redriven = (subscription.properties.get("RedrivePolicy") or {}).get("deadLetterTargetArn")
        inboxes = [
            deployment.by_arn(mapping["EventSourceArn"]) for owner, mapping in mappings(deployment) if owner is function
        ]
        behind = [
            ((inbox.properties.get("RedrivePolicy") or {}).get("deadLetterTargetArn")) for inbox in inboxes if inbox
        ]
        failures = [on_failure(settings) for owner, settings in asynchronous(deployment) if owner is function]
        if len({redriven, *failures, *behind}) != 1 or not behind or not failures:
            problems.append(
                f"{function.path}: subscription, on-failure destination and inbox differ in their dead-letter queue"
            )
    assert problems == []


def test_a_fifo_topic_has_a_name_and_its_groups_limits_of_their_own(deployment: Composition) -> None:
    """CloudFormation makes up a name that no FIFO topic may have, and one limit for all groups is a low one."""
    problems = []
    for topic in deployment.of(TOPIC):
        # https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/681
        if topic.properties.get("FifoTopic") is True and not topic.properties.get("TopicName", "").endswith(".fifo"):
            problems.append(f"{topic.path}: CloudFormation would make up a name that no FIFO topic may have")
    for subscription in deployment.of(SUBSCRIPTION):
        topic = deployment.by_arn(subscription.properties["TopicArn"])
        queue = deployment.by_arn(subscription.properties["Endpoint"])
        if topic is None or topic.properties.get("FifoTopic") is not True or queue is None:
            continue
        if queue.properties.get("FifoThroughputLimit") != "perMessageGroupId":
            problems.append(f"{queue.path}: all message groups share one limit")
    assert problems == []


@pytest.mark.guarantee("bounded-retry/one-number-of-attempts")
def test_function_and_queue_agree_on_the_number_of_attempts(deployment: Composition) -> None:
    """Ten by default, which last more than two hours."""
    problems = []
    for function, mapping in mappings(deployment):
        queue = deployment.by_arn(mapping["EventSourceArn"])
        policy = (queue.properties.get("RedrivePolicy") or {}) if queue else {}
        received = policy.get("maxReceiveCount", 0)
        configured = function.properties["Environment"]["Variables"].get("FANOUT_MAX_ATTEMPTS")
        if queue is not None and queue.properties.get("FifoQueue"):
            # There SQS counts receives that were no attempts; the runtime counts those, and gives up itself.
            table = function.properties["Environment"]["Variables"].get("FANOUT_ATTEMPTS_TABLE")
            if table != f"<{queue.path.removesuffix('Queue')}AttemptsTable>":
                problems.append(f"{function.path}: FANOUT_ATTEMPTS_TABLE is not that of its inbox")
            if received != NEVER_REACHED:
                problems.append(
                    f"{queue.path}: SQS gives a message up after {received} receives, before the runtime does"
                )
            received = queue.stack.parameters["MaxReceiveCount"]
            if received < 5:  # E9107 sees what SQS counts only
                problems.append(f"{function.path}: a dead letter after {received} attempts")
        if str(configured) != str(received):
            problems.append(f"{function.path}: FANOUT_MAX_ATTEMPTS is {configured}, maxReceiveCount {received}")
    assert problems == []


@pytest.mark.guarantee("isolation/own-queue")
def test_a_subscriber_reads_its_own_queue(deployment: Composition) -> None:
    """Environment, mapping and role all name the same queue and dead-letter queue."""
    problems = []
    for function, mapping in mappings(deployment):
        queue = deployment.by_arn(mapping["EventSourceArn"])
        if queue is None:
            continue
        variables = function.properties["Environment"]["Variables"]
        dead_letters = (queue.properties.get("RedrivePolicy") or {}).get("deadLetterTargetArn", "")
        if variables.get("FANOUT_QUEUE_URL") != f"<{queue.path}>":
            problems.append(f"{function.path}: FANOUT_QUEUE_URL is not its inbox")
        if variables.get("FANOUT_DEAD_LETTER_URL") != dead_letters.replace(".Arn>", ">"):
            problems.append(f"{function.path}: FANOUT_DEAD_LETTER_URL is not its dead-letter queue")
        use_case, module = function.stack.file.parent.name, function.properties["Handler"].split(".")[-2]
        if variables.get("FANOUT_SUBSCRIBER") != f"{use_case}/{module}":
            problems.append(f"{function.path}: FANOUT_SUBSCRIBER is not <use case>/<module>")
        role = deployment.by_arn(function.properties.get("Role"))
        held = [grantee for grantee in grantees(Graph(deployment)) if grantee.resource is role]
        readable = {
            target
            for grantee in held
            for statement in grantee.statements
            if "sqs:ReceiveMessage" in as_list(statement["Action"])
            for target in as_list(statement["Resource"])
        }
        if readable != {queue.arn}:
            problems.append(f"{function.path}: its role reads {sorted(readable)}, not its inbox and nothing else")
    assert problems == []


@pytest.mark.guarantee("isolation/concurrency-limit")
def test_a_mapping_in_front_of_a_limited_store_has_a_limit(deployment: Composition) -> None:
    """And nowhere else: LIMITED."""
    problems = []
    for function, mapping in mappings(deployment):
        subscriber = function.properties["Environment"]["Variables"]["FANOUT_SUBSCRIBER"]
        if subscriber in LIMITED and "ScalingConfig" not in mapping:
            problems.append(f"{function.path}: nothing protects {LIMITED[subscriber]}")
        if subscriber not in LIMITED and "ScalingConfig" in mapping:
            problems.append(f"{function.path}: a limit of concurrency that protects nothing costs three pollers")
    assert problems == []


@pytest.mark.guarantee("no-silent-drop/stream-failure")
def test_a_function_on_a_stream_loses_nothing(deployment: Composition) -> None:
    """Its failures come one by one, what is given up is kept with an alarm, and before the stream forgets it."""
    problems = []
    for resource in deployment.of("AWS::Lambda::EventSourceMapping"):
        mapping = resource.properties
        if not str(mapping["EventSourceArn"]).endswith(".StreamArn>"):
            continue
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            problems.append(f"{resource.path}: one failure fails the whole batch")
        bucket = deployment.by_arn(((mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination"))
        if bucket is None or bucket.type != "AWS::S3::Bucket":
            problems.append(f"{resource.path}: what Lambda gives up is not kept whole")
        if mapping.get("StartingPosition") != "TRIM_HORIZON":
            problems.append(f"{resource.path}: changes before the deployment's end are skipped")
        if not 0 < mapping.get("MaximumRecordAgeInSeconds", -1) < 86_400 or "MaximumRetryAttempts" in mapping:
            problems.append(f"{resource.path}: it must be tried for nearly the day that the stream keeps records")
        watched = {metric.name for alarm in deployment.of(ALARM) for metric in metrics(alarm)}
        if not {"OnFailureDestinationDeliveredEventCount", "IteratorAge"} <= watched:
            problems.append(f"{resource.path}: no alarm says that it is behind, or that something was given up")
    assert problems == []


def test_mail_feedback_can_arrive(deployment: Composition) -> None:
    """SES publishes to an encrypted topic in its own name."""
    problems = []
    for destination in deployment.of("AWS::SES::ConfigurationSetEventDestination"):
        topic = deployment.by_arn(destination.properties["EventDestination"]["SnsDestination"]["TopicARN"])
        if topic is None or not _service_may(deployment, topic, "ses.amazonaws.com"):
            problems.append(f"{destination.path}: SES may not publish there, or not use the topic's key")
    assert problems == []


# ------------------------------------------------------------------------------------------------------------- mistakes


MISTAKES: list[Mistake] = [
    (
        test_a_queue_accepts_messages_from_its_topic_alone,
        SUBSCRIBER,
        lambda t: properties(t, "QueuePolicy")["PolicyDocument"]["Statement"][0].pop("Condition"),
    ),
    (test_a_filter_reads_the_body, LOGS, lambda t: properties(t, "MonitorSubscription").pop("FilterPolicyScope")),
    (
        test_a_filter_reads_the_body,
        ALERTS,
        lambda t: properties(t, "SmsSubscription").update(FilterPolicyScope="MessageBody"),
    ),
    (
        test_a_filtered_topic_keeps_unrouted_events,
        LOGS,
        lambda t: properties(t, "MonitorSubscription")["FilterPolicy"]["type"].append("log.entry.v2"),
    ),
    (
        test_a_filtered_topic_keeps_unrouted_events,
        LOGS,
        lambda t: properties(t, "ApplicationLogs")["Parameters"].pop("RoutedTypes"),
    ),
    (
        test_a_direct_subscriber_has_one_dead_letter_queue_for_everything,
        DIRECT,
        lambda t: t["Resources"].pop("EventInvokeConfig"),
    ),
    (
        test_a_direct_subscriber_has_one_dead_letter_queue_for_everything,
        DIRECT,
        lambda t: properties(t, "Permission").pop("SourceArn"),
    ),
    (
        test_function_and_queue_agree_on_the_number_of_attempts,
        TEAM_EVENTS,
        lambda t: properties(t, "TeamASubscriber")["Parameters"].update(MaxReceiveCount=4),
    ),
    (
        test_function_and_queue_agree_on_the_number_of_attempts,
        CHANGES,
        lambda t: properties(t, "ReplicateToSqlFunction")["Environment"]["Variables"].pop("FANOUT_ATTEMPTS_TABLE"),
    ),
    (
        test_function_and_queue_agree_on_the_number_of_attempts,
        SUBSCRIBER,
        lambda t: properties(t, "Queue")["RedrivePolicy"].update(maxReceiveCount={"Ref": "MaxReceiveCount"}),
    ),
    *(
        (
            test_a_function_on_a_stream_loses_nothing,
            CHANGES,
            lambda t, name=name: properties(t, "CaptureFunctionChanges").pop(name),
        )
        for name in ("FunctionResponseTypes", "DestinationConfig", "StartingPosition", "MaximumRecordAgeInSeconds")
    ),
    (test_a_function_on_a_stream_loses_nothing, CHANGES, lambda t: t["Resources"].pop("GivenUpAlarm")),
    (
        test_a_mapping_in_front_of_a_limited_store_has_a_limit,
        CHANGES,
        lambda t: properties(t, "ReplicateToSqlFunctionMessages").pop("ScalingConfig"),
    ),
    (
        test_a_mapping_in_front_of_a_limited_store_has_a_limit,
        TEAM_EVENTS,
        lambda t: properties(t, "TeamAFunctionMessages").update(ScalingConfig={"MaximumConcurrency": 10}),
    ),
    (
        test_mail_feedback_can_arrive,
        REGISTRATION,
        lambda t: properties(t, "MailFeedback")["Parameters"].pop("PublishingService"),
    ),
    (
        test_a_fifo_topic_has_a_name_and_its_groups_limits_of_their_own,
        TOPIC_STACK,
        lambda t: properties(t, "Topic").pop("TopicName"),
    ),
    (
        test_a_fifo_topic_has_a_name_and_its_groups_limits_of_their_own,
        SUBSCRIBER,
        lambda t: properties(t, "Queue").pop("FifoThroughputLimit"),
    ),
    (
        test_a_subscriber_reads_its_own_queue,
        TEAM_EVENTS,
        lambda t: properties(t, "TeamAFunction")["Environment"]["Variables"].update(
            properties(t, "TeamBFunction")["Environment"]["Variables"]
        ),
    ),
    (
        test_a_subscriber_reads_its_own_queue,
        TEAM_EVENTS,
        lambda t: properties(t, "TeamAFunction").update(Role=properties(t, "TeamBFunction")["Role"]),
    ),
]
