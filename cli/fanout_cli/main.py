"""The `fanout` command: its subcommands, and the boundary at which failures become messages and exit codes."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - said here in words, not by a SyntaxError in some module below
    sys.exit(
        f"fanout needs Python 3.11 or newer; {sys.executable} is {sys.version_info[0]}.{sys.version_info[1]}.\n"
        "Create the environment with another one: make setup PYTHON=python3.13"
    )

import importlib
import os
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import typer

from fanout_cli.errors import UserError
from fanout_cli.options import with_groups
from fanout_cli.output import error_console, printable
from local_engine.errors import EngineError

# Loading every command costs a second of CPU: `fanout --help` shows this table, and a command line loads one module.
SUMMARIES: Mapping[str, str] = {
    "up": "Start the local engine if needed, build the application and deploy it there.",
    "down": "Stop the local engine of this checkout. Its data is kept for the next `fanout up`.",
    "status": "Show the engine, the deployed use cases, the paused subscribers, and the number of messages in each "
    "inbox and dead-letter queue.",
    "env": "Print the exports that point the AWS CLI, boto3 and SAM to the local engine.",
    "publish": "Publish events to the topic of a use case.",
    "trace": "Show the outcome of an event, one line per subscriber.",
    "pause": "Pause a subscriber: its events wait in its inbox until `fanout resume`. No other subscriber is affected.",
    "resume": "Resume a paused subscriber: it handles the events that wait in its inbox.",
    "demo": "Publish every ordinary sample and check every effect in its store.",
    "first-deployment": "Deploy to an AWS account for the first time: check the account, build, deploy, check the "
    "result.",
    "dlq": "List, read, redrive and delete dead letters.",
    "logs": "Read the archive of application_logs.",
    "audit": "Verify the audit trails of audit_logs.",
    "replicas": "The replicas of the use case database_changes.",
    "analytics": "Query the lakes of data_aggregation and application_logs.",
    "jobs": "Show the jobs of batch_jobs.",
}


class CommandGroup(typer.core.TyperGroup):
    """The commands of `commands/`, each loaded when its name is used."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002
        """Return the names of all commands."""
        return list(SUMMARIES)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]  # noqa: ARG002
        """Load the command; None if there is none of this name."""
        return load(cmd_name) if cmd_name in SUMMARIES else None

    def format_help(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        """Write the help without rich, and without loading a command."""
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        self.format_options(ctx, formatter)

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # noqa: ARG002
        """Write the names with their summaries."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))


def load(name: str) -> Any:
    """Return the command of this name, from the module that has its name."""
    module = importlib.import_module(f"fanout_cli.commands.{name.replace('-', '_')}")
    loaded = _new_app()
    if hasattr(module, "app"):
        loaded.add_typer(module.app, name=name)
    else:
        loaded.command(name, help=module.HELP)(with_groups(module.run))
    return typer.main.get_group(loaded).commands[name]


def _new_app(**options: Any) -> typer.Typer:
    return typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
        **options,
    )


app = _new_app(
    name="fanout",
    cls=CommandGroup,
    help="Run the fan-out application on this machine, publish to it, and see the outcome of every event.",
)


@app.callback()
def _fanout() -> None:
    """Make a group of an app that registers no command itself."""


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
        # The reader has closed the pipe. Point stdout elsewhere, or Python complains when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        explained = _explain(error)
        if explained is None:
            raise
        problem, next_step = explained
        console = error_console()
        console.print("Error: ", style="bold red", end="")
        text = "\n".join(filter(None, (problem, next_step)))
        console.print(printable(text, keep="\n"), markup=False)  # it quotes what it was given
        return error.exit_code if isinstance(error, UserError) else 1
    return 0


def _explain(error: Exception) -> tuple[str, str] | None:
    """Return the problem and what to do about it; None for an error in this program."""
    match error:
        case UserError():
            return error.problem, error.next_step
        case EngineError():
            return str(error), ""
        case OSError(filename=str() | bytes() | int()):
            return f"{error.filename}: {error.strerror}", "Fix the file or its permissions and run the command again."
    from botocore.exceptions import BotoCoreError, ClientError

    match error:
        case ClientError():
            return f"{error.operation_name} failed: {error}", _HINTS.get(error.response["Error"]["Code"], "")
        case BotoCoreError():
            return str(error), "Is the engine running (fanout status), or are credentials and Region set?"
    return None


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
