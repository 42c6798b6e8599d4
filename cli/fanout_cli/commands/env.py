"""`fanout env`: point other tools to the local engine."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fanout_cli.errors import UsageError
from fanout_cli.options import Json, StackName, help_text
from fanout_cli.output import emit_json
from fanout_cli.stack import environment, sam_local
from fanout_cli.stack.state import checkout
from fanout_cli.stack.target import STACK_NAME, Target, enter, require_engine
from fanout_cli.stack.topology import environments
from local_engine.process import Engine

HELP = help_text(
    "Print the exports that point the AWS CLI, boto3 and SAM to the local engine.",
    'eval "$(fanout env)"',
    "fanout env --sam-local",
    more="Writes the profile fanout-local into the state folder of this checkout; your own AWS files stay untouched. "
    "Prints nothing on standard output when no engine runs. "
    "(Version 1 of the AWS CLI ignores every configured endpoint for `aws sqs`: add --endpoint-url $AWS_ENDPOINT_URL.)"
    "\n\n"
    "With --sam-local, it writes the environment of the deployed functions and the engine's endpoint into the state "
    "folder, and prints the `sam local invoke` command that passes both to a function in a container. Name any other "
    "function and payload in that command; run `fanout env --sam-local` again after a deployment or a restart. "
    "The engine listens on the loopback address only. A container reaches that address through Docker Desktop; with "
    "Docker Engine on Linux use `sam remote invoke --config-env local`, which needs no Docker. A container does not "
    "reach the SQL replica of database_changes. The command names a debug port because SAM CLI reads the endpoint only "
    "with one; the timeout of the function is then ten hours.",
)


def run(
    *,
    sam_local_files: Annotated[
        bool, typer.Option("--sam-local", help="Write the files for `sam local invoke` and print the command instead.")
    ] = False,
    stack_name: StackName = None,
    json_output: Json = False,
) -> None:
    """Print export lines, or with --json the variables as an object."""
    engine, state = require_engine()
    if stack_name and not sam_local_files:
        raise UsageError("--stack-name was given without --sam-local", "The exports are the same for every stack.")
    if sam_local_files:
        _prepare_sam_local(engine, state, stack_name or STACK_NAME, json_output=json_output)
        return
    environment.write_profile(state, engine)
    variables = environment.exports(state, engine)
    if json_output:
        emit_json(variables)
    else:
        sys.stdout.write(environment.shell(variables))


def _prepare_sam_local(engine: Engine, state: Path, stack_name: str, *, json_output: bool) -> None:
    enter(state, engine)
    found = environments(Target(stack_name, engine, state).client, stack_name)
    files = sam_local.write(state, engine, found)
    command = sam_local.command(files, *sam_local.example(checkout(), found))
    if json_output:
        emit_json({**{name: str(file) for name, file in asdict(files).items()}, "command": command})
    else:
        sys.stdout.write(f"{command}\n")
