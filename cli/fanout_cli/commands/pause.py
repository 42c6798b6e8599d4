"""`fanout pause`: events of one subscriber wait in its inbox."""

from fanout_cli.options import Json, StackOptions, SubscriberName, help_text
from fanout_cli.output import console, emit_json, note, step
from fanout_cli.stack.subscriber_control import SubscriberControl
from fanout_cli.stack.target import resolve

HELP = help_text(
    "Let a subscriber rest: its events wait in its inbox until `fanout resume`; its siblings notice nothing.",
    "fanout pause team_events/team_a",
    more="What it has in hand it finishes. The inbox keeps events for as long as its retention, which is shown. "
    "A deployment leaves the pause as it is, unless it changes the event source mapping or the concurrency itself: "
    "look at `fanout status` after it.",
)


def run(
    name: SubscriberName,
    *,
    json_output: Json = False,
    stack: StackOptions,
) -> None:
    """Pause the subscriber; one that is paused already stays so."""
    with step(f"Pausing {name}"):
        control = SubscriberControl.of(resolve(*stack), name)
        before = control.state()
        if not before.paused:
            control.pause()
        days = control.retention_days()
    if json_output:
        emit_json({"subscriber": control.name, "state": control.state().word, "changed": not before.paused})
    else:
        already = "already " if before.paused else ""
        console().print(f"{control.name} is {already}paused.", markup=False)
    note(f"Events wait in its inbox, for up to {days:g} days. To go on: fanout resume {control.name}")
