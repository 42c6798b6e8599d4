"""A payment provider: one behind HTTP, and the sandbox, which is no payment.

The HTTP provider's protocol is that of the card processors in general:

    POST <url>/<resource>  {..., "amount", "currency"}     -> 2xx {"id": ...}

with `Authorization: Bearer <api_key>` and `Idempotency-Key`. A provider does a thing once per key, however often it is
asked with that key, and gives the same answer each time. A 4xx answer means refused (`{"code": ...}` says why), but for
those that say nothing about the payment: 401 and 407 (who are you), 408, 409, 421, 425 and 429 (not now). Those, 5xx,
and no answer within the time are tried again with the same key. The key's semantics:
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
"""How long a provider must remember a key. Later, it may take a repetition for a new request."""

_LONGEST_WAIT = 900.0
_SECRET_SECONDS = 300
_LONGEST_CODE = 64
_LONGEST_REFERENCE = 256
# What a 4xx answer says about us or about the moment, and not about the payment.
_NOT_ABOUT_THE_PAYMENT = {401, 407, 408, 409, 421, 425, 429}


class Accepted(msgspec.Struct, frozen=True):
    """It is done."""

    reference: str
    """What the provider calls it."""


class Refused(msgspec.Struct, frozen=True):
    """It will not be done, however often it is asked for."""

    status: int
    code: str = ""
    """The provider's own word for it, in letters, digits, `_`, `.` and `-`; "" if it gave none."""

    @property
    def word(self) -> str:
        """The code, or the status where there is none: card_declined, http_403."""
        return self.code or f"http_{self.status}"


class Provider(Protocol):
    """Whoever is asked for the money."""

    name: ClassVar[str]
    """`http`, or `sandbox`, which moves no money."""

    def ask(self, resource: str, key: str, body: Mapping[str, Any]) -> Accepted | Refused:
        """Ask for something (`resource`: "captures"), once per key, for ever.

        body: holds `amount`, in the currency's minor unit. Raises Retry if there is no answer, or one that says nothing
        about the payment.
        """


class HttpProvider:
    """The provider whose URL and key stand in a secret: {"url": "https://...", "api_key": "..."}."""

    name: ClassVar[str] = "http"

    def __init__(self, secret_arn: str, *, on_loopback: bool = False) -> None:
        """secret_arn: read when first needed, and again every five minutes, so that a new key needs no deployment.

        on_loopback: for the local stage, where the provider may be plain HTTP on this machine.
        """
        from aws_lambda_powertools.utilities.parameters import SecretsProvider  # noqa: PLC0415 - imports boto3

        self._secret_arn = secret_arn
        self._on_loopback = on_loopback
        self._secrets = SecretsProvider(boto3_client=aws.client("secretsmanager"))
        self._stale = False

    def ask(self, resource: str, key: str, body: Mapping[str, Any]) -> Accepted | Refused:
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
        except (http.NotSentError, http.NoAnswerError) as error:  # whatever it did: the key makes asking again safe
            raise Retry(f"payment: the provider does not answer ({error})") from error
        self._stale = answer.status == 401
        said = _read(answer.body)
        if answer.is_success:
            if not said.id:
                raise Retry("payment: the provider's answer has no id")
            return Accepted(said.id[:_LONGEST_REFERENCE])
        if 400 <= answer.status < 500 and answer.status not in _NOT_ABOUT_THE_PAYMENT:
            return Refused(answer.status, re.sub(r"[^A-Za-z0-9_.-]", "_", said.code)[:_LONGEST_CODE])
        wait = None if answer.retry_after is None else min(answer.retry_after, _LONGEST_WAIT)
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
    """No payment. No money moves, and everything it returns says so.

    It decides by the last two digits of the amount in minor units, so that every path can be tried:

        01  refused: card_declined          03  refused: expired_card
        02  refused: insufficient_funds     09  never answers, as a provider that is down
        any other: accepted. Money is always given back.

    The same key always gets the same answer, so it needs no memory.
    """

    name: ClassVar[str] = "sandbox"
    refused: ClassVar[Mapping[int, str]] = {1: "card_declined", 2: "insufficient_funds", 3: "expired_card"}
    silent: ClassVar[int] = 9

    def ask(self, resource: str, key: str, body: Mapping[str, Any]) -> Accepted | Refused:
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
    """In no other form does it fit a header. A line break often stands at the end of a copied key."""


class _Answer(msgspec.Struct, frozen=True):
    """What we read of the provider's answers."""

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
