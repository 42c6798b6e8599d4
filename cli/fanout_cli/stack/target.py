"""Which account a command works on: the engine of this checkout, or AWS when the caller says so."""

import os
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fanout_cli.errors import UserError
from fanout_cli.stack import environment
from fanout_cli.stack.state import state_folder
from fanout_cli.stack.topology import Topology, discover

if TYPE_CHECKING:
    from local_engine.process import Engine

STACK_NAME = "fanout"

# With one of these in the environment, --stack-name means a stack on AWS, not on the engine.
_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")


@dataclass(frozen=True)
class Target:
    """An account, and the stack in it."""

    stack_name: str
    engine: "Engine | None"
    state: Path

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"the local engine ({self.engine.endpoint})" if self.engine else "AWS"

    def client(self, service: str) -> Any:
        """Return the client of an AWS service, made once."""
        return _client(service)

    def topology(self) -> Topology:
        """Return what the stack has deployed. Raises UserError if the stack does not exist."""
        return discover(self.client, self.stack_name, self.state / "stacks")


def require_engine() -> "tuple[Engine, Path]":
    """Return the running engine of this checkout and its state folder. Raises UserError if none runs."""
    from local_engine import process

    state = state_folder()
    engine = process.running(state)
    if engine is None:
        raise UserError(f"no engine is running for {state}", "Start it: fanout up")
    return engine, state


def resolve(stack_name: str | None = None, region: str | None = None, profile: str | None = None) -> Target:
    """Return what a command works on, and point this process's AWS clients there.

    AWS is reached only on request: by a profile or Region, or by a stack's name where credentials stand in the
    environment or no engine runs. Everything else is the engine of this checkout. Raises UserError if none runs.
    """
    from local_engine import process

    state = state_folder()
    if profile == environment.PROFILE:
        profile = None
    elif profile or region or (stack_name and (_credentials_in_environment() or process.running(state) is None)):
        if profile:
            os.environ["AWS_PROFILE"] = profile
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
                os.environ.pop(name, None)  # they would win over the profile that the caller names
        if region:
            os.environ["AWS_REGION"] = os.environ["AWS_DEFAULT_REGION"] = region
        _make_client.cache_clear()
        return Target(stack_name or STACK_NAME, None, state)
    engine, state = require_engine()
    enter(state, engine)
    return Target(stack_name or STACK_NAME, engine, state)


def enter(state: Path, engine: "Engine") -> None:
    """Point the AWS clients of this process to the engine; replaces what the environment says."""
    environment.write_profile(state, engine)
    variables = environment.for_engine(state, engine, os.environ)
    for name in set(os.environ) - set(variables):
        del os.environ[name]
    os.environ.update(variables)
    _make_client.cache_clear()


def _credentials_in_environment() -> bool:
    profile = os.environ.get("AWS_PROFILE")
    return profile not in (None, "", environment.PROFILE) or any(os.environ.get(name) for name in _CREDENTIALS)


# boto3 clients may be shared by threads; making them at the same time is not safe.
_making = threading.Lock()


def _client(service: str) -> Any:
    with _making:
        return _make_client(service)


@cache
def _make_client(service: str) -> Any:
    import boto3
    from botocore.config import Config

    # More connections than threads: see topology and receipts.
    config = Config(
        connect_timeout=5,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": 4},
        max_pool_connections=32,
    )
    return boto3.client(service, config=config)  # type: ignore[call-overload]
