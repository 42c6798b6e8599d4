"""Payment providers: one over HTTP, and a sandbox that moves no money.

The protocol of the HTTP provider is that of card processors in general:

    POST <url>/<resource>  {..., "amount", "currency"}     -> 2xx {"id": ...}

with `Authorization: Bearer <api_key>` and `Idempotency-Key`. A provider carries out a request once per key and
returns the same response each time. A 4xx response means refused (`{"code": ...}` says why), except those that are not
about the payment: 401 and 407 (authentication), 408, 409, 421, 425 and 429 (not now). Those, 5xx, and timeouts are
retried with the same key. The semantics of the key:
https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Protocol
from urllib.parse import urlsplit, urlunsplit

import msgspec

from fanout import aws
from fanout.integrations import http
from fanout.outcomes import Retry

KEY_LIFETIME = timedelta(hours=24)
"""How long a provider must remember a key. After that, a repeated request may be taken for a new one."""

_MAX_WAIT = 900.0
_SECRET_SECONDS = 300
_MAX_CODE = 64
_MAX_REFERENCE = 256
# 4xx responses about authentication or timing, and not about the payment.
_NOT_ABOUT_THE_PAYMENT = {401, 407, 408, 409, 421, 425, 429}


class Accepted(msgspec.Struct, frozen=True):
    """The request was carried out."""

    reference: str
    """The provider's id of it."""


class Refused(msgspec.Struct, frozen=True):
    """The request was refused; repeating it does not help."""

    status: int
    code: str = ""
    """The provider's code for it, in letters, digits, `_`, `.` and `-`; "" if it gave none."""

    @property
    def word(self) -> str:
        """The code, or the status if there is none: card_declined, http_403."""
        return self.code or f"http_{self.status}"


class Provider(Protocol):
    """A payment provider."""

    name: ClassVar[str]
    """`http`, or `sandbox`, which moves no money."""

    def request(self, resource: str, key: str, body: Mapping[str, Any]) -> Accepted | Refused:
        """Send a request (`resource`: "captures"). The provider carries it out once per key.

        body: has `amount`, in the currency's minor unit. Raises Retry if there is no response, or one that is not about
        the payment.
        """


class HttpProvider:
    """The provider whose URL and API key are in a secret: {"url": "https://...", "api_key": "..."}."""

    name: ClassVar[str] = "http"

    def __init__(self, secret_arn: str, *, on_loopback: bool = False) -> None:
        """secret_arn: read at first use, and again every five minutes, so that a new key needs no deployment.

        on_loopback: for the local stage, where the provider may be plain HTTP on this machine.
        """
        from aws_lambda_powertools.utilities.parameters import SecretsProvider  # noqa: PLC0415 - imports boto3

        self._secret_arn = secret_arn
        self._on_loopback = on_loopback
        self._secrets = SecretsProvider(boto3_client=aws.client("secretsmanager"))
        self._stale = False

    def request(self, resource: str, key: str, body: Mapping[str, Any]) -> Accepted | Refused:
        """See `Provider`. Raises RuntimeError for a secret of another form, http.UnsafeUrlError for its URL."""
        access = self._access()
        headers = {
            "Authorization": f"Bearer {access.api_key.strip()}",
            "Idempotency-Key": key,
            "Accept": "application/json",
        }
        try:
            answer = http.post_json(
                _joined(access.url, resource), dict(body), headers=headers, allow_loopback=self._on_loopback
            )
        except (http.NotSentError, http.NoAnswerError) as error:  # the key makes a repeated request safe
            raise Retry(f"payment: the provider does not answer ({error})") from error
        self._stale = answer.status == 401
        said = _read(answer.body)
        if answer.is_success:
            if not said.id:
                raise Retry("payment: the provider's answer has no id")
            return Accepted(said.id[:_MAX_REFERENCE])
        if 400 <= answer.status < 500 and answer.status not in _NOT_ABOUT_THE_PAYMENT:
            return Refused(answer.status, re.sub(r"[^A-Za-z0-9_.-]", "_", said.code)[:_MAX_CODE])
        wait = None if answer.retry_after is None else min(answer.retry_after, _MAX_WAIT)
        raise Retry(f"payment: the provider answers {answer.status}", after=wait)

    def _access(self) -> "_Access":
        text = self._secrets.get(self._secret_arn, max_age=_SECRET_SECONDS, force_fetch=self._stale)
        try:
            return msgspec.json.decode(str(text), type=_Access)
        except ValueError as error:
            raise RuntimeError(
                'the secret in PAYMENT_PROVIDER_SECRET_ARN is not {"url": "https://...", "api_key": "..."}'
            ) from error


class SandboxProvider:
    """A provider that moves no money, and whose references say so.

    The last two digits of the amount in minor units decide, so that every path can be tried:

        01  refused: card_declined          03  refused: expired_card
        02  refused: insufficient_funds     09  never responds, as a provider that is down
        any other: accepted. Refunds are always accepted.

    The same key always gets the same response, so it stores nothing.
    """

    name: ClassVar[str] = "sandbox"
    refused: ClassVar[Mapping[int, str]] = {1: "card_declined", 2: "insufficient_funds", 3: "expired_card"}
    silent: ClassVar[int] = 9

    def request(self, resource: str, key: str, body: Mapping[str, Any]) -> Accepted | Refused:
        """See `Provider`."""
        ending = body["amount"] % 100
        if resource != "refunds" and ending == self.silent:
            raise Retry("payment: the sandbox provider does not answer for amounts that end in 09")
        if resource != "refunds" and ending in self.refused:
            return Refused(402, self.refused[ending])
        return Accepted(f"sandbox-{hashlib.sha256(key.encode()).hexdigest()[:24]}")


class _Access(msgspec.Struct, frozen=True):
    url: str
    api_key: Annotated[str, msgspec.Meta(pattern=r"^\s*[!-~]+\s*(?![\s\S])")]
    """As a header allows it. A copied key often ends in a line break."""


class _Answer(msgspec.Struct, frozen=True):
    """The fields that are read from a response."""

    id: str = ""
    code: str = ""


def _joined(url: str, resource: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{resource}"))


def _read(text: bytes) -> _Answer:
    try:
        return msgspec.json.decode(text, type=_Answer)
    except ValueError:
        return _Answer()
