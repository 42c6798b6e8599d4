"""`fanout up`: the engine and the application in it."""

from typing import Annotated

import typer

from fanout_cli.options import Json, StackName, help_text
from fanout_cli.output import console, emit_json
from fanout_cli.stack.deploy import switchable
from fanout_cli.stack.startup import start
from fanout_cli.stack.state import checkout

HELP = help_text(
    "Start the local engine if needed, build the application and deploy it there.",
    "fanout up",
    "fanout up --port 4570 --use-case team_events user_registration",
    more="Deploys exactly the named use cases, all of them if none is named; others that were deployed are removed. "
    "No AWS account is touched. At the end every function is called once, so that the first events are fast.",
)


def run(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME ...]", help="More use cases, after --use-case.")
    ] = None,
    *,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", metavar="N", help="Port on 127.0.0.1; 0 takes a free one. [default: as before, else 4566]"
        ),
    ] = None,
    use_case: Annotated[
        list[str] | None,
        typer.Option(
            "--use-case", metavar="NAME", help="Deploy this use case; may be repeated, or followed by more names."
        ),
    ] = None,
    json_output: Json = False,
    stack_name: StackName = None,
) -> None:
    """Bring it up and say where it is."""
    target, topology = start([*(use_case or ()), *(names or ())], port=port, stack_name=stack_name)
    engine = target.engine
    endpoint = engine.endpoint if engine else None
    if json_output:
        emit_json(
            {
                "endpoint": endpoint,
                "port": engine.port if engine else None,
                "stack_name": target.stack_name,
                "use_cases": topology.use_cases,
            }
        )
        return
    out = console()
    out.print(f"{target.stack_name} is up on {endpoint}: {', '.join(topology.use_cases)}", markup=False)
    if len(topology.use_cases) < len(switchable(checkout())):
        out.print(
            "sam deploy and sam sync with --config-env local deploy every use case that samconfig.toml names. "
            "docs/development.md has how to work on one alone.",
            markup=False,
        )
    out.print('Next: fanout demo, or eval "$(fanout env)" for aws, boto3 and sam.', markup=False)
