"""The calls of the hot path without botocore: DynamoDB's items, SQS's sends and visibility timeouts, SNS's batches.

botocore needs over four million instructions for one of them, twenty times what the runtime needs for a whole record,
and over a thousand million for the first (docs/decisions/0023). `Client` has the same methods, arguments, results,
exceptions and retries as boto3's client; whatever else is asked of it goes to a client of boto3. FANOUT_AWS_CALLS=boto3
returns to boto3 altogether.
"""

import os
import random
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property, partial
from typing import Any
from zlib import crc32

import msgspec

from fanout.aws_http import Connections, Endpoint, Response
from fanout.aws_operations import ERRORS, OPERATIONS, Fields, Operation
from fanout.aws_protocols import DYNAMODB, SNS, SQS, WireProtocol
from fanout.aws_signing import Credentials, Signer, endpoint_url, find_credentials

_PROTOCOLS: Mapping[str, WireProtocol] = {"dynamodb": DYNAMODB, "sqs": SQS, "sns": SNS}

# botocore's standard mode: botocore.retries.standard and .quota.
_TRANSIENT_STATUSES = {500, 502, 503, 504}
_RETRYABLE_CODES = {
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}
_MAX_BACKOFF = 20
_QUOTA = 500
_RETRY_COST = 5
_TIMEOUT_COST = 10
# A signature holds for five minutes on either side of AWS's clock. botocore does not correct a wrong clock.
_SKEW_CODES = {"InvalidSignatureException", "RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch"}
_SKEW_SECONDS = 240
_PLAIN_TRACE = re.compile(r"[A-Za-z0-9_.~=;:+&-]+")


def make(
    service: str, boto3_client: Callable[[], Any], *, connect_timeout: float, read_timeout: float, attempts: int
) -> "Client | None":
    """Return a client of a service, None if the calls need boto3: another service, or a setting only botocore knows.

    boto3_client: makes boto3's client, for everything that `Client` does not do itself.
    """
    environment = os.environ
    region = environment.get("AWS_DEFAULT_REGION", "")
    if service not in OPERATIONS or not region or environment.get("FANOUT_AWS_CALLS") == "boto3":
        return None
    url = endpoint_url(service, region, environment)
    endpoint = Endpoint.parse(url) if url else None
    if endpoint is None:
        return None
    connections = Connections(
        endpoint,
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        authorities=environment.get("AWS_CA_BUNDLE") or environment.get("REQUESTS_CA_BUNDLE"),
    )
    signer = Signer(service, region, endpoint.authority, endpoint.path)
    return Client(
        service,
        boto3_client,
        connections=connections,
        signer=signer,
        credentials=find_credentials(environment),
        attempts=attempts,
    )


class Client:
    """A client of DynamoDB, SQS or SNS. Threads may share it."""

    def __init__(
        self,
        service: str,
        boto3_client: Callable[[], Any],
        *,
        connections: Connections,
        signer: Signer,
        credentials: Callable[[], Credentials | None],
        attempts: int,
    ) -> None:
        self.service = service
        self._boto3_client = boto3_client
        self._connections = connections
        self._signer = signer
        self._credentials = credentials
        self._attempts = attempts
        self._quota = _Quota()
        self._protocol = _PROTOCOLS[service]

    def __getattr__(self, name: str) -> Any:
        """Return the method of an operation; what is not one of ours is boto3's."""
        operation = OPERATIONS[self.service].get(name)
        if operation is None:
            return getattr(self.boto3, name)
        method = partial(_call, self, operation)
        setattr(self, name, method)
        return method

    @cached_property
    def boto3(self) -> Any:
        """boto3's client of the service."""
        return self._boto3_client()

    @cached_property
    def exceptions(self) -> "_Exceptions":
        """The classes of the errors, by name, as boto3's client has them."""
        return _Exceptions(self.service)

    def get_paginator(self, name: str) -> Any:
        """Return what pages through an operation's answers: `paginate(**parameters)` yields them one by one."""
        return _QueryPages(self) if name == "query" else self.boto3.get_paginator(name)

    def close(self) -> None:
        """Close the idle connections."""
        self._connections.close()

    def call(self, operation: Operation, parameters: dict[str, Any]) -> dict[str, Any]:
        """Carry out an operation.

        Returns the answer as boto3 returns it. Raises ClientError for an error response, botocore's connection errors
        if there is none, ParamValidationError for an unknown parameter and for an attribute value of a wrong type.
        """
        _check(operation.fields, parameters, operation.name)
        if operation.name == "TransactWriteItems":  # a retry whose first answer was lost must not write again
            parameters.setdefault("ClientRequestToken", str(uuid.uuid4()))
        try:
            headers, body = self._protocol.request(operation, parameters)
        except (msgspec.ValidationError, TypeError) as error:
            raise _invalid(str(error)) from None
        attempt = acquired = 0
        is_clock_corrected = False
        while True:
            attempt += 1
            is_last = attempt >= self._attempts
            try:
                response = self._send(headers, body)
            except Exception as error:
                if not _is_connection_error(error):
                    raise
                cost = _TIMEOUT_COST if _is_timeout(error) else _RETRY_COST
                if is_last or not self._quota.acquire(cost):
                    raise
            else:
                if response.status < 300:
                    self._quota.release(acquired or 1)
                    return self._read(self._protocol.answer, response, attempt)
                document = self._read(self._protocol.error, response, attempt)
                code = document["Error"].get("Code", "")
                if code in _SKEW_CODES and not is_clock_corrected and self._correct_clock(response):
                    is_clock_corrected = True
                    continue
                is_retryable = response.status in _TRANSIENT_STATUSES or code in _RETRYABLE_CODES
                cost = _RETRY_COST
                if is_last or not is_retryable:
                    raise _client_error(self.service, document, operation.name)
                if not self._quota.acquire(cost):
                    document["ResponseMetadata"]["RetryQuotaReached"] = True
                    raise _client_error(self.service, document, operation.name)
            acquired = cost
            time.sleep(random.random() * min(2 ** (attempt - 1), _MAX_BACKOFF))  # noqa: S311 - jitter keeps no secret

    def _send(self, headers: dict[str, str], body: bytes) -> Response:
        credentials = self._credentials()
        if credentials is None:
            from botocore.exceptions import NoCredentialsError  # noqa: PLC0415 - start-up cost, see fanout.aws

            raise NoCredentialsError
        signed = self._signer.sign(headers, body, credentials)
        signed["user-agent"] = "fanout"
        # Lambda finds loops and X-Ray links calls by it.
        if (trace := os.environ.get("_X_AMZN_TRACE_ID")) and "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
            signed["x-amzn-trace-id"] = trace if _PLAIN_TRACE.fullmatch(trace) else _quote_trace(trace)
        response = self._connections.post(signed, body)
        checksum = response.headers.get("x-amz-crc32") if self.service == "dynamodb" else None
        if checksum is not None and checksum != str(crc32(response.body)):
            from botocore.exceptions import ConnectionClosedError  # noqa: PLC0415

            raise ConnectionClosedError(
                endpoint_url=self._connections.endpoint.url, error="x-amz-crc32 does not match the body"
            )
        return response

    def _read(self, parse: Callable[[Response], dict[str, Any]], response: Response, attempt: int) -> dict[str, Any]:
        try:
            document = parse(response)
        except ValueError as error:
            raise _unreadable(error) from error
        metadata = document["ResponseMetadata"]
        metadata["RetryAttempts"] = attempt - 1
        if attempt >= self._attempts:
            metadata["MaxAttemptsReached"] = True
        return document

    def _correct_clock(self, response: Response) -> bool:
        """Take AWS's time from a response. False if it is what the signature already had."""
        from email.utils import parsedate_to_datetime  # noqa: PLC0415 - a wrong clock only

        try:
            skew = parsedate_to_datetime(response.headers.get("date", "")).timestamp() - time.time()
        except ValueError:
            return False
        is_wrong = abs(skew - self._signer.skew) > _SKEW_SECONDS
        if is_wrong:
            self._signer.skew = skew
        return is_wrong


def _quote_trace(trace: str) -> str:
    from urllib.parse import quote  # noqa: PLC0415 - start-up cost; Lambda's own need none

    return quote(trace, safe="-=;:+&[]{}\"',")


def _call(client: Client, operation: Operation, /, **parameters: Any) -> dict[str, Any]:
    return client.call(operation, parameters)


class _QueryPages:
    def __init__(self, client: Client) -> None:
        self._client = client

    def paginate(self, **parameters: Any) -> Iterator[dict[str, Any]]:
        while True:
            page = self._client.query(**parameters)
            yield page
            if not page.get("LastEvaluatedKey"):
                return
            parameters["ExclusiveStartKey"] = page["LastEvaluatedKey"]


class _Quota:
    """How many retries a client has left: each costs some, each success returns some. In an outage it runs out."""

    def __init__(self) -> None:
        self._left = _QUOTA
        self._lock = threading.Lock()

    def acquire(self, amount: int) -> bool:
        with self._lock:
            if amount > self._left:
                return False
            self._left -= amount
            return True

    def release(self, amount: int) -> None:
        if self._left == _QUOTA:
            return
        with self._lock:
            self._left = min(_QUOTA, self._left + amount)


def _check(fields: Fields, parameters: Any, where: str) -> None:
    """Raise ParamValidationError for a parameter that is not one of `fields`, at any depth that they describe."""
    for element in parameters if isinstance(parameters, list | tuple) else (parameters,):
        for name, value in element.items():
            try:
                inner = fields[name] if name in fields else fields["*"]
            except KeyError:
                known = ", ".join(sorted(fields))
                raise _invalid(f'Unknown parameter in {where}: "{name}", must be one of: {known}') from None
            if inner is not None:
                _check(inner, value, name)


def _invalid(report: str) -> Exception:
    from botocore.exceptions import ParamValidationError  # noqa: PLC0415 - start-up cost, see fanout.aws

    return ParamValidationError(report=report)


class _Exceptions:
    def __init__(self, service: str) -> None:
        self._names = frozenset(ERRORS[service].values())
        self._service = service

    def __getattr__(self, name: str) -> Any:
        if name == "ClientError" or name not in self._names:
            from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up cost, see fanout.aws

            if name == "ClientError":
                return ClientError
            raise AttributeError(f"{self._service} has no exception {name}; it has {', '.join(sorted(self._names))}")
        return _error_class(self._service, name)


@cache
def _error_class(service: str, name: str) -> Any:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up cost, see fanout.aws

    return type(name, (ClientError,), {"__module__": f"botocore.errorfactory.{service}"})


def _client_error(service: str, document: dict[str, Any], operation: str) -> Exception:
    error = document["Error"]
    name = ERRORS[service].get(error.get("QueryErrorCode") or error.get("Code", ""))
    kind = _error_class(service, name or "ClientError") if name else _plain_client_error()
    made: Exception = kind(document, operation)
    return made


def _plain_client_error() -> Any:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up cost, see fanout.aws

    return ClientError


def _unreadable(error: Exception) -> Exception:
    from botocore.parsers import ResponseParserError  # noqa: PLC0415 - start-up cost, see fanout.aws

    return ResponseParserError(f"Unable to parse response ({error}), invalid response received.")


def _is_connection_error(error: Exception) -> bool:
    from botocore.exceptions import ConnectionError, HTTPClientError  # noqa: PLC0415 - start-up cost, see fanout.aws

    return isinstance(error, ConnectionError | HTTPClientError)


def _is_timeout(error: Exception) -> bool:
    from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError  # noqa: PLC0415

    return isinstance(error, ConnectTimeoutError | ReadTimeoutError)
