"""`fanout logs`: the archive that application_logs keeps."""

import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from fanout_cli.log_archive.archive import Archive, Selection
from fanout_cli.options import JsonLines, StackOptions, help_text, with_groups
from fanout_cli.output import console, emit_json, note, step
from fanout_cli.stack.target import resolve
from fanout_cli.times import parse_time_option

app = typer.Typer(help="Read the archive of application_logs.", no_args_is_help=True)

_READ = help_text(
    "Print archived log entries, by time; one that was archived several times is printed once.",
    "fanout logs read --service checkout --from 2h",
    "fanout logs read --from 2026-11-22T08:00:00Z --to 2026-11-22T09:00:00Z --json",
    more="A time is RFC 3339 (UTC unless it names a zone), a date, or how long ago: 90s, 15m, 2h, 7d, 1w. "
    "With --json each line is the archived event. Exit code 1 if a part of the archive cannot be read.",
)


@app.callback()
def group() -> None:
    """Keep `read` a subcommand: typer would make a lone command the whole app."""


@app.command("read", help=_READ)
@with_groups
def read(
    *,
    service: Annotated[str | None, typer.Option("--service", help="Only this service's entries.")] = None,
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Logged at this time or later.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Logged before this time.")] = None,
    json_output: JsonLines = False,
    stack: StackOptions,
) -> None:
    """Print the matching entries of the archive."""
    now = datetime.now(UTC)
    since = parse_time_option(start, "--from", now) if start else None
    until = parse_time_option(end, "--to", now) if end else None
    selection = Selection(service, since, until)
    target = resolve(*stack)
    problems: list[str] = []
    out = console()
    count = 0
    # On a terminal the entries themselves show the progress, and a bar would run through them.
    quiet = sys.stdout.isatty()
    with nullcontext(None) if quiet else step("Reading the archive") as progress:
        for event in Archive(target.client, target.topology()).read(selection, problems.append):
            count += 1
            if progress:
                progress.update(f"{count} entries, {event['time']}")
            if json_output:
                emit_json(event)
            else:
                out.print(_line(event), markup=False)
    for problem in problems:
        note(problem)
    if not count:
        note("The archive has no such entry. (What was logged in the last moments may not be archived yet.)")
    raise typer.Exit(1 if problems else 0)


def _line(event: dict[str, Any]) -> str:
    """Return an entry as a person reads it."""
    entry = event.get("data", {})
    where = f" {entry['logger']}" if entry.get("logger") else ""
    return f"{event['time']}  {entry.get('level', ''):8}  {entry.get('service', '')}{where}: {entry.get('message', '')}"
