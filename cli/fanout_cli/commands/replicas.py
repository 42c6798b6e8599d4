"""`fanout replicas`: compare the replicas of database_changes with their source."""

from typing import Annotated

import typer

from fanout_cli.options import Json, StackOptions, help_text, with_groups
from fanout_cli.output import console, emit_json, step
from fanout_cli.replicas.verification import Report
from fanout_cli.replicas.verification import verify as compare
from fanout_cli.stack.target import resolve

app = typer.Typer(help="The replicas of the use case database_changes.", no_args_is_help=True)

_SHOWN = 50


@app.command(
    "verify",
    help=help_text(
        "Compare the primary table with both replicas, row by row, and name what differs.",
        "fanout replicas verify",
        "fanout replicas verify --wait 30 --json",
        more="Exit code 1 if anything differs. Changes that are under way count as differences only if they are still "
        "under way when the row is read a second time; --wait gives them longer.",
    ),
)
@with_groups
def verify(
    *,
    wait: Annotated[
        float,
        typer.Option(
            "--wait", metavar="SECONDS", min=0, help="Compare again for at most SECONDS while something differs."
        ),
    ] = 0,
    json_output: Json = False,
    stack: StackOptions,
) -> None:
    """Compare, show, and exit by what was found."""
    target = resolve(*stack)
    with step("Comparing the replicas with the primary table") as progress:
        report = compare(target.client, target.topology(), progress, wait_seconds=wait)
    if json_output:
        emit_json(report.to_json())
    else:
        _show(report)
    raise typer.Exit(0 if report.ok else 1)


def _show(report: Report) -> None:
    from rich.box import SIMPLE
    from rich.markup import escape
    from rich.table import Table

    out = console()
    if report.differences:
        table = Table(box=SIMPLE)
        for column in ("replica", "row", "problem", "attributes"):
            table.add_column(column)
        for each in report.differences[:_SHOWN]:
            table.add_row(each.replica, escape(each.key), each.problem, escape(", ".join(each.attributes)))
        out.print(table)
        if len(report.differences) > _SHOWN:
            out.print(f"... and {len(report.differences) - _SHOWN} more; --json shows all", markup=False)
    names = " and ".join(report.replicas)
    found = f"{len(report.differences)} differences" if report.differences else "no difference"
    out.print(f"{report.table}: {report.rows} rows, compared with {names}: {found}", markup=False)
