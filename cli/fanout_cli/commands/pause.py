"""`fanout pause`: events of one subscriber wait in its inbox."""

from fanout_cli.options import Json, StackOptions, SubscriberName, help_text
from fanout_cli.output import console, emit_json, note, step
from fanout_cli.stack.subscriber_control import SubscriberControl
from fanout_cli.stack.target import resolve

HELP = help_text(
    "Pause a subscriber: its events wait in its inbox until `fanout resume`. No other subscriber is affected.",
    "fanout pause team_events/team_a",
    more="Running invocations finish. The inbox keeps events for its retention period, which is shown. "
    "A deployment does not end the pause, unless it changes the event source mapping or the concurrency: "
    "check with `fanout status`.",
)


def run(
    name: SubscriberName,
    *,
    json_output: Json = False,
    stack: StackOptions,
) -> None:
    """Pause the subscriber; if it is paused already, do nothing."""
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
    note(f"Events wait in its inbox for up to {days:g} days. Resume it: fanout resume {control.name}")
