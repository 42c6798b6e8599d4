"""`fanout trace`: the outcome of one event."""

from typing import Annotated

import typer

from fanout_cli.options import Json, StackOptions, help_text
from fanout_cli.output import console, emit_json, note, printable, step
from fanout_cli.publishing.journal import Journal
from fanout_cli.stack.target import resolve
from fanout_cli.times import format_time
from fanout_cli.tracing.tracer import FINAL, GOOD, Trace, Tracer

HELP = help_text(
    "Show the outcome of an event, one line per subscriber.",
    "fanout trace 0199b2f4-7c1e-7d35-9a57-2f1f0e6f3c11 --wait 30",
    more="EVENT_ID is the event's id, or its MessageId in SNS, if a subscriber receives that (envelope, direct). "
    "Outcomes: processed, duplicate, discarded, filtered (good); rejected, dead-lettered (an operator must act); "
    "retrying, pending (not yet final); unknown. "
    "Exit code 0 if every delivery is good, else 1.",
)


def run(
    event_id: Annotated[str, typer.Argument(metavar="EVENT_ID", help="The event's id, or SNS's MessageId.")],
    *,
    wait: Annotated[
        float,
        typer.Option(
            "--wait", min=0, metavar="SECONDS", help="Wait until every delivery is final, for at most SECONDS."
        ),
    ] = 0,
    source: Annotated[str | None, typer.Option("--source", help="The event's source, where two share an id.")] = None,
    json_output: Json = False,
    stack: StackOptions,
) -> None:
    """Print the trace and exit by its outcome."""
    target = resolve(*stack)
    with step(f"Tracing {event_id}") as progress:
        tracer = Tracer(target.client, target.topology(), Journal(target.state))

        def show(trace: Trace) -> None:
            final = sum(each.outcome in FINAL for each in trace.deliveries)
            waiting = ", ".join(each.subscriber for each in trace.deliveries if each.outcome not in FINAL)
            progress.update(
                f"waiting for {waiting or 'its first receipt'}", done=final, total=len(trace.deliveries) or None
            )

        trace = tracer.wait(event_id, wait, source=source, on_trace=show)
    if json_output:
        emit_json(trace.to_json())
    else:
        _show(trace, event_id)
    if not trace.deliveries:
        note(f"Stack {target.stack_name} has no receipt and no dead letter of {event_id}.")
        if raw := tracer.raw_only():
            note(f"Raw delivery hides SNS's MessageId from {', '.join(raw)}: trace their events by event id.")
    raise typer.Exit(0 if trace.good else 1)


def _show(trace: Trace, key: str) -> None:
    from rich.markup import escape
    from rich.table import Table

    out = console()
    out.print(f"event      {printable(trace.event_id or f'(no id; found by {key})')}", markup=False)
    out.print(f"type       {printable(trace.type or 'unknown')}", markup=False)
    out.print(f"topic      {trace.topic or 'unknown'}", markup=False)
    out.print(f"published  {format_time(trace.published_at) or 'unknown'}", markup=False)
    if not trace.deliveries:
        return
    table = Table("subscriber", "outcome", "attempts", "latency", "reason")
    for column in (table.columns[2], table.columns[3]):
        column.justify = "right"
    for each in trace.deliveries:
        style = "green" if each.outcome in GOOD else "red" if each.outcome in FINAL else "yellow"
        table.add_row(
            each.subscriber,
            f"[{style}]{each.outcome}[/{style}]",
            "" if each.attempts is None else str(each.attempts),
            "" if each.latency_ms is None else f"{each.latency_ms} ms",
            escape(printable(each.reason or "")),
        )
    out.print(table)
