"""What the stages of samconfig.toml, and single parameters, deploy."""

import re
from pathlib import Path

import pytest

from fanout_wiring import Composition, load
from tests.template.application import ROOT, STAGES, templates
from tests.template.deployments import ROOT_TEMPLATE, USE_CASES, whole, with_every_option


def test_every_option_can_be_switched_on() -> None:
    composition = with_every_option()
    assert composition.problems == []
    paths = {resource.path for resource in composition.resources}
    assert {"ApplicationLogs/IngestSubscriptionFilter", "AlarmTopic/EmailSubscription"} <= paths
    assert {"SystemAlerts/EmailSubscription", "SystemAlerts/SmsSubscription"} <= paths


def test_no_mail_or_sms_is_sent_unless_an_address_is_given() -> None:
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
def test_the_monitor_publishes_its_alerts_to_a_topic_with_subscribers(parameters: dict[str, str], topic: str) -> None:
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


def test_dispatch_receives_every_alarm_and_recognises_its_own() -> None:
    composition = whole("prod")
    [function] = [each for each in composition.of("AWS::Serverless::Function") if "DispatchFunction" in each.path]
    [alarms] = [each for each in composition.of("AWS::SNS::Topic") if each.path == "AlarmTopic/AlarmTopic"]
    subscribed = {
        each.properties["TopicArn"]
        for each in composition.of("AWS::SNS::Subscription")
        if each.properties["Endpoint"] == f"<{function.path}.Alias>"
    }
    assert subscribed == {alarms.arn, "<SystemAlerts/SystemAlerts/Topic>"}
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
def test_invalid_sensitive_fields_are_refused(paths: str, accepted: bool) -> None:
    pattern = load(ROOT / "usecases/audit_logs/template.yaml")["Parameters"]["SensitiveFields"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, paths)) == accepted


@pytest.mark.parametrize("template", [ROOT_TEMPLATE, ROOT / "usecases/audit_logs/template.yaml"])
def test_prod_keeps_its_audit_trail_under_a_lock_that_no_role_may_bypass(template: Path) -> None:
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


@pytest.mark.guarantee("deployment/alias")
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


def test_every_use_case_has_the_shared_parameters() -> None:
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


def test_every_template_is_part_of_some_deployment() -> None:
    used = {stack.file for stack in whole("prod").root.stacks()}
    assert set(templates()) == used
