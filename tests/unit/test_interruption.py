"""A test session that is interrupted or killed leaves no engine and no PostgreSQL behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.waiting import until

ROOT = Path(__file__).parents[2]
# A shell's background job ignores Ctrl-C, and so would a session that this test starts from one.
PYTEST = """\
import signal
import sys

import pytest

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(pytest.main(sys.argv[1:]))
"""
SESSION = """\
import signal
from pathlib import Path

from local_engine import process
from local_engine.postgres import server


def test_with_servers(tmp_path):
    engine = process.start(tmp_path / "engine", 0)
    server.start(tmp_path / "replica")
    Path("started").touch()
    signal.pause()
"""


def running_in(folder: Path) -> list[list[str]]:
    """The command lines of the processes that use a folder: those of children of PostgreSQL name none."""
    found = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [words for words in found if any(str(folder) in word for word in words)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "workers"),
    [(signal.SIGINT, 2), (signal.SIGTERM, 2), (signal.SIGKILL, 0)],
    ids=["SIGINT", "SIGTERM", "SIGKILL"],
)
def test_an_interrupted_session_leaves_nothing_running(number: signal.Signals, workers: int, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import reaper\n")
    (tmp_path / "test_session.py").write_text(SESSION)
    folder = tmp_path / "files"
    # Not named in the command line that this test looks for.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DEBUG_TEMPROOT": str(folder)}
    folder.mkdir()
    command = [sys.executable, "-c", PYTEST, "-q", "-p", "no:cacheprovider", "--rootdir", ".", f"-n{workers}"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True) as session:
        until((tmp_path / "started").exists, "the servers of the session", seconds=60)
        assert {"engine", "data"} <= {Path(word).name for words in running_in(folder) for word in words}
        os.kill(session.pid, number)
        session.wait(60)
    until(lambda: running_in(folder) == [], "the end of all that the session started", seconds=60)
