"""`fanout demo`: publish the samples and check every effect."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from fanout_cli.audit.lock import IntoComplianceLock, refuse_compliance_lock
from fanout_cli.demo.definition import Event
from fanout_cli.demo.run import Report, Row, as_text
from fanout_cli.demo.run import run as run_demo
from fanout_cli.errors import UsageError
from fanout_cli.options import StackOptions, help_text
from fanout_cli.output import console, error_console
from fanout_cli.publishing.journal import Journal
from fanout_cli.stack.startup import ensure_up
from fanout_cli.stack.state import checkout
from fanout_cli.stack.target import resolve

HELP = help_text(
    "Publish every ordinary sample and check every effect in its store.",
    "fanout demo",
    "fanout demo --json report.json",
    more="Starts and deploys what is needed, and leaves it up. Exit code 1 if a delivery or an effect is missing.",
)


def run(
    *,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE|-", help="Write the report as JSON; - is standard output.")
    ] = None,
    into_compliance_lock: IntoComplianceLock = False,
    stack: StackOptions,
) -> None:
    """Run the demo, print the table, and exit with 1 if anything is missing."""
    if json_file not in (None, "-") and not Path(json_file).absolute().parent.is_dir():
        raise UsageError(f"{json_file}: the folder does not exist", "Give a path in a folder that exists, or -.")
    if not any(stack):
        ensure_up()
    target = resolve(*stack)
    topology = target.topology()
    if not into_compliance_lock:
        refuse_compliance_lock(topology, topology.use_cases)
    report = run_demo(target.client, topology, Journal(target.state), checkout())
    if json_file == "-":
        sys.stdout.write(as_text(report))
    else:
        _show(report)
        if json_file:
            Path(json_file).write_text(as_text(report), encoding="utf-8")
    raise typer.Exit(0 if report.ok else 1)


def _show(report: Report) -> None:
    from rich.box import SIMPLE
    from rich.markup import escape
    from rich.table import Table

    out = console()
    for event, rows in _by_event(report):
        table = Table(title=f"{event['type']}  {event['id']}", title_justify="left", box=SIMPLE, title_style="bold")
        # The same widths for every event, so that the columns stand below each other.
        longest = max(len(row.delivery.subscriber) for row in report.rows)
        table.add_column("subscriber", min_width=longest)
        table.add_column("outcome", min_width=13)
        table.add_column("tries", justify="right")
        table.add_column("latency", justify="right", min_width=9)
        table.add_column("effect")
        for row in rows:
            delivery = row.delivery
            table.add_row(
                delivery.subscriber,
                f"[{'green' if row.ok else 'red'}]{delivery.outcome}[/]",
                str(delivery.attempts or ""),
                f"{delivery.latency_ms} ms" if delivery.latency_ms is not None else "",
                escape(row.effect or delivery.reason or "no effect found"),
            )
        out.print(table)
    for use_case, check in report.checks:
        out.print(f"{'found  ' if check.found else 'MISSING'}  {use_case}: {check.what}", markup=False)
    processed = sum(row.ok for row in report.rows)
    error_console().print(
        f"{processed} of {len(report.rows)} deliveries processed, each with its effect.",
        style="green" if report.ok else "red",
    )


def _by_event(report: Report) -> list[tuple[Event, list[Row]]]:
    grouped: dict[str, tuple[Event, list[Row]]] = {}
    for row in report.rows:
        grouped.setdefault(row.event["id"], (row.event, []))[1].append(row)
    return list(grouped.values())
