"""What is started once for every test of a session that asks for it: the application on an engine, a PostgreSQL."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fanout_cli.stack.state import ENGINE_ENVIRONMENT
from local_engine.postgres import server
from tests.integration.application import Application

# `process.start` in a test takes the engine's environment of the checkout, as `fanout up` does.
os.environ["LOCAL_ENGINE_ENVIRONMENT"] = str(ENGINE_ENVIRONMENT)
# Before the editable install's: a copy of the checkout that shares .venv tests its own functions.
sys.path[:0] = [str(folder) for folder in sorted(Path(__file__).parents[1].glob("functions/*"))]

_REAPER = Path(__file__).with_name("reaper.py")


@pytest.fixture(scope="session", autouse=True)
def reaper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """End what the session has started, also when it is interrupted or killed and no fixture cleans up."""
    command = [sys.executable, "-I", str(_REAPER), str(tmp_path_factory.getbasetemp())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True):
        yield


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """The application, deployed by `fanout up` on a free port with a state folder of its own."""
    made = Application(tmp_path_factory.mktemp("state"))
    try:
        made.fanout("up", "--port", "0")
        yield made
    finally:
        made.fanout("down", "--purge", check=None)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The DSN of a PostgreSQL of the session's own."""
    state = tmp_path_factory.mktemp("state")
    try:
        yield server.start(state)
    finally:
        server.stop(state, purge=True)
