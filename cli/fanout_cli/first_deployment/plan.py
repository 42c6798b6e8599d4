"""What is deployed where: a section of samconfig.toml, a Region and an account that the caller has confirmed."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from fanout_cli.errors import UsageError
from fanout_cli.stack.deploy import configuration, parameter_overrides, switchable
from fanout_wiring import load

Client = Callable[[str], Any]


@dataclass(frozen=True)
class Plan:
    """One stack, and what samconfig.toml deploys it with."""

    root: Path
    config_env: str
    stack_name: str
    artifacts: str
    """The folder of what `sam deploy` uploads, in the bucket that SAM CLI manages."""
    parameters: Mapping[str, str]
    """Every parameter of the root template: what samconfig.toml says, else the template's default."""
    region: str
    """"" when rehearsing: a Region would lead the commands to AWS."""

    def deploys(self, use_case: str) -> bool:
        """Return whether the use case is part of the deployment."""
        return self.parameters[switchable(self.root)[use_case]] == "true"

    @property
    def is_rehearsal(self) -> bool:
        """Whether it works on the local engine."""
        return not self.region


def read(root: Path, config_env: str, region: str) -> Plan:
    """Return what samconfig.toml deploys in an environment. Raises UserError if the file does not say it."""
    declared = load(root / "template.yaml")["Parameters"]
    defaults = {name: str(about["Default"]) for name, about in declared.items() if "Default" in about}
    return Plan(
        root,
        config_env,
        stack_name=configuration(root, config_env, "stack_name"),
        artifacts=configuration(root, config_env, "s3_prefix"),
        parameters={**defaults, **parameter_overrides(root, config_env)},
        region=region,
    )


def account(client: Client, *, rehearse: bool) -> str:
    """Return the id of the account that the credentials belong to.

    Raises UsageError without usable credentials, and if they do not lead to AWS although this is not a rehearsal.
    """
    sts = _sts(client)
    host = urlsplit(sts.meta.endpoint_url).hostname or ""
    if not rehearse and not host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
        raise UsageError(
            f"the credentials lead to {host}, not to AWS",
            "Unset AWS_PROFILE and AWS_ENDPOINT_URL, or name a profile of an account with --profile. "
            "To try this on the local engine: --rehearse.",
        )
    try:
        return str(sts.get_caller_identity()["Account"])
    except (BotoCoreError, ClientError) as error:
        raise UsageError(f"AWS does not accept the credentials: {error}", _SIGN_IN) from None


def confirm(found: str, given: str | None, ask: Callable[[str], str] = input) -> None:
    """Compare the account with the one that the caller names; prompt for it if none is named and stdin is a terminal.

    ask: prompts and returns the answer. Raises UsageError if they differ, and if stdin is not a terminal.
    """
    if given is None:
        if not sys.stdin.isatty():
            raise UsageError(
                f"account {found} is not confirmed, and standard input is not a terminal", f"Confirm: --account {found}"
            )
        given = ask(f"These credentials belong to account {found}. Type its number to continue: ")
    if given.strip() != found:
        raise UsageError(
            f"the credentials belong to account {found}, not to {given.strip()}",
            "Name the profile of the other account with --profile, or confirm this one.",
        )


_SIGN_IN = "Sign in (aws sso login, aws configure) or name another profile with --profile."


def _sts(client: Client) -> Any:
    try:
        return client("sts")
    except BotoCoreError as error:
        raise UsageError(str(error), _SIGN_IN) from None
