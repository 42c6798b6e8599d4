"""`fanout logs`: the archive that application_logs keeps."""

import typer

app = typer.Typer(help="Read the archive of application_logs.", no_args_is_help=True)
