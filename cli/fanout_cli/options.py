"""Options that several commands share."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

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


class StackOptions(NamedTuple):
    """The options that choose a stack: the arguments of `target.resolve`."""

    stack_name: StackName = None
    region: Region = None
    profile: Profile = None


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with each parameter that is a NamedTuple replaced by the options in it.

    Typer takes only single options, and many commands have the same ones.
    """
    parameters: list[inspect.Parameter] = []
    groups: dict[str, type[Any]] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        if hasattr(parameter.annotation, "_fields"):
            groups[name] = parameter.annotation
            fields = inspect.signature(parameter.annotation).parameters.values()
            parameters += [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in fields]
        else:
            parameters.append(parameter)

    def run(**options: Any) -> None:
        for name, group in groups.items():
            options[name] = group(**{each: options.pop(each) for each in group._fields})
        command(**options)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__doc__ = command.__doc__
    return run
