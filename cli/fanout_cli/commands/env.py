"""`fanout env`: lead other tools to the local engine."""

import sys

from fanout_cli import environment
from fanout_cli.options import Json, help_text
from fanout_cli.output import emit_json
from fanout_cli.target import require_engine

HELP = help_text(
    "Print the exports that lead the AWS CLI, boto3 and SAM to the local engine.",
    'eval "$(fanout env)"',
    more="Writes the profile fanout-local into the state folder of this checkout; your own AWS files stay untouched. "
    "Prints nothing on standard output when no engine runs. "
    "(Version 1 of the AWS CLI ignores every configured endpoint for `aws sqs`: add --endpoint-url $AWS_ENDPOINT_URL.)",
)


def run(*, json_output: Json = False) -> None:
    """Print export lines, or with --json the variables as an object."""
    engine, state = require_engine()
    environment.write_profile(state, engine)
    variables = environment.exports(state, engine)
    if json_output:
        emit_json(variables)
    else:
        sys.stdout.write(environment.shell(variables))
