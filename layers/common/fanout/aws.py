"""AWS clients: created once per process, on Lambda while a function is initialized, elsewhere on first use.

A boto3 client costs more start-up than everything else a function imports together, so nothing here imports boto3
until a handler needs it, and the hot path never does: `client` gives it one of `fanout.aws_calls`. boto3 comes from the
Lambda runtime; the layer does not carry it.

A client keeps its connections, and a server closes those that are idle. While Lambda has an environment frozen, no
close is noticed, so the next request can go to a connection that no longer exists. `client` retries such a request.
What must not be sent twice goes through `call_once`, which opens a connection for each call (docs/decisions/0019).
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from contextvars import ContextVar
from functools import cache, partial
from typing import Any

from fanout.outcomes import Retry

_is_written: ContextVar[bool] = ContextVar("is_written")
"""Whether the request of the current `call_once` has been written to its connection completely."""


# Short, because a function waits for its calls with the clock running; botocore's defaults are 60 s.
_CONNECT_TIMEOUT = 2
_READ_TIMEOUT = 10
_ATTEMPTS = 3


@cache
def client(service: str, *, retries: bool = True) -> Any:
    """Return the process's client of an AWS service ("dynamodb", "sqs", ...): of `fanout.aws_calls`, or boto3's.

    retries=False is for `call_once`, and always boto3's.
    """
    from fanout import aws_calls  # noqa: PLC0415 - a function that makes no call does not pay for sockets and TLS

    lean = retries and aws_calls.make(
        service,
        partial(_boto3_client, service, retries=retries),
        connect_timeout=_CONNECT_TIMEOUT,
        read_timeout=_READ_TIMEOUT,
        attempts=_ATTEMPTS,
    )
    return lean or _boto3_client(service, retries=retries)


def prepare(service: str, *, retries: bool = True, if_set: str = "") -> None:
    """Make the client of a service while Lambda initializes the function; elsewhere, leave it to the first use.

    For the module level of what uses the client. Lambda initializes a function with a full CPU core; an invocation has
    the share that its memory buys: at 256 MB, a seventh. A client that cannot be made raises at its first use.
    if_set: an environment variable without which the client is not used.
    """
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ and (not if_set or os.environ.get(if_set)):
        with suppress(Exception):
            client(service, retries=retries)


def _boto3_client(service: str, *, retries: bool) -> Any:
    import boto3  # noqa: PLC0415 - start-up cost, see above
    from botocore.config import Config  # noqa: PLC0415

    attempts = {"mode": "standard", "total_max_attempts": _ATTEMPTS if retries else 1}
    config = Config(connect_timeout=_CONNECT_TIMEOUT, read_timeout=_READ_TIMEOUT, retries=attempts)  # type: ignore[arg-type]
    made = boto3.client(service, config=config)  # type: ignore[call-overload]
    if not retries:
        made.meta.events.register("before-send", _watch)
    return made


def call_once(service: str, operation: str, **parameters: Any) -> Any:
    """Call an operation that must not be carried out twice ("send_email"): without retries, over a new connection.

    Returns the operation's response. Raises Retry if AWS cannot have received the whole request: no connection, no
    TLS session, no credentials, invalid parameters, or a write that failed. AWS discards an incomplete request, as
    its signature covers the body (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
    Raises ClientError for an error response. Every other exception leaves the outcome unknown.
    """
    once = client(service, retries=False)
    once.close()  # drops idle connections; the client itself stays usable
    _is_written.set(False)
    try:
        return getattr(once, operation)(**parameters)
    except Exception as error:
        if error_code(error) or _is_written.get():
            raise
        raise Retry(f"not-sent: {type(error).__name__} before the request was complete") from error


def _watch(request: Any, **_: Any) -> None:
    """Record when a request has been written. The class of an exception does not show it: urllib3 ignores a broken pipe
    until it reads the response, and reports a TLS handshake that timed out as a read timeout.
    """
    if request.body:
        request.body = _watched(request.body)
    else:  # the progress of a request without a body is unknown
        _is_written.set(True)


def _watched(body: bytes) -> Iterator[bytes]:
    yield body  # urllib3 asks for the next part only after it has written this one
    _is_written.set(True)


def error_code(error: BaseException) -> str:
    """Return the code of a botocore ClientError ("ThrottlingException"), "" for any other exception."""
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return code if isinstance(code, str) else ""
