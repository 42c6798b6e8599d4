"""The command's own help as a page: docs/commands.md. `make generate` writes it, a test checks it for drift."""

import sys
from pathlib import Path

import typer
from typer.cli import get_docs_for_click

from fanout_cli.main import app


def reference() -> str:
    """Return every command with its arguments, options and examples, as Markdown."""
    command = typer.main.get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command, info_name="fanout"), name="fanout")
    return "\n".join(line.rstrip() for line in text.splitlines()).strip() + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
