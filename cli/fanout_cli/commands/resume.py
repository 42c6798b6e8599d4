"""`fanout resume`: a paused subscriber handles the events that wait in its inbox."""

from fanout_cli.options import Json, StackOptions, SubscriberName, help_text
from fanout_cli.output import console, emit_json, step
from fanout_cli.stack.subscriber_control import SubscriberControl
from fanout_cli.stack.target import resolve

HELP = help_text(
    "Resume a paused subscriber: it handles the events that wait in its inbox.",
    "fanout resume team_events/team_a",
    more="A subscriber that is not paused stays as it is; the exit code is then 0, too.",
)


def run(
    name: SubscriberName,
    *,
    json_output: Json = False,
    stack: StackOptions,
) -> None:
    """Resume the subscriber."""
    with step(f"Resuming {name}"):
        control = SubscriberControl.of(resolve(*stack), name)
        before = control.state()
        if not before.running:
            control.resume()
    if json_output:
        emit_json({"subscriber": control.name, "state": control.state().word, "changed": not before.running})
    else:
        word = "is not paused" if before.running else "is resumed"
        console().print(f"{control.name} {word}.", markup=False)
