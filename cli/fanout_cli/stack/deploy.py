"""Real `sam build` and `sam deploy` into the local engine, with the stock SAM CLI of this environment."""

import hashlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
from botocore.exceptions import ClientError
from filelock import FileLock

from fanout_cli.errors import UserError
from fanout_cli.names import require_use_case
from fanout_cli.output import Step, note, step
from fanout_cli.stack import environment, stack_tree
from fanout_cli.stack.state import ENGINE_ENVIRONMENT
from fanout_cli.stack.topology import Subscriber
from local_engine import sam_cli, stacks
from local_engine.process import Engine

# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
_RUNTIMES = ("3.11", "3.12", "3.13", "3.14")
_WARMING_THREADS = 8
_SOURCES = ("template.yaml", "samconfig.toml", "usecases", "platform", "functions", "layers/common")
_DEPLOYED = "deployed.json"


class _Record(msgspec.Struct):
    """The last deployment by this command."""

    sources: str
    use_cases: Sequence[str]
    runtime: str
    stack: str
    """The root stack as that deployment left it; another one by hand changes its times."""


class Deployment:
    """One build and deployment of the checkout into an engine."""

    def __init__(self, root: Path, state: Path, engine: Engine, cloudformation: Any, stack_name: str) -> None:
        self._root = root
        self._cloudformation = cloudformation
        self._state = state
        self._stack_name = stack_name
        self._sam = sam()
        self._runtime = engine_runtime()
        binaries = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        base = {**os.environ, "PATH": binaries, "PYTHONUNBUFFERED": "1", "SAM_CLI_TELEMETRY": "0"}
        self._environment = environment.for_engine(state, engine, base)

    def run(self, use_cases: Sequence[str]) -> None:
        """Build, and deploy exactly these use cases, unless that was done and nothing has changed since.

        Raises UserError with the end of SAM's output if it fails.
        """
        # Builds of one checkout share .aws-sam; a second one waits for the first instead of building into it.
        shared = self._root / ".fanout"
        shared.mkdir(exist_ok=True)
        with FileLock(shared / "build.lock"):
            # Before the build: what is edited meanwhile is deployed by the next one.
            wanted = _Record(fingerprint(self._root), use_cases, self._runtime, self._stack_version())
            if _read_record(self._state) == wanted and (self._root / ".aws-sam" / "build" / "template.yaml").exists():
                note(f"{self._stack_name} is deployed from this checkout, and nothing has changed.")
                return
            with step("sam build") as progress:
                self._run_sam(["build", "--config-env", "local"], progress)
            with step(f"sam deploy of {', '.join(use_cases)}") as progress:
                self._run_sam(["deploy", "--config-env", "local", *self._deploy_options(use_cases)], progress)
            wanted.stack = self._stack_version()
            (self._state / _DEPLOYED).write_bytes(msgspec.json.encode(wanted))

    def _stack_version(self) -> str:
        try:
            [stack] = self._cloudformation.describe_stacks(StackName=self._stack_name)["Stacks"]
        except ClientError:  # there is none
            return ""
        return f"{stack['StackId']} {stack_tree.version(stack)}"

    def _deploy_options(self, use_cases: Sequence[str]) -> list[str]:
        switches = {parameter: str(name in use_cases).lower() for name, parameter in switchable(self._root).items()}
        overrides = {**parameter_overrides(self._root), **switches, "Runtime": self._runtime}
        shown = " ".join(f"{name}={value}" for name, value in overrides.items())
        return ["--stack-name", self._stack_name, "--no-progressbar", "--parameter-overrides", shown]

    def _run_sam(self, arguments: Sequence[str], progress: Step) -> None:
        log = self._state / "logs" / f"sam-{arguments[0]}.log"
        command = [str(self._sam), *arguments]
        end = sam_cli.run(command, folder=self._root, environment=self._environment, log=log, show=progress.update)
        if end is not None:
            raise UserError(f"sam {arguments[0]} failed:\n{end}", f"All of its output: {log}")


def sam() -> Path:
    """Return the SAM CLI beside this interpreter, else the one on PATH. Raises UserError if there is none."""
    if found := sam_cli.find():
        return found
    raise UserError(
        f"the SAM CLI is missing: there is no {Path(sys.executable).parent / 'sam'}, and no sam on PATH",
        "Install the locked tools: make setup (or: pip install aws-sam-cli).",
    )


def engine_runtime() -> str:
    """Return the Lambda runtime that the engine's functions run on: its own interpreter's. Raises UserError."""
    python = ENGINE_ENVIRONMENT / "bin" / "python"
    try:
        answer = subprocess.run(
            [str(python), "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            check=True,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError):
        raise UserError(
            f"the engine's environment is missing or broken ({ENGINE_ENVIRONMENT})", "Create it: make setup"
        ) from None
    version = answer.stdout.strip()
    if version not in _RUNTIMES:
        raise UserError(
            f"the engine runs on Python {version}, and Lambda has no such runtime (it has {', '.join(_RUNTIMES)})",
            "Create the environments with one of them: make clean && make setup PYTHON=python3.13",
        )
    return f"python{version}"


def switchable(root: Path) -> dict[str, str]:
    """Return the use cases of the root template, each with the parameter that switches it: DeployTeamEvents."""
    template = root / "template.yaml"
    if not template.exists():
        raise UserError(f"{template} is missing", "Run this in a complete checkout.")
    parameters = set(re.findall(r"^  (Deploy[A-Z]\w*):", template.read_text(encoding="utf-8"), re.MULTILINE))
    names = sorted(folder.parent.name for folder in (root / "usecases").glob("*/template.yaml"))
    pairs = {name: "Deploy" + "".join(word.capitalize() for word in name.split("_")) for name in names}
    return {name: parameter for name, parameter in pairs.items() if parameter in parameters}


def chosen(root: Path, named: Sequence[str]) -> list[str]:
    """Return the use cases to deploy: the named ones, all if none is named. Raises UsageError for an unknown name."""
    known = list(switchable(root))
    return sorted({require_use_case(name, known) for name in named}) or known


def configuration(root: Path, config_env: str, name: str) -> Any:
    """Return a setting of samconfig.toml that every command shares. Raises UserError if it is not there."""
    try:
        file: Mapping[str, Any] = tomllib.loads((root / "samconfig.toml").read_text(encoding="utf-8"))
        return file[config_env]["global"]["parameters"][name]
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise UserError(
            f"samconfig.toml has no [{config_env}.global.parameters] with {name} ({error})",
            "Take it from the repository again.",
        ) from None


def parameter_overrides(root: Path, config_env: str = "local") -> dict[str, str]:
    """Return the parameters of `sam deploy --config-env ...`; overrides on the command line replace them all.

    Raises UserError if samconfig.toml does not say them.
    """
    pairs = configuration(root, config_env, "parameter_overrides")
    try:
        return dict(pair.split("=", 1) for pair in (pairs.split() if isinstance(pairs, str) else pairs))
    except (TypeError, AttributeError, ValueError) as error:
        raise UserError(
            f"samconfig.toml has no [{config_env}.global.parameters] with parameter_overrides ({error})",
            "Take it from the repository again.",
        ) from None


def delete_failed_creation(cloudformation: Any, stack_name: str) -> None:
    """Delete the stack if its creation failed: CloudFormation refuses to update such a stack. Raises WaiterError."""
    stack_id = stacks.failed_creation(cloudformation, stack_name)
    if stack_id:
        with step(f"Deleting {stack_name}: its creation failed"):
            stacks.delete(cloudformation, stack_id)


def fingerprint(root: Path) -> str:
    """Return a digest of everything in the checkout that is deployed."""
    digest = hashlib.sha256()
    for name in _SOURCES:
        path = root / name
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(root)}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def changed(root: Path, state: Path) -> bool:
    """Return whether the checkout differs from what was deployed last; False if unknown (sam was run by hand)."""
    record = _read_record(state)
    return record is not None and record.sources != fingerprint(root)


def _read_record(state: Path) -> _Record | None:
    try:
        return msgspec.json.decode((state / _DEPLOYED).read_bytes(), type=_Record)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def warm(functions: Any, subscribers: Sequence[Subscriber]) -> None:
    """Call every subscriber once with an empty batch, so that the first event does not wait for cold starts."""

    def call(subscriber: Subscriber) -> None:
        try:
            functions.invoke(FunctionName=subscriber.function_name, Payload=b'{"Records":[]}')
        except ClientError as error:
            note(f"{subscriber.name} did not warm up: {error}")

    with step(f"Warming {len(subscribers)} functions: the first call of each loads its code") as progress:
        done = 0
        with ThreadPoolExecutor(_WARMING_THREADS) as pool:
            for _ in pool.map(call, subscribers):
                done += 1
                progress.update(done=done, total=len(subscribers))
