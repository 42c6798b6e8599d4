"""Start-up: the imports of a command line cost CPU on every call."""

import subprocess
import sys
from pathlib import Path

import pytest

from fanout_cli import commands, main
from fanout_cli.main import SUMMARIES, load

EXPENSIVE = {"boto3", "rich", "psutil", "cfnlint", "aws_lambda_powertools", "fanout_cli.demo"}

HELP = """
from fanout_cli.main import run
assert run(["--help"]) == 0
"""
LOAD = """
from fanout_cli.main import load
load("{}")
"""


@pytest.mark.parametrize(
    ("script", "more"),
    [
        (HELP, {"fanout_cli.commands", "msgspec", "botocore"}),
        *((LOAD.format(name), set()) for name in ("publish", "trace", "dlq", "status")),
    ],
    ids=["help", "publish", "trace", "dlq", "status"],
)
def test_start_up_imports_nothing_expensive(script: str, more: set[str]) -> None:
    listing = "\nimport sys\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script + listing], capture_output=True, text=True, check=True)
    assert set(done.stderr.split()) & (EXPENSIVE | more) == set()


@pytest.mark.parametrize("name", SUMMARIES)
def test_the_help_lists_every_command_with_the_first_sentence_of_its_own_help(name: str) -> None:
    assert (load(name).help or "").split("\n\n")[0].replace("\n", " ") == SUMMARIES[name]


def test_every_module_of_commands_is_a_command() -> None:
    modules = {path.stem.replace("_", "-") for path in Path(commands.__file__).parent.glob("[a-z]*.py")}
    assert modules == set(SUMMARIES)


def test_an_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["nope"]) == 2
    assert "nope" in capsys.readouterr().err
