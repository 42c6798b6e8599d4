"""The environment in which the AWS CLI, boto3 and SAM talk to the local engine, and no real account can be hit.

It names a profile, `fanout-local`, in a configuration file of the engine's own state folder. The user's own files are
neither read nor written.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fanout_cli.stack.state import replace_file

if TYPE_CHECKING:
    from local_engine.process import Engine

PROFILE = "fanout-local"
REGION = "us-east-1"

_CONFIG = """\
# Written by the fanout command. SAM's configuration "local" uses this profile, so `sam deploy --config-env local`
# reaches the engine of this folder or nothing.
[profile {profile}]
region = {region}
endpoint_url = {endpoint}
output = json
"""
# The engine takes any key for an account's root; this pair opens nothing anywhere else.
_CREDENTIALS = """\
[{profile}]
aws_access_key_id = test
aws_secret_access_key = test
"""


def write_profile(state: Path, engine: "Engine") -> None:
    """Write the profile that leads to this engine into the state folder."""
    folder = state / "aws"
    folder.mkdir(parents=True, exist_ok=True)
    config = _CONFIG.format(profile=PROFILE, region=REGION, endpoint=engine.endpoint)
    replace_file(folder / "config", config.encode())
    replace_file(folder / "credentials", _CREDENTIALS.format(profile=PROFILE).encode())


def remove_profile(state: Path) -> None:
    """Delete the profile: what uses it then refuses, instead of reaching the next process on that port."""
    for name in ("config", "credentials"):
        (state / "aws" / name).unlink(missing_ok=True)


def exports(state: Path, engine: "Engine") -> dict[str, str]:
    """Return the variables that lead every AWS tool to this engine."""
    return {
        "AWS_CONFIG_FILE": str(state / "aws" / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(state / "aws" / "credentials"),
        "AWS_PROFILE": PROFILE,
        "AWS_ENDPOINT_URL": engine.endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }


def shell(variables: Mapping[str, str]) -> str:
    """Return the variables as lines that a POSIX shell can evaluate."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def for_engine(state: Path, engine: "Engine", base: Mapping[str, str]) -> dict[str, str]:
    """Return the environment `base` turned to the engine: nothing of AWS in it but the exports.

    Keys in the environment would win over the profile, an endpoint per service over the endpoint, and a proxy has no
    business between a program and this machine.
    """
    kept = {name: value for name, value in base.items() if not name.startswith("AWS_")}
    loopback = ",".join(filter(None, [base.get("NO_PROXY") or base.get("no_proxy"), "127.0.0.1", "localhost"]))
    return {**kept, **exports(state, engine), "NO_PROXY": loopback, "no_proxy": loopback}
