"""A server on this machine that stands for chat and pager: it takes every document and remembers it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class WebhookSink:
    """What the server at `url` has received."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._received: list[tuple[str, Any]] = []

    def take(self, path: str, document: Any) -> None:
        """Remember a document that was sent to a path."""
        self._received.append((path, document))

    def received(self, path: str) -> list[Any]:
        """Return the documents that were sent to a path, oldest first."""
        return [document for each, document in list(self._received) if each == path]


@contextmanager
def webhook_sink() -> Iterator[WebhookSink]:
    """Serve on a free port of this machine for the length of the block. Raises OSError if there is none."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            sink.take(self.path, json.loads(body))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: Any) -> None:
            """Say nothing: the demo shows what arrived."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    sink = WebhookSink(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True, name="webhook-sink")
    thread.start()
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
