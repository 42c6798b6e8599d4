"""Start, find and stop the local engine: one per state folder, also with concurrent callers."""

import contextlib
import http.client
import os
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

import psutil
from filelock import FileLock, Timeout

from local_engine import paths, ports, record
from local_engine.errors import EngineError
from local_engine.paths import LAUNCHER, Places
from local_engine.record import EngineProcess, Record

__all__ = ["Engine", "EngineError", "running", "start", "stop"]

_BOOT_SECONDS = 60.0
_LOCK_SECONDS = 120.0
# The engine lets running functions finish before it writes its state (see launcher): half a minute at most, and on a
# busy machine everything else takes its time, too. One that is killed before it has written loses all that was new.
_STOP_SECONDS = 90.0
_STOP_AT_ONCE_SECONDS = 30.0
_POLL_SECONDS = 0.02
_LOG_LIMIT = 20_000_000
_LOG_LINES_SHOWN = 15
# The only variables of the user's shell that the engine, and so every function in it, sees. No AWS_*: neither a
# credential nor a region or endpoint may leak into a separate, fake account.
_INHERITED = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    # How a function reaches a server outside.
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "http_proxy",
    "https_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)


@dataclass(frozen=True)
class Engine:
    """A running engine."""

    port: int
    pid: int
    started_at: str
    log: Path

    @property
    def endpoint(self) -> str:
        """The URL that AWS clients take as `endpoint_url`."""
        return f"http://{ports.LOOPBACK}:{self.port}"


def start(
    state: Path,
    port: int | None = None,
    *,
    environment: Path | None = None,
    patched: bool = True,
) -> Engine:
    """Return the engine of a state folder, started unless it already runs.

    state: folder of the engine's data; made if missing. port: None uses the remembered one, else 4566;
    0 takes a free one. environment: the virtual environment with ministack; None: see `paths.environment`.
    patched: False runs ministack as it comes, for the tests that watch whether upstream still has the faults we patch.
    Returns when the engine answers. Raises EngineError if the port is taken, the environment is
    missing, the folder cannot be written, another port is wanted than the running one, or boot fails.
    """
    python = (environment or paths.environment()).absolute() / "bin" / "python"
    if not os.access(python, os.X_OK):
        raise EngineError(
            f"The engine's environment is missing: {python} cannot be run. Create it from the engine's requirements."
        )
    places = Places(state.resolve())
    with _exclusive(places):
        present = _engine(places)
        if present:
            if port not in (None, 0, present.port):
                raise EngineError(
                    f"The engine already runs on port {present.port}. Leave out --port to use it, "
                    f"or stop it first to move it to port {port}."
                )
            return present
        remembered = record.read(places).port
        wanted = remembered or ports.DEFAULT_PORT if port is None else port
        with ports.listen(wanted) as server:
            return _boot(places, python, server, patched=patched)


def running(state: Path) -> Engine | None:
    """Return the running engine of a state folder, or None. Changes nothing, never raises."""
    return _engine(Places(state.resolve()))


def stop(state: Path, *, purge: bool = False) -> bool:
    """Stop the engine of a state folder; what it holds is kept, unless `purge` deletes it.

    Returns whether an engine was running. Running functions are given time to finish; afterwards
    no process of the engine is left. Raises EngineError if the folder cannot be written.
    """
    places = Places(state.resolve())
    if not places.state.is_dir():
        return False
    with _exclusive(places):
        known = record.read(places)
        process = known.process.alive(places.state) if known.process else None
        if process:
            _end(process)
        _clear(places)
        if purge:
            _delete(places)
        elif known.process:
            record.write(places, Record(port=known.port))
        return process is not None


@contextlib.contextmanager
def _exclusive(places: Places) -> Iterator[None]:
    """Hold the state folder: of two that start at once, one starts and the other finds it running."""
    lock = FileLock(places.lock)
    try:
        places.state.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_LOCK_SECONDS)
    except Timeout as error:
        raise EngineError(
            f"Another process has been starting or stopping the engine of {places.state} for "
            f"{_LOCK_SECONDS:.0f} seconds. Wait for it or end it, and try again."
        ) from error
    except OSError as error:
        raise _unwritable(places, error) from error
    try:
        yield
    except OSError as error:
        raise _unwritable(places, error) from error
    finally:
        lock.release()


def _unwritable(places: Places, error: OSError) -> EngineError:
    return EngineError(
        f"Cannot write the engine's state in {places.state}: {error.strerror or error}. "
        f"Make the folder writable, or free some space, and try again."
    )


def _engine(places: Places) -> Engine | None:
    known = record.read(places)
    if known.process is None or known.port is None or known.process.alive(places.state) is None:
        return None
    return Engine(known.port, known.process.pid, known.process.started_at, places.log)


def _boot(places: Places, python: Path, server: socket.socket, *, patched: bool) -> Engine:
    _clear(places)  # what a killed engine may have left
    for folder in (places.services, places.objects, places.temporary):
        folder.mkdir(parents=True, exist_ok=True)
    if places.log.exists() and places.log.stat().st_size > _LOG_LIMIT:
        places.log.replace(places.previous_log)
    port = int(server.getsockname()[1])
    with places.log.open("ab") as log:
        beginning = log.tell()
        known = _launch(places, python, server, log, patched=patched)
    server.close()  # the engine has its own; if it dies, waiting clients must see that
    if known is None:
        _clear(places)
        raise _failed_boot(places, beginning)
    try:
        _wait_until_it_answers(places, port, beginning)
    except BaseException:  # interrupted at the keyboard, too
        process = known.alive(places.state)
        if process:
            _end(process, at_once=True)
        record.write(places, Record(port))
        _clear(places)
        raise
    return Engine(port, known.pid, known.started_at, places.log)


def _launch(
    places: Places, python: Path, server: socket.socket, log: BinaryIO, *, patched: bool
) -> EngineProcess | None:
    """Start the engine's process and record it; None if it ended at once."""
    command = [
        str(python),
        "-I",  # neither the working folder nor PYTHON* variables decide what the engine imports
        str(LAUNCHER),
        "--state",
        str(places.state),
        "--socket",
        str(server.fileno()),
        *([] if patched else ["--unpatched"]),
    ]
    # The launcher forks, reports the engine's pid and ends, so that the engine is detached: it
    # outlives this program and its terminal, and leaves no zombie here.
    try:
        launcher = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=(server.fileno(),),
            env=_environment(places, int(server.getsockname()[1])),
            cwd=places.data,
            start_new_session=True,
        )
    except OSError as error:
        raise EngineError(
            f"The engine's environment cannot be run ({python}: {error.strerror}). Create it again."
        ) from error
    with launcher, cast("BinaryIO", launcher.stdin) as word, cast("BinaryIO", launcher.stdout) as answer:
        pid = answer.readline().decode().strip()
        if not pid.isdigit():
            return None
        try:
            created = psutil.Process(int(pid)).create_time()
        except psutil.NoSuchProcess:
            return None
        known = EngineProcess(int(pid), created, datetime.now(UTC).isoformat(timespec="seconds"))
        record.write(places, Record(int(server.getsockname()[1]), known))
        # Only now may the engine continue: while it runs, the record has it. If this program dies
        # first, the pipe closes and the engine ends by itself.
        with contextlib.suppress(BrokenPipeError):  # it is gone already: it will not answer
            word.write(b"go\n")
            word.flush()
    return known


def _environment(places: Places, port: int) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return inherited | {
        "NO_PROXY": f"localhost,{ports.LOOPBACK}",
        "no_proxy": f"localhost,{ports.LOOPBACK}",
        "TMPDIR": str(places.temporary),
        "PYTHONNOUSERSITE": "1",
        # For the functions: no profile of the user's, and no wait for a metadata service that is not there.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "GATEWAY_PORT": str(port),
        "BIND_HOST": ports.LOOPBACK,
        "MINISTACK_HOST": ports.LOOPBACK,
        "AUTH": "true",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(places.services),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(places.objects),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LAMBDA_EXECUTOR": "local",
        # Upstream removes containers it takes for its own when it starts: never let it near a daemon.
        "DOCKER_HOST": f"unix://{places.temporary / 'no-docker'}",
    }


def _wait_until_it_answers(places: Places, port: int, beginning: int) -> None:
    # No polling: the socket already listens, and its first client is answered when the boot is over.
    connection = http.client.HTTPConnection(ports.LOOPBACK, port, timeout=_BOOT_SECONDS)
    try:
        connection.request("GET", "/_ministack/health")
        healthy = connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        healthy = False
    finally:
        connection.close()
    if not healthy:
        raise _failed_boot(places, beginning)


def _failed_boot(places: Places, beginning: int) -> EngineError:
    with contextlib.suppress(OSError), places.log.open("rb") as log:
        log.seek(beginning)
        lines = log.read().decode("utf-8", errors="replace").strip().splitlines()
        last = "\n".join(f"  {line}" for line in lines[-_LOG_LINES_SHOWN:])
        return EngineError(f"The engine did not start. The end of its log ({places.log}):\n{last or '  (empty)'}")
    return EngineError(f"The engine did not start, and its log cannot be read ({places.log}).")


def _end(process: psutil.Process, *, at_once: bool = False) -> None:
    """End the engine and its children: terminate, terminate again, and only then kill."""
    family = _family(process)
    with contextlib.suppress(psutil.NoSuchProcess):
        if not at_once:
            process.terminate()
            _wait_until_gone(process, _STOP_SECONDS)
        if not _gone(process):
            process.terminate()  # the second time the engine no longer waits for functions
            _wait_until_gone(process, _STOP_AT_ONCE_SECONDS)
        family += _family(process)
        if not _gone(process):
            process.kill()
            _wait_until_gone(process, _STOP_AT_ONCE_SECONDS)
    for child in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            if not _gone(child):
                child.kill()


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _wait_until_gone(process: psutil.Process, seconds: float) -> None:
    # Not psutil's own wait: it waits for a zombie too, and in a container it may never be collected.
    deadline = time.monotonic() + seconds
    while not _gone(process) and time.monotonic() < deadline:
        select.select([], [], [], _POLL_SECONDS)


def _clear(places: Places) -> None:
    """End functions that outlived a killed engine, and delete unpacked code."""
    prefix = f"{places.temporary}{os.sep}"
    for process in psutil.process_iter(["cmdline"]):
        if any(part.startswith(prefix) for part in process.info["cmdline"] or ()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    shutil.rmtree(places.temporary, ignore_errors=True)


def _delete(places: Places) -> None:
    # Not the lock: a caller that waits for it would then hold another file than the next caller.
    shutil.rmtree(places.data, ignore_errors=False) if places.data.exists() else None
    for file in (places.record, places.log, places.previous_log):
        file.unlink(missing_ok=True)
