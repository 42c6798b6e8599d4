"""Calls to services outside AWS: one POST of JSON, and exceptions that say whether it can have been carried out.

Deliberately restricted: https only, timeouts, no redirects (a secret in a URL is sent to the configured host only), no
proxies, a new connection for each call (an idle one may be closed: docs/decisions/0019), and only the beginning of the
response. Nothing is retried here: the caller knows whether a repeated call is safe.
"""

import http.client
import ipaddress
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec

_CONNECT_SECONDS = 3.0
_MAX_BODY = 65_536
_MAX_EXCERPT = 200


class UnsafeUrlError(ValueError):
    """A URL that is not called. The message says what is wrong and does not quote the URL, which may be a secret."""


class NotSentError(Exception):
    """The receiver cannot have received the whole request. The call may be made again."""


class NoAnswerError(Exception):
    """The request was sent and no response came: it is unknown whether it was carried out."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The receiver's response."""

    status: int
    retry_after: float | None = None
    """Seconds to wait before the next call, if the receiver asks for that."""
    body: bytes = b""
    """The first 64 KiB."""

    @property
    def is_success(self) -> bool:
        """Tell whether it was carried out."""
        return 200 <= self.status < 300

    @property
    def excerpt(self) -> str:
        """The beginning of the body on one line, for messages."""
        text = self.body.decode("utf-8", "replace")[:_MAX_EXCERPT]
        return "".join(character if character.isprintable() else " " for character in text).strip()


def post_json(
    url: str,
    document: Any,
    *,
    headers: Mapping[str, str] | None = None,
    timeout: float = 8,
    allow_loopback: bool = False,
) -> Answer:
    """Send `document` as JSON over a connection of its own and return the response, whatever its status.

    timeout: seconds to wait for each part of the response; connecting gets three. allow_loopback: for the local stage,
    allow plain http to this machine. Raises UnsafeUrlError; NotSentError if there is no connection (unknown host,
    refused, TLS handshake failed), a header is invalid, or a write failed, for a receiver must consider a body that is
    shorter than its Content-Length incomplete (https://www.rfc-editor.org/rfc/rfc9112#section-6.3); NoAnswerError if no
    status came.
    """
    parts = _checked(url, allow_loopback=allow_loopback)
    body = msgspec.json.encode(document)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    sent = {"Content-Type": "application/json", "User-Agent": "fanout", "Connection": "close", **(headers or {})}
    connection = _connection(parts)
    try:
        try:
            connection.connect()
            connection.sock.settimeout(timeout)
            connection.request("POST", path, body, sent)
        except (OSError, ValueError) as error:  # http.client's ValueError quotes the header, which may be a secret
            raise NotSentError(type(error).__name__) from None
        try:
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswerError(type(error).__name__) from None
        return Answer(
            status=answer.status,
            retry_after=_seconds(answer.getheader("Retry-After")),
            body=_beginning(answer),
        )
    finally:
        connection.close()


def _beginning(answer: http.client.HTTPResponse) -> bytes:
    """Return the beginning of the body; empty if the connection breaks, because the status alone is the outcome."""
    try:
        return answer.read(_MAX_BODY)
    except (OSError, http.client.HTTPException):
        return b""


def _checked(url: str, *, allow_loopback: bool) -> SplitResult:
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise UnsafeUrlError("it is not a URL") from None
    if not url.isascii() or any(character.isspace() or not character.isprintable() for character in url):
        raise UnsafeUrlError("it holds characters that no URL has")
    if not host:
        raise UnsafeUrlError("it names no host")
    if parts.username is not None or parts.password is not None:
        raise UnsafeUrlError("it holds a user name")
    if parts.scheme == "http" and allow_loopback and _is_loopback(host):
        return parts
    if parts.scheme != "https":
        raise UnsafeUrlError("it does not begin with https://")
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _connection(parts: SplitResult) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port, timeout=_CONNECT_SECONDS)
    return http.client.HTTPSConnection(host, parts.port, timeout=_CONNECT_SECONDS, context=_tls())


@cache
def _tls() -> ssl.SSLContext:
    """Return the context, created once per process: loading the certificates is slow."""
    return ssl.create_default_context()


def _seconds(value: str | None) -> float | None:
    """Return the seconds of Retry-After, a number or a date (RFC 9110, 10.2.3); None for anything else."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
