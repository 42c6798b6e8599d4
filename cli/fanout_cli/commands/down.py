"""`fanout down`: stop the engine."""

import shutil
from typing import Annotated

import typer

from fanout_cli.options import Json, help_text
from fanout_cli.output import emit_json, note, step
from fanout_cli.stack import environment
from fanout_cli.stack.state import state_folder
from local_engine import process
from local_engine.postgres import server

HELP = help_text(
    "Stop the local engine of this checkout. Its data is kept for the next `fanout up`.",
    "fanout down",
    "fanout down --purge",
)


def run(
    *,
    purge: Annotated[bool, typer.Option("--purge", help="Also delete the engine's data.")] = False,
    json_output: Json = False,
) -> None:
    """Stop the engine; with --purge delete its state. Exit code 0 also if no engine was running."""
    state = state_folder()
    engine = process.running(state)
    if engine is None:
        stopped = process.stop(state, purge=purge)
    else:
        with step("Stopping the engine: running functions finish, then it saves what it holds"):
            stopped = process.stop(state, purge=purge)
    stopped = server.stop(state, purge=purge) or stopped
    environment.remove_profile(state)
    shutil.rmtree(state / "sam-local", ignore_errors=True)  # like the profile, it names a port that is free now
    if purge:
        for name in ("aws", "logs", "stacks"):
            shutil.rmtree(state / name, ignore_errors=True)
        for file in (*state.glob("published*.jsonl"), state / "deployed.json"):
            file.unlink(missing_ok=True)
    if json_output:
        emit_json({"stopped": stopped, "purged": purge})
    elif stopped:
        note("The engine has stopped." + (" Its state is deleted." if purge else " Its state is kept: fanout up."))
    else:
        note("No engine was running." + (" Its state is deleted." if purge else ""))
