"""The steps of a deployment. Each checks the account first, so an interrupted run can be started again."""

import json

from fanout_cli.errors import UserError
from fanout_cli.first_deployment import checks
from fanout_cli.first_deployment.checks import Finding
from fanout_cli.first_deployment.plan import Client, Plan
from fanout_cli.first_deployment.steps import Run, Step, carry_out
from fanout_cli.output import note


def deploy(run: Run) -> None:
    """Check, build, deploy and check again. Raises UsageError before anything is changed, UserError afterwards."""
    carry_out(run, CHECKS, all_at_once=True)
    carry_out(run, STEPS, all_at_once=False)
    note(f"{run.plan.stack_name} is deployed and works.")


def _build(run: Run) -> list[Finding]:
    run.command("sam", "build", "--config-env", run.plan.config_env)
    return []


def _deploy(run: Run) -> list[Finding]:
    try:
        run.command("sam", "deploy", "--config-env", run.plan.config_env, *_region(run.plan))
    except UserError as error:
        reasons = checks.failures(run.client, run.plan.stack_name) if _exists(run) else []
        if not reasons:
            raise
        raise UserError(
            "\n".join([error.problem, "The first failures, of which the others follow:", *reasons]),
            "Fix the cause and run this again: it says what to do with a stack in ROLLBACK_COMPLETE.",
        ) from None
    return []


def _exists(run: Run) -> bool:
    return bool(checks.stack_status(run.client, run.plan.stack_name))


def _status(run: Run) -> list[Finding]:
    run.command("fanout", "status", "--stack-name", run.plan.stack_name, *_region(run.plan))
    return []


def _demo(run: Run) -> list[Finding]:
    report = run.plan.root / ".fanout" / "first-deployment.json"
    report.unlink(missing_ok=True)
    try:
        run.command(
            *("fanout", "demo", "--stack-name", run.plan.stack_name, *_region(run.plan)),
            *("--json", ".fanout/first-deployment.json"),
        )
    except UserError:
        if not report.exists() or not run.expected_failures:
            raise
        if wrong := _unexpected(json.loads(report.read_text("utf-8")), run.expected_failures):
            raise UserError(
                f"deliveries without an effect: {', '.join(wrong)}",
                "fanout trace EVENT_ID says why. A new filter takes up to 15 minutes to work: run this again then.",
            ) from None
        note(f"As expected, these deliveries failed: {', '.join(sorted(run.expected_failures))}")
    return []


def _unexpected(report: dict[str, list[dict[str, str]]], expected: set[str]) -> list[str]:
    """Return what failed in a report of `fanout demo`, and is not explained by what was accepted."""
    use_cases = {each.partition("/")[0] for each in expected}
    deliveries = [each["subscriber"] for each in report["deliveries"] if not each["effect"]]
    others = [each["use_case"] for each in report["checks"] if not each["ok"]]
    return sorted({*deliveries} - expected | {*others} - use_cases)


def _region(plan: Plan) -> tuple[str, ...]:
    return ("--region", plan.region) if plan.region else ()


def _on_aws(check: checks.Check) -> checks.Check:
    """Return a check of what the local engine does not have: nothing is found when rehearsing."""

    def checked(client: Client, plan: Plan) -> list[Finding]:
        return [] if plan.is_rehearsal else check(client, plan)

    return checked


def _step(title: str, check: checks.Check) -> Step:
    return Step(title, lambda run: check(run.client, run.plan))


CHECKS = (
    _step("Check the stack", checks.stack_can_be_deployed),
    _step("Check Lambda's concurrent executions", _on_aws(checks.concurrency_suffices)),
    _step("Check SES", _on_aws(checks.mail_can_be_sent)),
    _step("Check text messages", _on_aws(checks.short_messages_can_be_sent)),
)
STEPS = (
    Step("Build", _build),
    Step("Deploy", _deploy),
    _step("Check every resource", checks.stack_is_complete),
    _step("Check the operator's subscription", _on_aws(checks.operator_is_confirmed)),
    _step("Check the secret of the SQL replica", _on_aws(checks.sql_replica_is_named)),
    _step("Check the alarms", checks.no_alarm_fires),
    Step("Check the subscribers", _status),
    Step("Send every sample", _demo),
)
