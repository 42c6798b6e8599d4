"""`fanout analytics`: SQL over the lakes."""

import sys
from typing import Annotated

import typer

from fanout_cli.errors import UsageError
from fanout_cli.lakes.athena import Lake
from fanout_cli.names import require_use_case
from fanout_cli.options import JsonLines, StackOptions, help_text, with_groups
from fanout_cli.output import console, emit_json, note, step
from fanout_cli.stack.target import resolve

app = typer.Typer(help="Query the lakes of data_aggregation and application_logs.", no_args_is_help=True)

_QUERY = help_text(
    "Run SQL over a use case's lake through Athena and print the answer.",
    "fanout analytics query 'SELECT type, count(*) AS events FROM events GROUP BY type'",
    "fanout analytics query --use-case application_logs --json "
    "\"SELECT time, data.message FROM entries WHERE data.level = 'ERROR'\"",
    "fanout analytics query - --stack-name fanout-prod --region eu-central-1 <sales.sql",
    more="The SQL is Athena's; the local engine answers with DuckDB, which understands the same SELECT but not every "
    "function of Athena's (no date_parse). With --json each line is one row; of columns with one name the second is "
    "called name_2. On AWS Athena charges for what it reads: restrict the days (dt).",
)


@app.callback()
def group() -> None:
    """Keep `query` a subcommand: typer would make a lone command the whole app."""


@app.command("query", help=_QUERY)
@with_groups
def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="The query; - reads it from standard input.")],
    *,
    use_case: Annotated[str, typer.Option("--use-case", help="Whose lake.")] = "data_aggregation",
    json_output: JsonLines = False,
    stack: StackOptions,
) -> None:
    """Print the answer to a query."""
    from rich.table import Column, Table
    from rich.text import Text

    text = (sys.stdin.read() if sql == "-" else sql).strip()
    if not text:
        raise UsageError(
            "there is no query " + ("on standard input" if sql == "-" else "in ''"),
            "Give SQL: fanout analytics query 'SELECT count(*) FROM events'",
        )
    require_use_case(use_case)
    target = resolve(*stack)
    lake = Lake(target.client, target.topology(), use_case)
    with step(f"Asking the lake of {use_case}") as progress:
        answer = lake.query(text, progress.update)
    count = 0
    # Values of a lake are not markup.
    table = Table(*(Column(Text(name)) for name in answer.columns))
    for row in answer.rows:
        count += 1
        if json_output:
            emit_json(dict(zip(answer.columns, row, strict=True)))
        else:
            table.add_row(*(Text("" if value is None else str(value)) for value in row))
    if not json_output and answer.columns:
        console().print(table)
    note(f"{count} row{'' if count == 1 else 's'}, {answer.scanned_bytes:,} bytes read.")
