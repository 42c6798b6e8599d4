"""A real HTTP server for what the application calls: it keeps what it received and answers as configured."""

import json
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest import mock


@dataclass
class Reply:
    """What the server answers. Status 0 closes the connection; `hang` makes it wait for the event first."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    hang: threading.Event | None = None


@dataclass(frozen=True)
class Call:
    """One request that arrived."""

    path: str
    headers: Mapping[str, str]
    """by lower-case name"""
    document: Any
    reply: Reply
    at: float
    """when it arrived, by the monotonic clock"""


class Sink:
    """What a test sees of the server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.calls: list[Call] = []
        self.replies: list[Reply] = []
        """The answers to the next requests; after them, everything is well."""
        self.keeps_alive = False
        """A connection stays open after the response, and is closed, unread, as the next request arrives: its close
        was under way when the client looked, or was lost while the client was frozen."""
        self._hanging: list[threading.Event] = []
        self._lock = threading.Lock()

    def take(self, path: str, headers: Mapping[str, str], document: Any) -> Reply:
        """Note a request and decide its answer."""
        with self._lock:
            reply = self.replies.pop(0) if self.replies else Reply()
            if reply.hang is not None:
                self._hanging.append(reply.hang)
            self.calls.append(Call(path, headers, document, reply, time.monotonic()))
            return reply

    def accepted(self, path: str = "") -> list[Any]:
        """The documents that were answered with success, in order; those at a path if one is given."""
        return [
            call.document for call in self.calls if 200 <= call.reply.status < 300 and call.path.startswith(path or "/")
        ]

    def release(self) -> None:
        """Let every request that hangs be answered."""
        for event in self._hanging:
            event.set()


@contextmanager
def sink() -> Iterator[Sink]:
    """A server on a free port of this machine, for the length of the block."""

    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            if made.keeps_alive:
                self.protocol_version = "HTTP/1.1"
            self.handle_one_request()
            if not self.close_connection:
                select.select([self.connection], [], [])

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            reply = made.take(
                self.path,
                {name.lower(): value for name, value in self.headers.items()},
                json.loads(body) if body.startswith(b"{") else body,
            )
            if reply.hang is not None:
                reply.hang.wait(30)
            if reply.status == 0:
                self.close_connection = True
                return
            try:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)
            except OSError:  # who asked has not waited for the answer
                self.close_connection = True

        do_GET = do_POST  # noqa: N815 - the name is http.server's

        def log_message(self, *_: Any) -> None:
            """Say nothing: the test looks at `calls`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made = Sink(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.release()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def reset_before_the_first_byte() -> Iterator[str]:
    """The host and port of a server that resets each connection before the client writes to it."""
    connect = socket.socket.connect

    def connect_and_be_reset(client: socket.socket, address: Any) -> None:
        connect(client, address)
        accepted, _ = server.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close with a reset
        accepted.close()
        select.select([client], [], [])  # until the reset has arrived

    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        mock.patch.object(socket.socket, "connect", connect_and_be_reset),
    ):
        yield f"127.0.0.1:{server.getsockname()[1]}"
