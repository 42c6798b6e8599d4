"""`fanout publish`: events from a file to the topic of their use case."""

from typing import Annotated

import typer

from fanout_cli.audit.lock import IntoComplianceLock, refuse_compliance_lock
from fanout_cli.names import require_use_case
from fanout_cli.options import JsonLines, StackOptions, help_text
from fanout_cli.output import console, emit_json, note, step
from fanout_cli.publishing.event_publisher import EventPublisher, prepare
from fanout_cli.publishing.inputs import read_documents
from fanout_cli.publishing.journal import Journal
from fanout_cli.stack.target import resolve

HELP = help_text(
    "Publish events to the topic of a use case.",
    "fanout publish team_events events/team_events/valid/ordinary.json --count 3 --json",
    'echo \'{"text": "Lunch at noon", "author": "maya"}\' | fanout publish team_events - --type team.message.posted.v1',
    more="FILE holds one JSON event, a list of events, or one event per line; - reads standard input. "
    "Every event is checked against its contract first: if one is invalid, nothing is published. "
    "Exit code 1 if SNS refused an event; it is named, and the others are published.",
)


def run(
    use_case: Annotated[str, typer.Argument(metavar="USE_CASE", help="The use case, such as team_events.")],
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="CloudEvents, or with --type just their data.")],
    *,
    event_type: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="FILE holds bare data of this event type.")
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", min=1, metavar="N", help="Publish each event N times, each with a new id.")
    ] = None,
    into_compliance_lock: IntoComplianceLock = False,
    json_output: JsonLines = False,
    stack: StackOptions,
) -> None:
    """Check, publish, and print one line per event that SNS accepted."""
    require_use_case(use_case)
    events = prepare(read_documents(file), use_case, event_type)
    if count is not None:
        events = [each.again() for each in events for _ in range(count)]
    target = resolve(*stack)
    with step(f"Publishing {len(events)} event{'s' if len(events) > 1 else ''}") as progress:
        topology = target.topology()
        if not into_compliance_lock:
            refuse_compliance_lock(topology, [use_case])
        publisher = EventPublisher(target.client, topology, Journal(target.state))
        publisher.check(events)
        result = publisher.publish(events, progress)
    out = console()
    for each in result.published:
        if json_output:
            emit_json({"event_id": each.event_id, "type": each.type, "topic": each.topic})
        else:
            out.print(f"{each.event_id}  {each.type}  {each.topic}", markup=False)
    for failed in result.failed:
        note(f"not published: {failed.event_id}: {failed.code}: {failed.message}")
    if result.failed:
        note(f"{len(result.failed)} of {len(events)} events were not published.")
        raise typer.Exit(1)
