"""A payment provider behind HTTP. Its protocol, which is that of the card processors in general:

    POST <url>/authorizations  {"order_id", "customer_id", "amount", "currency"}     -> 2xx {"id": ...}
    POST <url>/refunds         {"authorization", "order_id", "amount", "currency"}   -> 2xx {"id": ...}

with `Authorization: Bearer <api_key>` and `Idempotency-Key`. A 4xx answer means declined (`{"code": ...}` says why),
but for those that say nothing about the payment: 401 and 407 (who are you), 408, 409, 421, 425 and 429 (not now).
Those, 5xx, and no answer within the time are tried again with the same key. The key's semantics:
https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

import settings
from charges import Authorized, Charge, Declined
from fanout import aws, http
from fanout.failures import Reject, Retry

NAME = "http"

_LONGEST_WAIT = 900.0
_SECRET_SECONDS = 300
_LONGEST_CODE = 64
# What a 4xx answer says about us or about the moment, and not about the payment.
_NOT_ABOUT_THE_PAYMENT = {401, 407, 408, 409, 421, 425, 429}


class _Access(msgspec.Struct, frozen=True):
    """The secret: {"url": "https://...", "api_key": "..."}."""

    url: str
    api_key: str


class _Answer(msgspec.Struct, frozen=True):
    """What we read of the provider's answers."""

    id: str = ""
    code: str = ""


class HttpProvider:
    """The provider whose URL and key stand in a secret."""

    def __init__(self, secret_arn: str) -> None:
        """secret_arn: read when first needed, and again every five minutes, so that a new key needs no deployment."""
        from aws_lambda_powertools.utilities.parameters import SecretsProvider  # noqa: PLC0415 - imports boto3

        self._secret_arn = secret_arn
        self._secrets = SecretsProvider(boto3_client=aws.client("secretsmanager"))
        self._stale = False

    def authorize(self, key: str, charge: Charge) -> Authorized | Declined:
        """Secure the money."""
        status, answer = self._post("authorizations", key, msgspec.to_builtins(charge))
        if status >= 400:
            return Declined(_code(answer.code) or f"http_{status}")
        return Authorized(_required(answer))

    def refund(self, key: str, reference: str, charge: Charge) -> str:
        """Give all of it back."""
        body = {
            "authorization": reference,
            "order_id": charge.order_id,
            "amount": charge.amount,
            "currency": charge.currency,
        }
        status, answer = self._post("refunds", key, body)
        if status >= 400:
            raise Reject(f"refund-refused: the payment provider answers {status} {_code(answer.code)}".rstrip())
        return _required(answer)

    def _post(self, resource: str, key: str, body: dict[str, Any]) -> tuple[int, _Answer]:
        access = self._access()
        headers = {"Authorization": f"Bearer {access.api_key}", "Idempotency-Key": key, "Accept": "application/json"}
        try:
            answer = http.post_json(
                _joined(access.url, resource),
                body,
                headers=headers,
                allow_loopback=settings.payment().payment_provider_on_loopback,
            )
        except (http.NotSentError, http.NoAnswerError) as error:  # whatever it did: the key makes asking again safe
            raise Retry(f"payment: the provider does not answer ({error})") from error
        self._stale = answer.status == 401
        about_the_payment = 400 <= answer.status < 500 and answer.status not in _NOT_ABOUT_THE_PAYMENT
        if not answer.is_success and not about_the_payment:
            wait = None if answer.retry_after is None else min(answer.retry_after, _LONGEST_WAIT)
            raise Retry(f"payment: the provider answers {answer.status}", after=wait)
        return answer.status, _read(answer.body)

    def _access(self) -> _Access:
        text = self._secrets.get(self._secret_arn, max_age=_SECRET_SECONDS, force_fetch=self._stale)
        try:
            return msgspec.json.decode(str(text), type=_Access)
        except ValueError as error:
            raise RuntimeError(
                'the secret in PAYMENT_PROVIDER_SECRET_ARN is not {"url": "https://...", "api_key": "..."}'
            ) from error


def _joined(url: str, resource: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{resource}"))


def _read(text: bytes) -> _Answer:
    try:
        return msgspec.json.decode(text, type=_Answer)
    except ValueError:
        return _Answer()


def _required(answer: _Answer) -> str:
    if not answer.id:
        raise Retry("payment: the provider's answer has no id")
    return answer.id[:256]


def _code(code: str) -> str:
    """The provider's word, as an event may carry it."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", code)[:_LONGEST_CODE]
