"""`fanout first-deployment`: the first deployment on AWS, step by step, and its removal."""

import os
from typing import Annotated

import typer

from fanout_cli.errors import UsageError
from fanout_cli.first_deployment import plan as plans
from fanout_cli.first_deployment.deployment import deploy
from fanout_cli.first_deployment.removal import remove
from fanout_cli.first_deployment.steps import Run
from fanout_cli.options import Profile, Region, help_text
from fanout_cli.output import note
from fanout_cli.stack import environment
from fanout_cli.stack.state import checkout
from fanout_cli.stack.target import resolve

HELP = help_text(
    "Deploy to an AWS account for the first time: check the account, build, deploy, check the result.",
    "fanout first-deployment --account 123456789012 --region eu-central-1",
    "fanout first-deployment --account 123456789012 --accept mail-sandbox --accept sql-replica",
    "fanout first-deployment --account 123456789012 --remove fanout-dev",
    more="docs/first-deployment.md has the same steps as commands. Nothing is changed before all checks have passed; a "
    "run that stopped is started again with the same command. Exit code 2 also when a check finds something.",
)


def run(
    *,
    account: Annotated[
        str | None, typer.Option("--account", metavar="ID", help="The account to work on. [default: prompt for it]")
    ] = None,
    config_env: Annotated[
        str, typer.Option("--config-env", metavar="NAME", help="Section of samconfig.toml: default, staging, prod.")
    ] = "default",
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", metavar="FINDING", help="Continue in spite of this finding; may be repeated."),
    ] = None,
    remove_stack: Annotated[
        str | None,
        typer.Option("--remove", metavar="STACK", help="Delete this stack with all its data instead of deploying."),
    ] = None,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Work on the local engine, without the checks of what only AWS has.")
    ] = False,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Carry out the steps. Raises UsageError before anything is changed, UserError when a step fails."""
    chosen = "" if rehearse else _aws_region(config_env, region, profile)
    target = resolve(region=chosen or None, profile=None if rehearse else profile)
    found = plans.account(target.client, rehearse=rehearse)
    plans.confirm(found, account)
    plan = plans.read(checkout(), "local" if rehearse else config_env, chosen)
    note(f"Account {found}, {plan.region or 'the local engine'}, stack {plan.stack_name}")
    this = Run(plan, target.client, accept or [])
    if remove_stack is None:
        deploy(this)
    elif remove_stack != plan.stack_name:
        raise UsageError(
            f"{remove_stack} is not the stack of this configuration, which is {plan.stack_name}",
            "Name the configuration with --config-env.",
        )
    else:
        remove(this)


def _aws_region(config_env: str, region: str | None, profile: str | None) -> str:
    """Return the Region. Raises UsageError if none is named, or if profile or configuration are the local engine's."""
    if environment.PROFILE in (profile, os.environ.get("AWS_PROFILE")) or config_env == "local":
        raise UsageError(
            f"the profile {environment.PROFILE} and the configuration local lead to the local engine, not to AWS",
            "Unset AWS_PROFILE, or name a profile of an account with --profile. To try this on the engine: --rehearse.",
        )
    import boto3
    from botocore.exceptions import ProfileNotFound

    try:
        configured = boto3.session.Session(profile_name=profile).region_name
    except ProfileNotFound as error:
        raise UsageError(str(error), "Configure it (aws configure sso), or name another with --profile.") from None
    found = region or os.environ.get("AWS_REGION") or configured  # boto3 itself does not read AWS_REGION
    if not found:
        raise UsageError("no Region is named", "Name it with --region, AWS_REGION or in the profile.")
    return found
