"""A real payment provider over HTTP, for tests: it remembers keys as the protocol demands, and keeps the books.

The protocol: fanout.integrations.payments. It takes authorizations, captures and refunds.
"""

import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

API_KEY = "key-of-the-tests"


@dataclass
class Provider:
    """What a test sees of the provider, and how a test configures it."""

    url: str = ""
    declined: set[str] = field(default_factory=set)
    """Orders whose payment is declined."""
    silent: set[str] = field(default_factory=set)
    """Orders whose payment is carried out, and never answered while they are in here."""
    is_down: bool = False
    """It answers every request with 503, and does nothing."""
    slowest: float = 0.0
    """An answer takes a random time, this many seconds at most."""
    authorized: dict[str, int] = field(default_factory=dict)
    """order -> amount, for every payment that was carried out"""
    refunded: dict[str, int] = field(default_factory=dict)
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(resource, order) -> how often it was asked for"""
    complaints: list[str] = field(default_factory=list)
    """What no caller should ever do."""
    _answers: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)
    _chance: random.Random = field(default_factory=lambda: random.Random(4))

    def answer(self, resource: str, key: str, document: dict[str, Any]) -> tuple[int, dict[str, str]] | None:
        """Execute a request, once per key, and return status and body; None: close the connection."""
        order_id = document["order_id"]
        with self._lock:
            self.requests[resource, order_id] += 1
            if self.is_down:
                return 503, {}
            pause = self._chance.uniform(0, self.slowest)
            if key not in self._answers:
                self._answers[key] = self._carry_out(resource, document)
            answer = self._answers[key]
        self._over.wait(pause)
        while order_id in self.silent:  # the money has moved, and no response says so
            if self._over.wait(0.05):
                return None
        return answer

    def _carry_out(self, resource: str, document: dict[str, Any]) -> tuple[int, dict[str, str]]:
        order_id, amount = document["order_id"], document["amount"]
        if resource in {"authorizations", "captures"}:
            if order_id in self.declined:
                return 402, {"code": "card_declined"}
            if order_id in self.authorized:
                self.complaints.append(f"{order_id} was charged twice")
            self.authorized[order_id] = amount
            return 201, {"id": f"{resource[:4]}_{order_id}"}
        if self.authorized.get(order_id) != amount or order_id in self.refunded:
            self.complaints.append(f"{order_id} was refunded {amount}, which was not there to be refunded")
            return 422, {"code": "nothing_to_refund"}
        self.refunded[order_id] = amount
        return 201, {"id": f"refund_{order_id}"}


@contextmanager
def payment_provider() -> Iterator[Provider]:
    """A provider on a free port of this machine, for the length of the block."""
    made = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.headers["Authorization"] != f"Bearer {API_KEY}":
                self._say(401, {"code": "unknown_key"})
                return
            answer = made.answer(self.path.rpartition("/")[2], self.headers["Idempotency-Key"], document)
            if answer is None:
                self.close_connection = True
                return
            self._say(*answer)

        def _say(self, status: int, document: dict[str, str]) -> None:
            body = json.dumps(document).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:  # who asked has not waited for the answer
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Say nothing: the test looks at the books."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made._over.set()
        server.shutdown()
        server.server_close()
        thread.join()
