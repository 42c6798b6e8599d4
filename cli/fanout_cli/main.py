"""The `fanout` command: its subcommands, and the boundary at which failures become messages and exit codes."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - said here in words, not by a SyntaxError in some module below
    sys.exit(
        f"fanout needs Python 3.11 or newer; {sys.executable} is {sys.version_info[0]}.{sys.version_info[1]}.\n"
        "Make the environment anew with another one: make setup PYTHON=python3.13"
    )

import os
from collections.abc import Sequence
from typing import NoReturn

import typer
from botocore.exceptions import BotoCoreError, ClientError

from fanout_cli.commands import (
    analytics,
    audit,
    demo,
    dlq,
    down,
    env,
    first_deployment,
    jobs,
    logs,
    pause,
    publish,
    replicas,
    resume,
    status,
    trace,
    up,
)
from fanout_cli.errors import UserError
from fanout_cli.output import error_console, printable
from local_engine.errors import EngineError

app = typer.Typer(
    name="fanout",
    help="Run the fan-out application on this machine, publish to it, and see what became of every event.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for name, command in {
    "up": up,
    "down": down,
    "status": status,
    "env": env,
    "publish": publish,
    "trace": trace,
    "pause": pause,
    "resume": resume,
    "demo": demo,
    "first-deployment": first_deployment,
}.items():
    app.command(name, help=command.HELP)(command.run)
app.add_typer(dlq.app, name="dlq")
app.add_typer(logs.app, name="logs")
app.add_typer(audit.app, name="audit")
app.add_typer(replicas.app, name="replicas")
app.add_typer(analytics.app, name="analytics")
app.add_typer(jobs.app, name="jobs")


def main() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code: 0 done, 1 something failed or is missing, 2 wrong usage."""
    try:
        app(list(arguments))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BrokenPipeError:
        # Whoever read our output has seen enough. Point stdout elsewhere, or Python complains when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (UserError, EngineError, ClientError, BotoCoreError, OSError) as error:
        if isinstance(error, OSError) and error.filename is None:  # no file that a person could look at
            raise
        problem, next_step = _explain(error)
        console = error_console()
        console.print("Error: ", style="bold red", end="")
        text = "\n".join(filter(None, (problem, next_step)))
        console.print(printable(text, keep="\n"), markup=False)  # it quotes what it was given
        return error.exit_code if isinstance(error, UserError) else 1
    return 0


def _explain(error: Exception) -> tuple[str, str]:
    """What is wrong, and what to do about it."""
    match error:
        case UserError():
            return error.problem, error.next_step
        case ClientError():
            return f"{error.operation_name} failed: {error}", _HINTS.get(error.response["Error"]["Code"], "")
        case BotoCoreError():
            return str(error), "Is the engine running (fanout status), or are credentials and Region set?"
        case OSError():
            return f"{error.filename}: {error.strerror}", "Mend what is in the way there, and try again."
    return str(error), ""


_SIGN_IN = "Sign in again, or name another profile: --profile."
_FORBIDDEN = "The credentials in use may not do this."
_HINTS = {
    "ExpiredToken": _SIGN_IN,
    "ExpiredTokenException": _SIGN_IN,
    "InvalidClientTokenId": _SIGN_IN,
    "UnrecognizedClientException": _SIGN_IN,
    "AccessDenied": _FORBIDDEN,
    "AccessDeniedException": _FORBIDDEN,
    "AuthorizationError": _FORBIDDEN,
}
