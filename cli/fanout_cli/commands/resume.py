"""`fanout resume`: a paused subscriber goes on with what has waited."""

from fanout_cli.options import Json, StackOptions, SubscriberName, help_text
from fanout_cli.output import console, emit_json, step
from fanout_cli.stack.subscriber_control import SubscriberControl
from fanout_cli.stack.target import resolve

HELP = help_text(
    "Let a paused subscriber go on, first with what has waited in its inbox.",
    "fanout resume team_events/team_a",
    more="One that is not paused stays as it is, and that is no failure.",
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
        word = "is not paused" if before.running else "goes on"
        console().print(f"{control.name} {word}.", markup=False)
