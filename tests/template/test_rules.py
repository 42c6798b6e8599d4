"""Our rules hold in every deployment, and each of them notices when they do not."""

import copy
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fanout_wiring import Composition, load
from tests.template import rules
from tests.template.application import EVERY_OPTION, ROOT, STAGES, overrides, templates

USE_CASES = sorted(path.parent for path in ROOT.glob("usecases/*/template.yaml"))
ROOT_TEMPLATE = ROOT / "template.yaml"
PEOPLE = {"AlertEmail": "oncall@example.com", "AlertPhoneNumber": "+15550100"}


@cache
def whole(stage: str) -> Composition:
    """The whole application, as samconfig.toml deploys it."""
    return Composition(ROOT_TEMPLATE, overrides(stage))


def changed(file: Path, change: "Change") -> Composition:
    """The whole application with one template changed."""
    template = copy.deepcopy(load(file))
    change(template)
    return Composition(ROOT_TEMPLATE, overrides("prod") | PEOPLE, {file: template})


@cache
def alone(folder: Path, stage: str) -> Composition:
    """One use case without the root, as samconfig.toml deploys it: SAM CLI leaves out parameters it does not have."""
    template = folder / "template.yaml"
    known = load(template)["Parameters"]
    return Composition(template, {name: value for name, value in overrides(stage).items() if name in known})


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("stage", STAGES)
def test_it_holds_in_the_whole_application(rule: rules.Rule, stage: str) -> None:
    assert rule(whole(stage)) == []


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("folder", USE_CASES, ids=lambda folder: folder.name)
def test_it_holds_in_a_use_case_deployed_alone(rule: rules.Rule, folder: Path) -> None:
    assert rule(alone(folder, "default")) == []
    assert rule(alone(folder, "local")) == []


def test_it_holds_with_every_option_switched_on() -> None:
    composition = Composition(ROOT_TEMPLATE, overrides("prod") | EVERY_OPTION)
    assert [finding for rule in rules.RULES for finding in rule(composition)] == []
    assert composition.problems == []
    paths = {resource.path for resource in composition.resources}
    assert {"ApplicationLogs/IngestSubscriptionFilter", "AlarmTopic/EmailSubscription"} <= paths
    assert {"SystemAlerts/EmailSubscription", "SystemAlerts/SmsSubscription"} <= paths


def test_nobody_is_written_or_called_unless_an_address_is_given() -> None:
    protocols = {each.properties["Protocol"] for each in whole("prod").of("AWS::SNS::Subscription")}
    assert protocols == {"sqs", "lambda", "firehose"}


@pytest.mark.parametrize(
    ("parameters", "topic"),
    [
        ({}, "<SystemAlerts/SystemAlerts/Topic>"),
        ({"AlertTopicArn": "arn:aws:sns:us-east-1:111122223333:other"}, "arn:aws:sns:us-east-1:111122223333:other"),
        ({"DeploySystemAlerts": "false"}, ""),
    ],
    ids=["system_alerts is deployed", "another topic is given", "neither"],
)
def test_the_monitor_raises_its_alerts_where_somebody_listens(parameters: dict[str, str], topic: str) -> None:
    composition = Composition(ROOT_TEMPLATE, parameters)
    [monitor] = [each for each in composition.of("AWS::Serverless::Function") if "MonitorFunction" in each.path]
    assert monitor.properties["Environment"]["Variables"]["ALERT_TOPIC_ARN"] == topic
    path = "ApplicationLogs/MonitorPolicy"
    [policy] = [each for each in composition.of("AWS::IAM::ManagedPolicy") if each.path == path]
    granted = [
        statement["Resource"]
        for statement in policy.properties["PolicyDocument"]["Statement"]
        if statement["Action"] == "sns:Publish"
    ]
    assert granted == ([topic] if topic else [])


def test_dispatch_hears_of_every_alarm_and_knows_which_are_its_own() -> None:
    composition = whole("prod")
    [function] = [each for each in composition.of("AWS::Serverless::Function") if "DispatchFunction" in each.path]
    [alarms] = [each for each in composition.of("AWS::SNS::Topic") if each.path == "AlarmTopic/AlarmTopic"]
    heard = {
        each.properties["TopicArn"]
        for each in composition.of("AWS::SNS::Subscription")
        if each.properties["Endpoint"] == f"<{function.path}.Alias>"
    }
    assert heard == {alarms.arn, "<SystemAlerts/SystemAlerts/Topic>"}
    # CloudFormation names what has no name of its own after its stack, and a nested stack after the one around it.
    own = function.properties["Environment"]["Variables"]["OWN_STACK"]
    assert own == function.stack.stack_name
    assert all("AlarmName" not in alarm.properties for alarm in composition.of("AWS::CloudWatch::Alarm"))


@pytest.mark.parametrize(
    ("stage", "mode", "days"),
    [
        ("default", "GOVERNANCE", 1),
        ("local", "GOVERNANCE", 1),
        ("staging", "GOVERNANCE", 7),
        ("prod", "COMPLIANCE", 3653),
    ],
)
def test_a_stage_locks_its_audit_trail_as_samconfig_says(stage: str, mode: str, days: int) -> None:
    [bucket] = [each for each in whole(stage).of("AWS::S3::Bucket") if each.path == "AuditLogs/TrailBucket"]
    retention = bucket.properties["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert (retention["Mode"], int(retention["Days"])) == (mode, days)


@pytest.mark.parametrize(
    ("paths", "accepted"),
    [
        ("", True),
        ("source_ip", True),
        ("**.password,after.card.number", True),
        ("a..b", False),
        ("a,", False),
        (".a", False),
        ("a, b", False),
        ("**", False),
        ("a.**", False),
        ("a.**,b", False),
        ("b,**.a.**", False),
        ("**.*,a**.b**c", True),
    ],
)
def test_sensitive_fields_that_the_functions_would_not_understand_are_refused(paths: str, accepted: bool) -> None:
    pattern = load(ROOT / "usecases/audit_logs/template.yaml")["Parameters"]["SensitiveFields"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, paths)) == accepted


@pytest.mark.parametrize("template", [ROOT_TEMPLATE, ROOT / "usecases/audit_logs/template.yaml"])
def test_prod_keeps_what_it_audits_under_a_lock_that_nobody_may_bypass(template: Path) -> None:
    [rule] = load(template)["Rules"].values()
    assert "prod" in str(rule["RuleCondition"])
    [assertion] = rule["Assertions"]
    assert assertion["Assert"] == {"Fn::Equals": [{"Ref": "AuditLockMode"}, "COMPLIANCE"]}


@pytest.mark.parametrize("folder", USE_CASES, ids=lambda folder: folder.name)
def test_a_use_case_switched_off_leaves_nothing_behind(folder: Path) -> None:
    name = "".join(part.title() for part in folder.name.split("_"))
    paths = {resource.path for resource in Composition(ROOT_TEMPLATE, {f"Deploy{name}": "false"}).resources}
    assert not {path for path in paths if path.startswith(name)}
    assert {resource.path for resource in Composition(ROOT_TEMPLATE, {}).resources} > paths


def test_every_use_case_of_the_folder_is_part_of_the_root() -> None:
    nested = {child.file.parent for child in whole("default").root.children.values()}
    assert set(USE_CASES) <= nested


@pytest.mark.parametrize("stage", STAGES)
def test_events_invoke_the_alias_in_staging_and_prod_and_what_sam_syncs_elsewhere(stage: str) -> None:
    composition = whole(stage)
    functions = {function.path for function in composition.of("AWS::Serverless::Function")}
    invoked = {
        value
        for resource in composition.resources
        for name in ("FunctionName", "Endpoint", "DestinationArn")
        if re.sub(r"^<|\.(Arn|Alias)>$", "", value := str(resource.properties.get(name))) in functions
    }
    assert len(invoked) > len(functions) / 2
    assert {value.rpartition(".")[2] for value in invoked} == {"Alias>" if stage in ("staging", "prod") else "Arn>"}


def test_no_use_case_misses_a_parameter_that_the_others_share() -> None:
    shared = set.intersection(*(set(load(folder / "template.yaml")["Parameters"]) for folder in USE_CASES))
    assert {"InvokedVersion", "EncryptionKeyArn", "ClaimCheckBucket", "AlarmTopicArn", "Stage", "Runtime"} <= shared


def test_the_application_s_own_log_groups_are_refused_by_name() -> None:
    pattern = load(ROOT / "usecases/application_logs/template.yaml")["Parameters"]["SourceLogGroup"]["AllowedPattern"]
    assert re.fullmatch(pattern, "/aws/lambda/shop-checkout")
    assert re.fullmatch(pattern, "")
    assert not re.fullmatch(pattern, "fanout-dev-TeamEvents-1ABC-FanoutLogGroup-2DEF")
    groups = whole("default").of("AWS::Logs::LogGroup")
    assert groups
    assert all(group.path.endswith("/FanoutLogGroup") for group in groups)


# ------------------------------------------------------------------------------------------------ rules that can fail
CHANGES = ROOT / "usecases" / "database_changes" / "template.yaml"
SUBSCRIBER = ROOT / "platform" / "subscriber.yaml"
TOPIC = ROOT / "platform" / "topic.yaml"
DIRECT = ROOT / "platform" / "direct_subscription.yaml"
PERMISSIONS = ROOT / "platform" / "permissions.yaml"
TEAM_EVENTS = ROOT / "usecases" / "team_events" / "template.yaml"
REGISTRATION = ROOT / "usecases" / "user_registration" / "template.yaml"
LOGS = ROOT / "usecases" / "application_logs" / "template.yaml"
ORDERS = ROOT / "usecases" / "order_workflow" / "template.yaml"
ALERTS = ROOT / "usecases" / "system_alerts" / "template.yaml"
AUDIT = ROOT / "usecases" / "audit_logs" / "template.yaml"
KEY = ROOT / "platform" / "encryption_key.yaml"

Change = Callable[[dict[str, Any]], object]


def _resource(template: dict[str, Any], name: str) -> dict[str, Any]:
    properties: dict[str, Any] = template["Resources"][name]["Properties"]
    return properties


def _send_mail(template: dict[str, Any]) -> dict[str, Any]:
    statements = _resource(template, "NotifyServicePolicy")["PolicyDocument"]["Statement"]
    statement: dict[str, Any] = next(each for each in statements if each["Sid"] == "SendMail")
    return statement


MISTAKES: list[tuple[str, Path, Change]] = [
    (
        "a_queue_is_open_to_nobody_but_its_topic",
        SUBSCRIBER,
        lambda t: _resource(t, "QueuePolicy")["PolicyDocument"]["Statement"][0].pop("Condition"),
    ),
    ("a_filter_reads_the_body", LOGS, lambda t: _resource(t, "MonitorSubscription").pop("FilterPolicyScope")),
    (
        "a_filter_reads_the_body",
        ALERTS,
        lambda t: _resource(t, "SmsSubscription").update(FilterPolicyScope="MessageBody"),
    ),
    (
        "a_filtered_topic_keeps_what_nobody_takes",
        LOGS,
        lambda t: _resource(t, "MonitorSubscription")["FilterPolicy"]["type"].append("log.entry.v2"),
    ),
    (
        "a_filtered_topic_keeps_what_nobody_takes",
        LOGS,
        lambda t: _resource(t, "ApplicationLogs")["Parameters"].pop("RoutedTypes"),
    ),
    (
        "a_direct_subscriber_has_one_dead_letter_queue_for_everything",
        DIRECT,
        lambda t: t["Resources"].pop("EventInvokeConfig"),
    ),
    (
        "a_direct_subscriber_has_one_dead_letter_queue_for_everything",
        DIRECT,
        lambda t: _resource(t, "Permission").pop("SourceArn"),
    ),
    (
        "function_and_inbox_agree_on_the_number_of_attempts",
        TEAM_EVENTS,
        lambda t: _resource(t, "TeamASubscriber")["Parameters"].update(MaxReceiveCount=4),
    ),
    (
        "function_and_inbox_agree_on_the_number_of_attempts",
        CHANGES,
        lambda t: _resource(t, "ReplicateToSqlFunction")["Environment"]["Variables"].pop("FANOUT_ATTEMPTS_TABLE"),
    ),
    (
        "function_and_inbox_agree_on_the_number_of_attempts",
        SUBSCRIBER,
        lambda t: _resource(t, "Queue")["RedrivePolicy"].update(maxReceiveCount={"Ref": "MaxReceiveCount"}),
    ),
    *(
        (
            "a_function_on_a_stream_loses_nothing",
            CHANGES,
            lambda t, name=name: _resource(t, "CaptureFunctionChanges").pop(name),
        )
        for name in ("FunctionResponseTypes", "DestinationConfig", "StartingPosition", "MaximumRecordAgeInSeconds")
    ),
    ("a_function_on_a_stream_loses_nothing", CHANGES, lambda t: t["Resources"].pop("GivenUpAlarm")),
    (
        "dead_letters_are_kept_as_long_as_possible",
        SUBSCRIBER,
        lambda t: _resource(t, "DeadLetterQueue").update(MessageRetentionPeriod=604_800),
    ),
    (
        "what_waits_for_a_person_or_is_lost_raises_an_alarm",
        SUBSCRIBER,
        lambda t: _resource(t, "DeadLetterAlarm").update(DatapointsToAlarm=5),
    ),
    (
        "what_waits_for_a_person_or_is_lost_raises_an_alarm",
        TOPIC,
        lambda t: t["Resources"].pop("LostAlarm"),
    ),
    (
        "what_waits_for_a_person_or_is_lost_raises_an_alarm",
        DIRECT,
        lambda t: t["Resources"].pop("DestinationAlarm"),
    ),
    (
        "a_mapping_has_a_limit_where_something_must_be_protected",
        CHANGES,
        lambda t: _resource(t, "ReplicateToSqlFunctionMessages").pop("ScalingConfig"),
    ),
    (
        "a_mapping_has_a_limit_where_something_must_be_protected",
        TEAM_EVENTS,
        lambda t: _resource(t, "TeamAFunctionMessages").update(ScalingConfig={"MaximumConcurrency": 10}),
    ),
    (
        "an_alarm_of_the_whole_application_has_an_action",
        SUBSCRIBER,
        lambda t: _resource(t, "AgeAlarm").pop("AlarmActions"),
    ),
    (
        "mail_feedback_can_arrive",
        REGISTRATION,
        lambda t: _resource(t, "MailFeedback")["Parameters"].pop("PublishingService"),
    ),
    *(
        ("a_role_that_mails_may_mail_anyone_as_one_address", REGISTRATION, change)
        for change in (
            lambda t: _send_mail(t)["Resource"].pop(0),
            lambda t: _send_mail(t).pop("Condition"),
        )
    ),
    ("topics_and_queues_are_encrypted", TOPIC, lambda t: _resource(t, "Topic").pop("KmsMasterKeyId")),
    ("topics_and_queues_are_encrypted", SUBSCRIBER, lambda t: _resource(t, "Queue").pop("SqsManagedSseEnabled")),
    (
        "stored_data_is_encrypted_with_our_key",
        TEAM_EVENTS,
        lambda t: _resource(t, "FeedTable")["SSESpecification"].pop("KMSMasterKeyId"),
    ),
    (
        "data_stays_when_its_stack_goes",
        TEAM_EVENTS,
        lambda t: t["Resources"]["FeedTable"].pop("UpdateReplacePolicy"),
    ),
    (
        "a_table_can_be_restored_and_costs_nothing_while_idle",
        TEAM_EVENTS,
        lambda t: _resource(t, "FeedTable").pop("PointInTimeRecoverySpecification"),
    ),
    (
        "a_partition_of_a_table_has_no_size_limit",
        ALERTS,
        lambda t: _resource(t, "AlertTable").update(
            LocalSecondaryIndexes=_resource(t, "AlertTable").pop("GlobalSecondaryIndexes")
        ),
    ),
    (
        "a_bucket_is_closed",
        LOGS,
        lambda t: _resource(t, "ArchiveBucket")["PublicAccessBlockConfiguration"].pop("BlockPublicAcls"),
    ),
    (
        "a_fifo_topic_has_a_name_and_its_groups_limits_of_their_own",
        TOPIC,
        lambda t: _resource(t, "Topic").pop("TopicName"),
    ),
    (
        "only_what_must_have_a_name_of_ours_has_one",
        TOPIC,
        lambda t: _resource(t, "Topic").update(TopicName="audit.fifo"),
    ),
    (
        "a_fifo_topic_has_a_name_and_its_groups_limits_of_their_own",
        SUBSCRIBER,
        lambda t: _resource(t, "Queue").pop("FifoThroughputLimit"),
    ),
    *(
        ("what_is_preserved_can_be_neither_changed_nor_hidden", AUDIT, change)
        for change in (
            lambda t: _resource(t, "TrailBucket").pop("ObjectLockEnabled"),
            lambda t: _resource(t, "TrailBucket")["ObjectLockConfiguration"].pop("Rule"),
            lambda t: _resource(t, "TrailBucket").pop("VersioningConfiguration"),
            lambda t: _resource(t, "TrailBucket")["ObjectLockConfiguration"]["Rule"]["DefaultRetention"].update(
                Mode="GOVERNANCE"
            ),
            lambda t: _resource(t, "TrailBucketPolicy")["PolicyDocument"]["Statement"].pop(1),
            lambda t: _resource(t, "TrailBucketPolicy")["PolicyDocument"]["Statement"].pop(2),
            lambda t: _resource(t, "TrailBucketPolicy")["PolicyDocument"]["Statement"][1]["Condition"].pop("Null"),
            lambda t: _resource(t, "PreservePolicy")["PolicyDocument"]["Statement"][0]["Action"].append(
                "s3:BypassGovernanceRetention"
            ),
        )
    ),
    ("a_topic_has_a_policy_of_its_own", TOPIC, lambda t: t["Resources"].pop("TopicPolicy")),
    (
        "a_topic_has_a_policy_of_its_own",
        TOPIC,
        lambda t: _resource(t, "TopicPolicy")["PolicyDocument"]["Statement"][0]["Fn::If"][2].update(Principal="*"),
    ),
    ("plain_http_is_refused_on_aws", TOPIC, lambda t: t["Resources"].pop("TopicPolicy")),
    ("a_function_has_a_role_of_its_own", TEAM_EVENTS, lambda t: _resource(t, "TeamAFunction").pop("Role")),
    (
        "a_function_has_a_role_of_its_own",
        TEAM_EVENTS,
        lambda t: _resource(t, "TeamAFunction").update(Role=_resource(t, "TeamBFunction")["Role"]),
    ),
    (
        "a_statement_says_what_it_is_for",
        TEAM_EVENTS,
        lambda t: _resource(t, "TeamASubscriber")["Parameters"].update(
            TableArn={"Fn::Sub": "${FeedTable.Arn}/index/*"}
        ),
    ),
    (
        "a_statement_says_what_it_is_for",
        TEAM_EVENTS,
        lambda t: _resource(t, "TeamASubscriber")["Parameters"].update(TableActions="dynamodb:*"),
    ),
    (
        "a_grant_on_the_key_is_for_one_service",
        PERMISSIONS,
        lambda t: _resource(t, "TableKeyPolicy")["PolicyDocument"]["Statement"][0].pop("Condition"),
    ),
    (
        "a_subscriber_reads_its_own_inbox",
        TEAM_EVENTS,
        lambda t: _resource(t, "TeamAFunction")["Environment"]["Variables"].update(
            _resource(t, "TeamBFunction")["Environment"]["Variables"]
        ),
    ),
    (
        "a_subscriber_reads_its_own_inbox",
        TEAM_EVENTS,
        lambda t: _resource(t, "TeamAFunction").update(Role=_resource(t, "TeamBFunction")["Role"]),
    ),
    *(
        ("a_function_has_exactly_the_common_layer_of_its_stack", TEAM_EVENTS, change)
        for change in (
            lambda t: _resource(t, "TeamAFunction").update(Layers=[]),
            lambda t: _resource(t, "CommonLayer").pop("PublishLambdaVersion"),
            lambda t: _resource(t, "CommonLayer").pop("LayerName"),
            lambda t: t["Globals"]["Function"].update(Layers=_resource(t, "TeamAFunction").pop("Layers")),
        )
    ),
    *(
        ("a_function_publishes_versions_and_logs_to_its_use_case", TEAM_EVENTS, change)
        for change in (
            lambda t: t["Globals"]["Function"].pop("LoggingConfig"),
            lambda t: t["Globals"]["Function"]["LoggingConfig"].update(ApplicationLogLevel="WARN"),
            lambda t: t["Globals"]["Function"]["LoggingConfig"].pop("SystemLogLevel"),
        )
    ),
    (
        "packages_are_in_the_layer",
        TEAM_EVENTS,
        lambda t: _resource(t, "TeamAFunction").update(CodeUri="../../layers/common/"),
    ),
    (
        "everything_a_person_sets_or_reads_is_described",
        SUBSCRIBER,
        lambda t: t["Parameters"]["Fifo"].pop("Description"),
    ),
    (
        "only_what_must_have_a_name_of_ours_has_one",
        TEAM_EVENTS,
        lambda t: _resource(t, "FeedTable").update(TableName="feeds"),
    ),
    ("only_what_must_have_a_name_of_ours_has_one", ORDERS, lambda t: _resource(t, "DeadlineSchedule").pop("Name")),
    (
        "every_name_fits",
        ORDERS,
        lambda t: _resource(t, "DeadlineSchedule")["Name"]["Fn::Sub"].__setitem__(0, "n" * 28 + "-${Id}"),
    ),
    (
        "a_large_batch_is_collected_over_a_window",
        TEAM_EVENTS,
        lambda t: _resource(t, "TeamBFunctionMessages").update(BatchSize=11),
    ),
]


@pytest.mark.parametrize(("name", "file", "mistake"), MISTAKES, ids=[name for name, _, _ in MISTAKES])
def test_a_mistake_is_noticed(name: str, file: Path, mistake: Change) -> None:
    findings = next(rule for rule in rules.RULES if rule.__name__ == name)(changed(file, mistake))
    assert findings, f"{name} has nothing against it"


def test_every_rule_has_a_mistake_that_it_notices() -> None:
    assert {rule.__name__ for rule in rules.RULES} == {name for name, _, _ in MISTAKES}


def test_every_template_is_part_of_some_deployment() -> None:
    used = {stack.file for stack in whole("prod").root.stacks()}
    assert set(templates()) == used
