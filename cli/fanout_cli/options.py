"""Options that several commands share."""

from typing import Annotated

import typer

SubscriberName = Annotated[
    str, typer.Argument(metavar="SUBSCRIBER", help="The subscriber, such as team_events/team_a.")
]
StackName = Annotated[
    str | None,
    typer.Option("--stack-name", help="The deployed stack: the root, or a use case deployed alone. [default: fanout]"),
]
Region = Annotated[str | None, typer.Option("--region", help="Work on AWS, in this Region.")]
Profile = Annotated[str | None, typer.Option("--profile", help="Work on AWS, with this profile's credentials.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print JSON Lines for machines.")]

EXIT_CODES = "Exit codes: 0 done, 1 something failed or is missing, 2 wrong usage."


def help_text(summary: str, *examples: str, more: str = "") -> str:
    r"""Return a command's help: what it does, its examples, its exit codes.

    \b keeps the lines of a paragraph as they are.
    """
    shown = "\n\n".join(f"$ {example}" for example in examples)
    return "\n\n".join(
        part for part in (summary, more, "Examples:" if len(examples) > 1 else "Example:", shown, EXIT_CODES) if part
    )
