"""What a function needs to reach the engine when `sam local invoke` runs it in a container.

SAM CLI passes a variable of `--env-vars` only if the template declares it, so AWS_ENDPOINT_URL must come with
`--container-env-vars`, and that file is read only together with a debug port.
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-cli-command-reference-sam-local-invoke.html
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fanout_cli.stack.environment import REGION

if TYPE_CHECKING:
    from local_engine.process import Engine

# Docker's name for the machine that the container runs on.
# https://docs.docker.com/desktop/features/networking/networking-how-tos/; `host-gateway`: moby/moby#40007
_HOST = "host.docker.internal"
_DEBUG_PORT = "5890"


@dataclass(frozen=True)
class Files:
    """The two files, for the options of the same names."""

    env_vars: Path
    container_env_vars: Path


def write(state: Path, engine: "Engine", environments: Mapping[str, Mapping[str, str]]) -> Files:
    """Write both files into the state folder. environments: {path of a function: its deployed variables}."""
    folder = state / "sam-local"
    folder.mkdir(parents=True, exist_ok=True)
    files = Files(folder / "env.json", folder / "endpoint.json")
    # The keys are paths: SAM CLI accepts logical ids too, but two use cases have a PaymentFunction.
    _write(files.env_vars, environments)
    # What SAM CLI takes from the shell, real credentials included, is replaced.
    _write(
        files.container_env_vars,
        {
            "AWS_ENDPOINT_URL": f"http://{_HOST}:{engine.port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_SESSION_TOKEN": "",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        },
    )
    return files


def command(files: Files, function: str, payload: str) -> str:
    """Return the line for a shell that invokes the function, given by its path, with the payload in that file."""
    words = ["sam", "local", "invoke", function, "-e", payload, "--env-vars", str(files.env_vars), "-d", _DEBUG_PORT]
    words += ["--container-env-vars", str(files.container_env_vars), "--add-host", f"{_HOST}:host-gateway"]
    return shlex.join(words)


def example(root: Path, environments: Mapping[str, Mapping[str, str]]) -> tuple[str, str]:
    """Return a deployed function's path and the file of a payload for it, below the checkout `root`."""
    for path, variables in sorted(environments.items()):
        use_case, _, function = variables.get("FANOUT_SUBSCRIBER", "").partition("/")
        for payload in sorted((root / "events" / use_case / "lambda").glob(f"{function}-ordinary*.json")):
            return path, str(payload.relative_to(root))
    return min(environments), "EVENT.json"


def _write(file: Path, content: Mapping[str, object]) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
