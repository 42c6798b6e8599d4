"""What each answer of a payment provider means, from a real server."""

import json
from collections.abc import Iterator

import boto3
import pytest

from fanout.outcomes import Reject, Retry
from fanout.testing import REGION
from order_workflow.domain.payment import Charge
from order_workflow.payment_gateway import PaymentGateway, payment_gateway
from tests.sink import Reply, Sink, sink

from .conftest import Account


@pytest.fixture
def server() -> Iterator[Sink]:
    with sink() as made:
        yield made


@pytest.fixture
def provider(account: Account, server: Sink, monkeypatch: pytest.MonkeyPatch) -> PaymentGateway:
    secret = boto3.client("secretsmanager", region_name=REGION).create_secret(
        Name="payments", SecretString=json.dumps({"url": f"{server.url}/v1/", "api_key": "k-1"})
    )
    monkeypatch.setenv("PAYMENT_PROVIDER_ON_LOOPBACK", "true")
    monkeypatch.setenv("PAYMENT_TABLE", "payment")
    monkeypatch.setenv("PAYMENT_PROVIDER_SECRET_ARN", secret["ARN"])
    return payment_gateway("http")


@pytest.fixture
def charge() -> Charge:
    return Charge(order_id="o-1", customer_id="c-1", amount=3390, currency="EUR")


def test_the_request_follows_the_protocol(provider: PaymentGateway, charge: Charge, server: Sink) -> None:
    server.replies = [Reply(201, body=b'{"id": "auth_1", "more": true}'), Reply(200, body=b'{"id": "refund_1"}')]
    assert provider.authorize("key-1", charge).reference == "auth_1"
    assert provider.refund("key-2", "auth_1", charge) == "refund_1"
    first, second = server.calls
    assert (first.path, second.path) == ("/v1/authorizations", "/v1/refunds")
    assert first.document == {"order_id": "o-1", "customer_id": "c-1", "amount": 3390, "currency": "EUR"}
    assert second.document == {"authorization": "auth_1", "order_id": "o-1", "amount": 3390, "currency": "EUR"}
    assert (first.headers["authorization"], first.headers["idempotency-key"]) == ("Bearer k-1", "key-1")
    assert second.headers["idempotency-key"] == "key-2"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(402, body=b'{"code": "insufficient_funds"}'), "insufficient_funds"),
        (Reply(400, body=b'{"code": "no such card: 4111 1111"}'), "no_such_card__4111_1111"),
        (Reply(403, body=b"<html>"), "http_403"),
        (Reply(404, body=b""), "http_404"),
        (Reply(422, body=b'{"code": 7}'), "http_422"),
    ],
)
def test_a_4xx_response_is_a_decline(
    provider: PaymentGateway, charge: Charge, server: Sink, reply: Reply, code: str
) -> None:
    server.replies = [reply]
    assert provider.authorize("key", charge).code == code


@pytest.mark.parametrize("status", [401, 408, 409, 425, 429, 302, 500, 502, 503, 504])
def test_a_response_that_is_not_about_the_payment_is_retried(
    provider: PaymentGateway, charge: Charge, server: Sink, status: int
) -> None:
    server.replies = [Reply(status), Reply(status)]
    with pytest.raises(Retry, match=f"answers {status}"):
        provider.authorize("key", charge)
    with pytest.raises(Retry, match=f"answers {status}"):
        provider.refund("key", "auth", charge)


@pytest.mark.parametrize(("header", "after"), [("7", 7.0), ("86400", 900.0), ("soon", None)])
def test_it_waits_as_long_as_requested_within_limits(
    provider: PaymentGateway, charge: Charge, server: Sink, header: str, after: float | None
) -> None:
    server.replies = [Reply(429, headers={"Retry-After": header})]
    with pytest.raises(Retry) as raised:
        provider.authorize("key", charge)
    assert raised.value.after == after


@pytest.mark.parametrize(
    "reply", [Reply(0), Reply(200, body=b"{}"), Reply(200, body=b"ok")], ids=["none", "no id", "no JSON"]
)
def test_an_unreadable_response_is_retried(
    provider: PaymentGateway, charge: Charge, server: Sink, reply: Reply
) -> None:
    server.replies = [reply]
    with pytest.raises(Retry):
        provider.authorize("key", charge)


def test_a_refused_refund_needs_an_operator(provider: PaymentGateway, charge: Charge, server: Sink) -> None:
    server.replies = [Reply(422, body=b'{"code": "already_refunded"}')]
    with pytest.raises(Reject, match="refund-refused: the payment provider answers 422 already_refunded"):
        provider.refund("key", "auth", charge)
