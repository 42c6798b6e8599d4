"""The engine's port: bound before the engine starts, so that no other program can take it in between."""

import errno
import socket
import time

import psutil

from local_engine.errors import EngineError
from local_engine.paths import LAUNCHER

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 4566
_HIGHEST_PORT = 65535
_DYING_SECONDS = 5.0
_RETRY_SECONDS = 0.05


def listen(port: int) -> socket.socket:
    """Return a socket that listens on the loopback interface; the engine inherits it.

    port: 0 takes any free one. Raises EngineError if the number is not a port, or the port is
    in use (the message names the process) or needs more rights.
    """
    if not 0 <= port <= _HIGHEST_PORT:
        raise EngineError(f"{port} is not a port: choose one from 1 to {_HIGHEST_PORT}, or 0 for a free one.")
    deadline = time.monotonic() + _DYING_SECONDS
    while True:
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((LOOPBACK, port))
            server.listen(512)
        except OSError as error:
            server.close()
            # In use without a holder: the system is still closing the sockets of a killed process.
            dying = error.errno == errno.EADDRINUSE and holder(port) is None
            if not dying or time.monotonic() > deadline:
                raise EngineError(_refusal(port, error)) from error
            time.sleep(_RETRY_SECONDS)
        else:
            return server


def _refusal(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} is in use by {holder(port) or 'another program'}. "
            f"Stop it, or choose another port with --port (0 takes a free one)."
        )
    if error.errno == errno.EACCES:
        return f"Port {port} needs administrator's rights. Choose one above 1023 with --port."
    return f"Cannot listen on {LOOPBACK}:{port}: {error.strerror}. Choose another port with --port."


def holder(port: int) -> str | None:
    """Return a description of the process that listens on a port; None if the system does not show it."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):  # some systems show this to administrators only
        return None
    for connection in connections:
        listens = connection.status == psutil.CONN_LISTEN
        if listens and tuple(connection.laddr)[1:2] == (port,) and connection.pid:
            return _describe(connection.pid)
    return None


def _describe(pid: int) -> str:
    try:
        process = psutil.Process(pid)
        command = process.cmdline()
        name = process.name()
    except psutil.Error:
        return f"process {pid}"
    if str(LAUNCHER.name) in (part.rsplit("/", 1)[-1] for part in command) and "--state" in command:
        return f"the engine of {command[command.index('--state') + 1]} (process {pid})"
    return f"{name} (process {pid})"
