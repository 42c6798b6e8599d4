"""Build a SAM project, deploy it into an engine of its own and serve it until Ctrl-C: `python -m local_engine`."""

import argparse
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import boto3
from botocore.exceptions import WaiterError

from local_engine import process, sam_cli, stacks
from local_engine.errors import EngineError
from local_engine.process import Engine

_INTERRUPTED = 130
_CAPABILITIES = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
_REGION = "us-east-1"
# The engine takes any key for the root user of the account.
_KEY = "test"
_POLL_SECONDS = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 after Ctrl-C, 130 if it came before the project was served, 1 on failure, with the reason on stderr."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _serve(options)
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local_engine",
        description="Build a SAM project, deploy it into a local engine and serve it until Ctrl-C.",
    )
    parser.add_argument("--template", type=Path, default=Path("template.yaml"), help="default: template.yaml")
    parser.add_argument("--stack-name", default="local", help="default: local")
    parser.add_argument("--port", type=int, help="port on 127.0.0.1, 0 for a free one; default: as before, else 4566")
    parser.add_argument(
        "--state", type=Path, help="folder of the engine's data; default: .local-engine by the template"
    )
    parser.add_argument("--parameter-overrides", nargs="+", default=[], metavar="NAME=VALUE")
    parser.add_argument(
        "--environment",
        type=Path,
        help="virtual environment with the engine's requirements; default: $LOCAL_ENGINE_ENVIRONMENT, else this one",
    )
    return parser.parse_args(arguments)


def _serve(options: argparse.Namespace) -> None:
    template = options.template.absolute()
    if not template.is_file():
        raise EngineError(f"There is no template {template}. Change into its folder, or name it with --template.")
    sam = sam_cli.find()
    if sam is None:
        raise EngineError("The SAM CLI is missing: sam is not on PATH. Install it: pip install aws-sam-cli")
    state = (options.state or template.parent / ".local-engine").absolute()
    present = process.running(state)
    if present:
        raise EngineError(
            f"An engine already runs in {state} (process {present.pid}). Stop it, or choose another --state."
        )
    try:
        engine = process.start(state, options.port, environment=options.environment)
        _delete_failed_creation(engine, options.stack_name)
        _deploy(sam, template, state, engine, options)
        _serve_until_interrupted(options.stack_name, state, engine)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the stop
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        process.stop(state)


def _serve_until_interrupted(stack_name: str, state: Path, engine: Engine) -> None:
    """Print where the stack is, and return at Ctrl-C. Raises EngineError if the engine ends by itself."""
    try:
        sys.stdout.write(f"{stack_name} is served on {engine.endpoint}. Stop it with Ctrl-C.\n{_exports(engine)}")
        sys.stdout.flush()
        while process.running(state):
            time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        return
    raise EngineError(f"The engine has ended. Its log: {engine.log}")


def _delete_failed_creation(engine: Engine, stack_name: str) -> None:
    cloudformation = boto3.client(
        "cloudformation",
        endpoint_url=engine.endpoint,
        region_name=_REGION,
        aws_access_key_id=_KEY,
        aws_secret_access_key=_KEY,
    )
    stack_id = stacks.failed_creation(cloudformation, stack_name)
    try:
        if stack_id:
            stacks.delete(cloudformation, stack_id)
    except WaiterError as error:
        raise EngineError(f"The failed stack {stack_name} cannot be deleted: {error}") from error


def _deploy(sam: Path, template: Path, state: Path, engine: Engine, options: argparse.Namespace) -> None:
    # The project's samconfig.toml may name a profile or a region of a real account, so it is not read.
    configuration = state / "samconfig.toml"
    configuration.write_text("version = 0.1\n", encoding="utf-8")
    overrides = ["--parameter-overrides", *options.parameter_overrides] if options.parameter_overrides else []
    shared = ["--config-file", str(configuration), *overrides]
    build = state / "build"
    _run_sam([str(sam), "build", "--template-file", str(template), "--build-dir", str(build), *shared], state, engine)
    _run_sam(
        [
            *(str(sam), "deploy", "--template-file", str(build / "template.yaml"), "--stack-name", options.stack_name),
            *("--resolve-s3", "--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"),
            *("--capabilities", *_CAPABILITIES),
            *shared,
        ],
        state,
        engine,
    )


def _run_sam(command: Sequence[str], state: Path, engine: Engine) -> None:
    name = f"sam {command[1]}"
    sys.stdout.write(f"{name}\n")
    sys.stdout.flush()
    log = state / "logs" / f"sam-{command[1]}.log"
    end = sam_cli.run(command, folder=state, environment=_environment(engine), log=log, show=lambda _: None)
    if end is not None:
        raise EngineError(f"{name} failed:\n{end}\nAll of its output: {log}")


def _variables(engine: Engine) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": engine.endpoint,
        "AWS_ACCESS_KEY_ID": _KEY,
        "AWS_SECRET_ACCESS_KEY": _KEY,
        "AWS_REGION": _REGION,
        "AWS_DEFAULT_REGION": _REGION,
    }


def _exports(engine: Engine) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in _variables(engine).items())


def _environment(engine: Engine) -> dict[str, str]:
    """Return the environment of the SAM CLI: the caller's without its AWS settings, which could name a real account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    binaries = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {
        **kept,
        **_variables(engine),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "PATH": binaries,
        "PYTHONUNBUFFERED": "1",
        "SAM_CLI_TELEMETRY": "0",
    }


if __name__ == "__main__":
    sys.exit(main())
