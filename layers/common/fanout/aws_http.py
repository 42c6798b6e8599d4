"""HTTP/1.1 for `fanout.aws_calls`: POST requests to one endpoint, over kept connections.

It exists because http.client and urllib3 cost more than the rest of a call: 14 and 39 ms of import, and a mail parser
for the headers of every response (docs/decisions/0023). It knows what AWS endpoints send: a status line, headers, and a
body with a length, in chunks or up to the end of the connection. Errors are those of botocore.
"""

import os
import re
import select
import socket
import ssl
from collections import deque
from functools import cache
from typing import NamedTuple

_MAX_IDLE = 10  # connections, as in botocore's pool
_MAX_HEAD = 65_536
_RECEIVE = 65_536
# The authorities of AWS's endpoints. To parse all of botocore's costs 14 ms of a full core.
# https://www.amazontrust.com/repository/
_AMAZON_AUTHORITIES = os.path.join(os.path.dirname(__file__), "amazon_authorities.pem")  # noqa: PTH118, PTH120
_URL = re.compile(r"(https?)://(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?(/[\w./~-]*)?", re.ASCII)


class Endpoint(NamedTuple):
    """Where requests go. authority: what the Host header says."""

    url: str
    is_tls: bool
    host: str
    port: int
    authority: str
    path: str

    @classmethod
    def parse(cls, url: str) -> "Endpoint | None":
        """Return the parts of an endpoint's URL, None if it has others than scheme, host, port and path."""
        found = _URL.fullmatch(url)
        if found is None:
            return None
        scheme, host, port, path = found.groups()
        default = 443 if scheme == "https" else 80
        number = int(port or default)
        authority = host if number == default else f"{host}:{number}"
        return cls(url, scheme == "https", host.strip("[]"), number, authority, path or "/")


class Response(NamedTuple):
    """What the server answered. headers: by lower-case name; of a repeated one, the values joined by commas."""

    status: int
    headers: dict[str, str]
    body: bytes


class _ClosedError(Exception):
    """The connection ended, or holds no HTTP, before the response was complete."""


class Connections:
    """The connections to one endpoint. Threads may share it."""

    def __init__(
        self, endpoint: Endpoint, *, connect_timeout: float, read_timeout: float, authorities: str | None = None
    ) -> None:
        """authorities: a file of certificates to trust instead of AWS's and botocore's."""
        self.endpoint = endpoint
        self._authorities = authorities
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._idle: deque[socket.socket] = deque(maxlen=_MAX_IDLE)
        if endpoint.is_tls:  # read now, where Lambda makes the client: while it initializes the function
            _context(authorities or _AMAZON_AUTHORITIES)

    def post(self, headers: dict[str, str], body: bytes) -> Response:
        """Send a request and return the response, whatever its status.

        headers: all but host, content-length and accept-encoding.
        Raises botocore's ConnectionError or HTTPClientError if there is no complete response.
        """
        lines = [
            f"POST {self.endpoint.path} HTTP/1.1",
            f"host: {self.endpoint.authority}",
            f"content-length: {len(body)}",
            "accept-encoding: identity",
        ]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        request = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
        connection = self._reuse() or self._connect()
        try:
            connection.sendall(request)
            response, may_stay = _receive(connection)
        except (OSError, _ClosedError) as error:
            connection.close()
            raise self._broken(error) from error
        except BaseException:  # a deadline that interrupts: the rest of this response must not answer the next request
            connection.close()
            raise
        if may_stay:
            self._idle.append(connection)
        else:
            connection.close()
        return response

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    def _reuse(self) -> socket.socket | None:
        """Return an idle connection that the server has not closed, as far as this machine knows."""
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread took the last one
                return None
            watch = select.poll()
            watch.register(connection, select.POLLIN)
            if not watch.poll(0):
                return connection
            connection.close()
        return None

    def _connect(self) -> socket.socket:
        connection = self._open()
        if self.endpoint.is_tls:
            connection = self._secure(connection)
        connection.settimeout(self._read_timeout)
        return connection

    def _open(self) -> socket.socket:
        try:
            connection = socket.create_connection((self.endpoint.host, self.endpoint.port), self._connect_timeout)
        except TimeoutError as error:
            raise self._failure("ConnectTimeoutError", error) from error
        except OSError as error:
            raise self._failure("EndpointConnectionError", error) from error
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _secure(self, plain: socket.socket) -> socket.socket:
        if self._authorities is None:
            try:
                return self._handshake(_context(_AMAZON_AUTHORITIES), plain)
            except ssl.SSLCertVerificationError:  # another authority: a private endpoint, a partition of its own
                self._authorities = _botocores_authorities()
                plain = self._open()
        try:
            return self._handshake(_context(self._authorities), plain)
        except ssl.SSLCertVerificationError as error:
            raise self._failure("SSLError", error) from error

    def _handshake(self, context: ssl.SSLContext, plain: socket.socket) -> socket.socket:
        try:
            return context.wrap_socket(plain, server_hostname=self.endpoint.host)
        except BaseException as error:
            plain.close()
            if isinstance(error, OSError) and not isinstance(error, ssl.SSLCertVerificationError):
                raise self._broken(error) from error
            raise

    def _broken(self, error: Exception) -> Exception:
        """Return botocore's exception for an open connection that failed."""
        match error:
            case TimeoutError():
                return self._failure("ReadTimeoutError", error)
            case ssl.SSLError():
                return self._failure("SSLError", error)
        return self._failure("ConnectionClosedError", error)

    def _failure(self, name: str, error: Exception) -> Exception:
        from botocore import exceptions  # noqa: PLC0415 - start-up cost, see fanout.aws

        failure: Exception = getattr(exceptions, name)(endpoint_url=self.endpoint.url, error=error)
        return failure


def _botocores_authorities() -> str:
    from botocore.httpsession import get_cert_path  # noqa: PLC0415 - start-up cost, see fanout.aws

    return str(get_cert_path(True))


@cache
def _context(authorities: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authorities)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _receive(connection: socket.socket) -> tuple[Response, bool]:
    """Read one response; also whether the connection may carry another request."""
    reader = _Reader(connection)
    while True:
        version, status, headers = _head(reader.until(b"\r\n\r\n"))
        if status >= 200:  # 100 Continue and the like come before the response
            break
    may_stay = version == b"HTTP/1.1" and headers.get("connection", "").lower() != "close"
    if status in {204, 304}:
        body = b""
    elif "chunked" in headers.get("transfer-encoding", "").lower():
        body = b"".join(_chunks(reader))
    elif "content-length" in headers:
        length = headers["content-length"]
        if not length.isdecimal():
            raise _ClosedError(f"content-length {length!r}")
        body = reader.exactly(int(length))
    else:
        body, may_stay = reader.rest(), False
    return Response(status, headers, body), may_stay and not reader.has_more


def _head(head: bytes) -> tuple[bytes, int, dict[str, str]]:
    first, *lines = head.split(b"\r\n")
    version, _, rest = first.partition(b" ")
    status = rest[:3]
    if not version.startswith(b"HTTP/1.") or not status.isdigit():
        raise _ClosedError("the response does not begin with a status line")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise _ClosedError("a header without a colon")
        key, text = name.lower(), value.strip()
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return version, int(status), headers


def _chunks(reader: "_Reader") -> list[bytes]:
    """Read a chunked body. https://www.rfc-editor.org/rfc/rfc9112#section-7.1"""
    chunks: list[bytes] = []
    while True:
        size = reader.until(b"\r\n").partition(b";")[0].strip()
        try:
            length = int(size, 16)
        except ValueError:
            raise _ClosedError("a chunk without a size") from None
        if length == 0:
            while reader.until(b"\r\n"):  # trailers
                pass
            return chunks
        chunks.append(reader.exactly(length))
        if reader.exactly(2) != b"\r\n":
            raise _ClosedError("a chunk longer than its size")


class _Reader:
    """What has arrived on a connection and is not yet taken."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""

    @property
    def has_more(self) -> bool:
        return bool(self._buffer)

    def until(self, end: bytes) -> bytes:
        """Take everything up to `end`, and drop `end`."""
        while end not in self._buffer:
            if len(self._buffer) > _MAX_HEAD:
                raise _ClosedError(f"no end of the headers in {_MAX_HEAD} bytes")
            self._buffer += self._more()
        found, _, self._buffer = self._buffer.partition(end)
        return found

    def exactly(self, length: int) -> bytes:
        """Take `length` bytes."""
        parts, size = [self._buffer], len(self._buffer)
        while size < length:
            parts.append(self._more())
            size += len(parts[-1])
        whole = b"".join(parts)
        self._buffer = whole[length:]
        return whole[:length]

    def rest(self) -> bytes:
        """Take everything up to the end of the connection."""
        parts = [self._buffer]
        while part := self._connection.recv(_RECEIVE):
            parts.append(part)
        self._buffer = b""
        return b"".join(parts)

    def _more(self) -> bytes:
        part = self._connection.recv(_RECEIVE)
        if not part:
            raise _ClosedError("the server closed the connection before the response was complete")
        return part
