"""The first deployment: its checks with AWS's answers, its steps in order, and its page, which says the same."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.stub import Stubber

from fanout.testing import REGION
from fanout_cli.commands import first_deployment as command
from fanout_cli.errors import UsageError, UserError
from fanout_cli.first_deployment import checks, deployment, plan, removal, steps
from fanout_cli.first_deployment.plan import Plan
from fanout_cli.first_deployment.steps import Run, Step, carry_out
from tests.unit.cli.conftest import Result

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/first-deployment.md").read_text("utf-8")
ACCOUNT = "123456789012"
ROOT_STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/fanout-dev/1"
NESTED = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/fanout-dev-AuditLogs-2/2"
# Of its own: other tests lead the default session to an account in memory.
SESSION = boto3.session.Session()
PLAN = plan.read(ROOT, "default", "eu-central-1")


def event(logical_id: str, status: str, **more: str) -> dict[str, str]:
    return {
        "LogicalResourceId": logical_id,
        "ResourceType": "AWS::SQS::Queue",
        "ResourceStatus": status,
        "PhysicalResourceId": "",
        **more,
    }


class Account:
    """AWS's answers, by service, in the order in which they are given; and the calls that were answered."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self._clients: dict[str, Any] = {}
        self._stubbers: dict[str, Stubber] = {}

    def client(self, service: str) -> Any:
        """A client that never reaches AWS: a call without an answer fails."""
        if service not in self._clients:
            made = SESSION.client(
                service, region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing"
            )
            made.meta.events.register("before-parameter-build", self._note)
            self._stubbers[service] = Stubber(made)
            self._stubbers[service].activate()
            self._clients[service] = made
        return self._clients[service]

    def _note(self, model: Any, **_: Any) -> None:
        self.calls.append((model.service_model.service_name, xform_name(model.name, "-")))

    def answers(self, service: str, operation: str, answer: dict[str, Any]) -> None:
        """The next answer of a service."""
        self.client(service)
        self._stubbers[service].add_response(operation, answer)

    def refuses(self, service: str, operation: str, code: str, message: str = "") -> None:
        """The next answer of a service: an error."""
        self.client(service)
        self._stubbers[service].add_client_error(operation, code, message)

    def has_no_stack(self) -> None:
        self.refuses("cloudformation", "describe_stacks", "ValidationError", "Stack with id x does not exist")

    def has_stack(self, status: str = "CREATE_COMPLETE", **outputs: str) -> None:
        given = [{"OutputKey": name, "OutputValue": value} for name, value in outputs.items()]
        stack = {"StackName": "x", "StackStatus": status, "CreationTime": 0, "Outputs": given}
        self.answers("cloudformation", "describe_stacks", {"Stacks": [stack]})

    def has_events(self, *events: dict[str, str]) -> None:
        common = {"StackId": ROOT_STACK, "EventId": "e", "StackName": "fanout-dev", "Timestamp": 0}
        self.answers("cloudformation", "describe_stack_events", {"StackEvents": [{**common, **e} for e in events]})

    def has_skipped(self, *resources: tuple[str, str]) -> None:
        """A deleted stack that has retained resources: type and physical id of each."""
        stack = {"StackName": "fanout-dev", "StackId": ROOT_STACK, "StackStatus": "DELETE_COMPLETE", "CreationTime": 0}
        self.answers("cloudformation", "list_stacks", {"StackSummaries": [stack]})
        self.has_events(
            *(event("R", "DELETE_SKIPPED", ResourceType=kind, PhysicalResourceId=name) for kind, name in resources)
        )

    def is_exhausted(self) -> None:
        """Every answer was asked for."""
        for stubber in self._stubbers.values():
            stubber.assert_no_pending_responses()


@pytest.fixture
def account() -> Iterator[Account]:
    made = Account()
    yield made
    made.is_exhausted()


def with_parameters(**changed: str) -> Plan:
    return replace(PLAN, parameters={**PLAN.parameters, **changed})


# ------------------------------------------------------------------------------------------------ before anything else
def command_on(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command work with this account's answers."""
    monkeypatch.setattr("fanout_cli.stack.target.Target.client", lambda _, service: account.client(service))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no Region is named"),
        (["--profile", "nobody"], "The config profile (nobody) could not be found"),
        (["--profile", "fanout-local"], "lead to the local engine, not to AWS"),
        (["--config-env", "local", "--region", REGION], "lead to the local engine, not to AWS"),
        (["--region", REGION], "AWS does not accept the credentials: Unable to locate credentials"),
    ],
    ids=["no Region", "no such profile", "the engine's profile", "the engine's configuration", "no credentials"],
)
def test_without_region_or_credentials_it_says_what_is_missing(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], message: str
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "client", lambda service, **given: boto3.session.Session().client(service, **given))
    result = run("first-deployment", *arguments)
    assert (result.exit_code, result.out) == (2, "")
    assert message in result.err
    assert "Traceback" not in result.err


def test_credentials_that_aws_refuses_end_it(
    run: Callable[..., Result], account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    command_on(account, monkeypatch)
    account.refuses("sts", "get_caller_identity", "InvalidClientTokenId", "The security token is invalid.")
    result = run("first-deployment", "--region", REGION, "--account", ACCOUNT)
    assert result.exit_code == 2
    assert "AWS does not accept the credentials" in result.err
    assert "aws sso login" in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("given", [["--account", "000000000000"], []], ids=["another account", "no account"])
def test_an_account_that_is_not_confirmed_is_not_touched(
    run: Callable[..., Result], account: Account, monkeypatch: pytest.MonkeyPatch, given: list[str]
) -> None:
    command_on(account, monkeypatch)
    account.answers("sts", "get_caller_identity", {"Account": ACCOUNT})
    result = run("first-deployment", "--region", REGION, *given)
    assert result.exit_code == 2
    assert ACCOUNT in result.err
    assert account.calls == [("sts", "get-caller-identity")]


def test_a_person_confirms_the_account_by_typing_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    plan.confirm(ACCOUNT, None, ask=lambda _: ACCOUNT)
    with pytest.raises(UsageError, match="belong to account"):
        plan.confirm(ACCOUNT, None, ask=lambda _: "yes")


def test_an_endpoint_that_is_not_aws_is_refused_unless_rehearsing(account: Account) -> None:
    local = SESSION.client("sts", endpoint_url="http://127.0.0.1:4566", region_name=REGION)
    with pytest.raises(UsageError, match=r"lead to 127\.0\.0\.1, not to AWS"):
        plan.account(lambda _: local, rehearse=False)


@pytest.mark.parametrize(
    ("stack", "message"), [("fanout-prod", "is not the stack of this configuration"), ("fanout-dev", None)]
)
def test_only_the_stack_of_the_configuration_is_removed(
    run: Callable[..., Result], account: Account, monkeypatch: pytest.MonkeyPatch, stack: str, message: str | None
) -> None:
    removed: list[str] = []
    command_on(account, monkeypatch)
    monkeypatch.setattr(command, "remove", lambda run: removed.append(run.plan.stack_name))
    account.answers("sts", "get_caller_identity", {"Account": ACCOUNT})
    result = run("first-deployment", "--region", REGION, "--account", ACCOUNT, "--remove", stack)
    assert (result.exit_code, removed) == ((2, []) if message else (0, [stack]))
    assert (message or "") in result.err


def test_a_stack_of_stage_prod_is_not_removed(account: Account) -> None:
    with pytest.raises(UsageError, match="stage prod is not removed"):
        removal.remove(Run(plan.read(ROOT, "prod", REGION), account.client))
    assert account.calls == []


# --------------------------------------------------------------------------------------------------------------- checks
@pytest.mark.parametrize(
    ("status", "next_step"),
    [
        ("ROLLBACK_COMPLETE", "aws cloudformation delete-stack --stack-name fanout-dev"),
        ("DELETE_FAILED", "aws cloudformation delete-stack --stack-name fanout-dev"),
        ("UPDATE_ROLLBACK_FAILED", "aws cloudformation continue-update-rollback --stack-name fanout-dev"),
        ("UPDATE_IN_PROGRESS", "Wait until it is done"),
    ],
)
def test_a_stack_that_cannot_be_deployed_is_named_with_the_next_step(
    account: Account, status: str, next_step: str
) -> None:
    account.has_no_stack()
    account.has_stack(status)
    if status in {"ROLLBACK_COMPLETE", "DELETE_FAILED"}:
        account.has_events()
    [finding] = checks.stack_can_be_deployed(account.client, PLAN)
    assert f"stack fanout-dev is {status}" in finding.problem
    assert next_step in finding.next_step
    assert finding.name == "", "it cannot be accepted"


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"])
def test_a_stack_that_can_be_updated_passes(account: Account, status: str) -> None:
    account.has_stack("CREATE_COMPLETE")
    account.has_stack(status)
    assert checks.stack_can_be_deployed(account.client, PLAN) == []


def test_the_first_failure_of_a_nested_stack_is_found_and_what_follows_from_it_is_left_out(account: Account) -> None:
    stack = {"ResourceType": "AWS::CloudFormation::Stack"}
    account.has_events(
        event("fanout-dev", "ROLLBACK_IN_PROGRESS", **stack, PhysicalResourceId=ROOT_STACK),
        event("TeamEvents", "CREATE_FAILED", **stack, ResourceStatusReason="Resource creation cancelled"),
        event(
            "AuditLogs",
            "CREATE_FAILED",
            **stack,
            PhysicalResourceId=NESTED,
            ResourceStatusReason=f"Embedded stack {NESTED} was not successfully created: ...",
        ),
        event("fanout-dev", "CREATE_IN_PROGRESS", **stack, PhysicalResourceId=ROOT_STACK),
        event("Earlier", "CREATE_FAILED", ResourceStatusReason="of an earlier operation"),
    )
    account.has_events(
        event("Second", "CREATE_FAILED", ResourceStatusReason="another"),
        event("First", "CREATE_FAILED", ResourceStatusReason="the cause"),
    )
    assert [line.partition(" ")[2] for line in checks.failures(account.client, "fanout-dev")] == [
        "First (AWS::SQS::Queue): the cause",
        "Second (AWS::SQS::Queue): another",
    ]


@pytest.mark.parametrize(("quota", "effective", "is_found"), [(1000, 1000, False), (1000, 10, True), (10, 10, True)])
def test_an_account_with_few_concurrent_executions_is_found(
    account: Account, quota: int, effective: int, is_found: bool
) -> None:
    account.answers("service-quotas", "get_service_quota", {"Quota": {"Value": quota}})
    account.answers("lambda", "get_account_settings", {"AccountLimit": {"ConcurrentExecutions": effective}})
    found = checks.concurrency_suffices(account.client, PLAN)
    assert [each.name for each in found] == (["concurrency"] if is_found else [])
    if is_found:
        assert "--quota-code L-B99A9384 --desired-value 1000" in found[0].next_step


def ses_has(account: Account, *, production: bool, verified: set[str], asked: list[str]) -> None:
    account.answers("sesv2", "get_account", {"ProductionAccessEnabled": production, "SendingEnabled": True})
    for identity in asked:
        if identity in verified:
            account.answers("sesv2", "get_email_identity", {"VerifiedForSendingStatus": True})
        else:
            account.refuses("sesv2", "get_email_identity", "NotFoundException")


def test_unverified_senders_and_the_sandbox_are_found(account: Account) -> None:
    only = {parameter: "false" for parameter in PLAN.parameters if parameter.startswith("Deploy")}
    this = with_parameters(
        **{**only, "DeployOrderWorkflow": "true", "DeployUserRegistration": "true"},
        OrderSenderAddress="orders@shop.example",
    )
    asked = ["welcome@example.com", "example.com", "orders@shop.example", "shop.example"]
    ses_has(account, production=False, verified={"shop.example"}, asked=asked)
    sandbox, sender = checks.mail_can_be_sent(account.client, this)
    assert sandbox.name == "mail-sandbox"
    assert "SenderAddress is welcome@example.com, which is not verified" in sender.problem
    assert sender.subscribers == ("user_registration/notify_service",)


def test_a_deployment_without_mail_and_text_messages_checks_neither(account: Account) -> None:
    without = {parameter: "false" for parameter in PLAN.parameters if parameter.startswith("Deploy")}
    this = with_parameters(**without, AlertPhoneNumber="+15550100")
    assert checks.mail_can_be_sent(account.client, this) == []
    assert checks.short_messages_can_be_sent(account.client, this) == []
    assert account.calls == []


@pytest.mark.parametrize(("status", "is_found"), [("Verified", False), ("Pending", True)])
def test_a_phone_number_that_is_not_verified_in_the_sandbox_is_found(
    account: Account, status: str, is_found: bool
) -> None:
    account.answers("sns", "get_sms_sandbox_account_status", {"IsInSandbox": True})
    number = {"PhoneNumber": "+15550100", "Status": status}
    account.answers("sns", "list_sms_sandbox_phone_numbers", {"PhoneNumbers": [number]})
    found = checks.short_messages_can_be_sent(account.client, with_parameters(AlertPhoneNumber="+15550100"))
    assert [each.name for each in found] == (["sms"] if is_found else [])


@pytest.mark.parametrize(("secret", "is_found"), [("{}", True), ('{"dsn": "postgresql://h/d"}', False)])
def test_a_secret_without_a_postgresql_is_found_and_never_shown(account: Account, secret: str, is_found: bool) -> None:
    account.has_stack(SqlSecretArn="arn:secret")
    account.answers("secretsmanager", "get_secret_value", {"SecretString": secret})
    found = checks.sql_replica_is_named(account.client, PLAN)
    assert [each.name for each in found] == (["sql-replica"] if is_found else [])
    assert "postgresql" not in str(found)


@pytest.mark.parametrize(("arn", "is_found"), [("PendingConfirmation", True), ("arn:aws:sns:r:a:t:1", False)])
def test_an_operator_who_has_not_confirmed_is_found(account: Account, arn: str, is_found: bool) -> None:
    account.has_stack(AlarmTopicArn="arn:topic:operator:1234")
    account.answers("sns", "list_subscriptions_by_topic", {"Subscriptions": [{"SubscriptionArn": arn}]})
    found = checks.operator_is_confirmed(account.client, with_parameters(OperatorEmail="oncall@example.com"))
    assert [each.name for each in found] == (["operator"] if is_found else [])


# ---------------------------------------------------------------------------------------------------------------- steps
SMALL = checks.Finding("too small", "Enlarge it.", "small", ("team_events/team_a",))
CLOSED = checks.Finding("closed", "Open it.")


def test_all_checks_are_made_before_anything_is_changed_and_shown_together(account: Account) -> None:
    found = (Step("one", lambda _: [SMALL]), Step("two", lambda _: [CLOSED]))
    with pytest.raises(UsageError) as raised:
        carry_out(Run(PLAN, account.client), found, all_at_once=True)
    assert raised.value.exit_code == 2
    assert raised.value.problem == "too small\n  -> Enlarge it.\nclosed\n  -> Open it."
    assert "--accept small." in raised.value.next_step


def test_what_is_accepted_does_not_stop_it_and_what_cannot_be_accepted_does(account: Account) -> None:
    this = Run(PLAN, account.client, accepted=["small", ""])
    carry_out(this, [Step("one", lambda _: [SMALL])], all_at_once=False)
    assert this.expected_failures == {"team_events/team_a"}
    with pytest.raises(UserError, match="closed") as raised:
        carry_out(this, [Step("two", lambda _: [CLOSED]), Step("three", pytest.fail)], all_at_once=False)
    assert raised.value.exit_code == 1


def test_a_command_that_fails_stops_it_with_its_exit_code(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "sam", lambda: Path("/bin/false"))
    with pytest.raises(UserError, match="`sam build` ended with exit code 1"):
        Run(PLAN, account.client).command("sam", "build")


@pytest.mark.parametrize(
    ("effect", "checks_ok", "expected", "is_refused"),
    [
        ("", True, {"a/b"}, False),
        ("", True, {"a/c"}, True),
        ("found", False, {"a/b"}, False),
        ("x", False, set(), True),
    ],
)
def test_the_demo_may_miss_what_was_accepted_and_nothing_else(
    *,
    account: Account,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    effect: str,
    checks_ok: bool,
    expected: set[str],
    is_refused: bool,
) -> None:
    report = {
        "deliveries": [{"subscriber": "a/b", "effect": effect}],
        "checks": [{"use_case": "a", "ok": checks_ok}],
    }

    def demo(run: Run, *_: str) -> None:
        (run.plan.root / ".fanout").mkdir()
        (run.plan.root / ".fanout/first-deployment.json").write_text(json.dumps(report), "utf-8")
        raise UserError("exit code 1")

    monkeypatch.setattr(Run, "command", demo)
    this = Run(replace(PLAN, root=tmp_path), account.client, expected_failures=expected)
    last = deployment.STEPS[-1]
    if is_refused:
        with pytest.raises(UserError):
            last.act(this)
    else:
        assert last.act(this) == []


# -------------------------------------------------------------------------------------------------------------- removal
def test_locked_versions_are_bypassed_or_counted_and_the_bucket_is_kept(account: Account) -> None:
    account.answers("s3", "get_object_lock_configuration", {})
    account.answers("s3", "list_object_versions", {"Versions": [{"Key": "k", "VersionId": "v"}]})
    account.answers("s3", "delete_objects", {"Errors": [{"Key": "k", "VersionId": "v", "Code": "AccessDenied"}]})
    account.has_skipped(("AWS::S3::Bucket", "trail"))
    [finding] = removal.STEPS[1].act(Run(PLAN, account.client))
    assert finding.problem.startswith("bucket trail: 1 versions are locked")
    assert ("s3", "delete-bucket") not in account.calls


def test_a_retained_resource_of_another_type_is_named(account: Account) -> None:
    account.has_skipped(("AWS::Kinesis::Stream", "stream"))
    [finding] = removal.STEPS[1].act(Run(PLAN, account.client))
    assert finding.problem == "AWS::Kinesis::Stream stream is retained"


def test_what_is_gone_already_is_passed_over(account: Account) -> None:
    account.has_skipped(("AWS::DynamoDB::Table", "table"))
    account.refuses("dynamodb", "delete_table", "ResourceNotFoundException")
    assert removal.STEPS[1].act(Run(PLAN, account.client)) == []


# ------------------------------------------------------------------------------------------------------------- the page
def section(title: str) -> str:
    """The text under the heading of a step."""
    return re.split(r"^##", PAGE.partition(f"\n### {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def test_the_page_has_a_section_for_each_step_in_order() -> None:
    listed = (*deployment.CHECKS, *deployment.STEPS, *removal.CHECKS, *removal.STEPS)
    assert re.findall(r"^### (.+)$", PAGE, flags=re.MULTILINE) == [step.title for step in listed]


def failed_creation(account: Account) -> None:
    account.has_no_stack()
    account.has_stack("ROLLBACK_COMPLETE")
    account.has_events()


def small_account(account: Account) -> None:
    account.answers("service-quotas", "get_service_quota", {"Quota": {"Value": 10}})
    account.answers("lambda", "get_account_settings", {"AccountLimit": {"ConcurrentExecutions": 10}})


def sandboxes(account: Account) -> None:
    ses_has(account, production=False, verified={"welcome@example.com"}, asked=["welcome@example.com"])
    for _ in range(4):
        account.refuses("sesv2", "get_email_identity", "NotFoundException")


def short_messages(account: Account) -> None:
    account.answers("sns", "get_sms_sandbox_account_status", {"IsInSandbox": True})
    account.answers("sns", "list_sms_sandbox_phone_numbers", {"PhoneNumbers": []})


def resources(account: Account) -> None:
    listed = [
        {**event("P", "CREATE_COMPLETE"), "ResourceType": kind, "PhysicalResourceId": name, "LastUpdatedTimestamp": 0}
        for kind, name in (("AWS::IAM::Role", "own"), ("AWS::IAM::ManagedPolicy", f"arn:aws:iam::{ACCOUNT}:policy/p"))
    ]
    account.answers("cloudformation", "list_stack_resources", {"StackResourceSummaries": listed})


def operator(account: Account) -> None:
    account.has_stack(AlarmTopicArn="arn:topic:operator:1234")
    account.answers("sns", "list_subscriptions_by_topic", {"Subscriptions": []})


def secret(account: Account) -> None:
    account.has_stack(SqlSecretArn="arn:secret")
    account.answers("secretsmanager", "get_secret_value", {"SecretString": "{}"})


def attached(account: Account) -> None:
    account.has_stack()
    resources(account)
    answer = {"PolicyRoles": [{"RoleName": "producer"}, {"RoleName": "own"}], "PolicyUsers": [], "PolicyGroups": []}
    account.answers("iam", "list_entities_for_policy", answer)


def deleted(account: Account) -> None:
    account.has_stack()
    account.has_no_stack()


def retained(account: Account) -> None:
    key = "11111111-2222-4333-8444-555555555555"
    names = ("bucket", "table", "secret", "group", key)
    account.has_skipped(*zip(removal.DELETIONS, names, strict=True), ("AWS::S3::BucketPolicy", "bucket"))
    account.answers("s3", "get_object_lock_configuration", {})
    account.answers("s3", "list_object_versions", {"DeleteMarkers": [{"Key": "k", "VersionId": "v"}]})
    account.answers("s3", "delete_objects", {})
    account.answers("s3", "delete_bucket", {})
    account.answers("dynamodb", "delete_table", {})
    account.answers("secretsmanager", "delete_secret", {})
    account.answers("logs", "delete_log_group", {})
    account.answers("kms", "schedule_key_deletion", {})


def uploaded(account: Account) -> None:
    account.has_stack(SourceBucket="uploads")
    account.has_stack(SourceBucket="uploads")
    account.answers("s3", "list_object_versions", {"Versions": [{"Key": "k", "VersionId": "v"}]})
    account.answers("s3", "delete_objects", {})


def nothing(_: Account) -> None:
    pass


DEPLOYMENT = (*deployment.CHECKS, *deployment.STEPS)
REMOVAL = (*removal.CHECKS, *removal.STEPS)
SETTINGS = {
    **dict(zip(DEPLOYMENT, (failed_creation, small_account, sandboxes, short_messages), strict=False)),
    **dict(zip(deployment.STEPS, (nothing, nothing, resources, operator, secret), strict=False)),
    deployment.STEPS[5]: lambda account: account.answers("cloudwatch", "describe_alarms", {"MetricAlarms": []}),
    **dict.fromkeys(deployment.STEPS[6:], nothing),
    **dict(zip(REMOVAL, (attached, deleted, retained, uploaded), strict=True)),
}


@pytest.mark.parametrize("step", SETTINGS, ids=lambda step: step.title)
def test_what_a_step_does_stands_as_commands_in_its_section(
    account: Account, monkeypatch: pytest.MonkeyPatch, step: Step
) -> None:
    commands: list[str] = []
    monkeypatch.setattr(Run, "command", lambda _, *arguments: commands.append(shlex.join(arguments)))
    SETTINGS[step](account)
    step.act(Run(with_parameters(OperatorEmail="a@example.com", AlertPhoneNumber="+15550100"), account.client))
    assert account.calls + commands != []
    calls = {f"aws {service.replace('s3', 's3api')} {operation} " for service, operation in account.calls}
    text = section(step.title)
    assert {each for each in calls if each not in text.replace("\n", " \n")} == set()
    assert {each for each in commands if each not in text} == set()


COMMANDS = [shlex.split(line) for line in PAGE.splitlines() if line.startswith("    aws ")]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[1:3]))
def test_a_command_of_the_page_exists_and_takes_its_options(words: list[str]) -> None:
    service, operation, *rest = words[1:]
    client = SESSION.client(service.replace("s3api", "s3"), region_name=REGION)
    if operation == "wait":
        assert rest.pop(0).replace("-", "_") in client.waiter_names
        operation = "describe-stacks"
    names = {xform_name(name, "-"): name for name in client.meta.service_model.operation_names}
    members = client.meta.service_model.operation_model(names[operation]).input_shape
    known = {f"--{xform_name(name, '-')}" for name in (members.members if members else ())} | {"--query", "--output"}
    assert {word for word in rest if word.startswith("--")} - known == set()
