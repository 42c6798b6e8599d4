"""Payment providers: the meaning of responses, from a real server; and the sandbox."""

import json
import traceback
from collections.abc import Iterator

import boto3
import pytest

from fanout.integrations.http import UnsafeUrlError
from fanout.integrations.payments import Accepted, HttpProvider, Refused, SandboxProvider
from fanout.outcomes import Retry
from fanout.testing import REGION
from tests.sink import Reply, Sink, sink

BODY = {"order_id": "o-1", "amount": 3390, "currency": "EUR"}


@pytest.fixture
def server() -> Iterator[Sink]:
    with sink() as made:
        yield made


def secret(name: str, value: str) -> str:
    return boto3.client("secretsmanager", region_name=REGION).create_secret(Name=name, SecretString=value)["ARN"]


@pytest.fixture
def provider(cloud: None, server: Sink) -> HttpProvider:
    access = json.dumps({"url": f"{server.url}/v1/", "api_key": "k-1"})
    return HttpProvider(secret("access", access), on_loopback=True)


def test_a_request_has_the_given_idempotency_key(provider: HttpProvider, server: Sink) -> None:
    server.replies = [Reply(201, body=b'{"id": "c_1"}')]
    assert provider.request("captures", "key-1", BODY) == Accepted("c_1")
    [call] = server.calls
    assert (call.path, call.document) == ("/v1/captures", BODY)
    assert (call.headers["authorization"], call.headers["idempotency-key"]) == ("Bearer k-1", "key-1")


def test_a_connection_that_was_closed_while_idle_is_not_used_again(provider: HttpProvider, server: Sink) -> None:
    server.keeps_alive = True
    server.replies = [Reply(201, body=b'{"id": "c_1"}'), Reply(201, body=b'{"id": "c_2"}')]
    assert [provider.request("captures", key, BODY) for key in ("key-1", "key-2")] == [Accepted("c_1"), Accepted("c_2")]
    assert [call.headers["idempotency-key"] for call in server.calls] == ["key-1", "key-2"]


@pytest.mark.parametrize(
    ("reply", "refused"),
    [
        (Reply(402, body=b'{"code": "insufficient funds"}'), Refused(402, "insufficient_funds")),
        (Reply(422, body=b"<html>"), Refused(422)),
    ],
)
def test_a_response_about_the_payment_is_a_refusal(
    provider: HttpProvider, server: Sink, reply: Reply, refused: Refused
) -> None:
    server.replies = [reply]
    assert provider.request("captures", "key", BODY) == refused


@pytest.mark.parametrize("status", [0, 302, 401, 408, 409, 425, 429, 500, 503])
def test_a_response_that_is_not_about_the_payment_is_retried(provider: HttpProvider, server: Sink, status: int) -> None:
    server.replies = [Reply(status)]
    with pytest.raises(Retry, match="payment: "):
        provider.request("captures", "key", BODY)


def test_a_new_api_key_is_read_after_the_old_one_is_refused(provider: HttpProvider, server: Sink) -> None:
    server.replies = [Reply(401), Reply(200, body=b'{"id": "c_1"}')]
    with pytest.raises(Retry):
        provider.request("captures", "key", BODY)
    access = json.dumps({"url": f"{server.url}/v1/", "api_key": "k-2"})
    boto3.client("secretsmanager", region_name=REGION).put_secret_value(SecretId="access", SecretString=access)
    assert provider.request("captures", "key", BODY) == Accepted("c_1")
    assert server.calls[1].headers["authorization"] == "Bearer k-2"


def test_plain_http_is_refused_except_on_the_local_stage(cloud: None, server: Sink) -> None:
    access = json.dumps({"url": server.url, "api_key": "k-1"})
    with pytest.raises(UnsafeUrlError):
        HttpProvider(secret("plain", access)).request("captures", "key", BODY)
    assert server.calls == []


@pytest.mark.parametrize(
    "text",
    [
        "top-secret",
        *(json.dumps({"url": "https://x", "api_key": key}) for key in ("top-secret\r\nX: y", "top-secret€", "")),
    ],
    ids=["plain text", "a line break in the key", "a key that is not ASCII", "an empty key"],
)
def test_a_secret_of_another_form_is_named_without_being_quoted(cloud: None, text: str) -> None:
    with pytest.raises(RuntimeError, match="PAYMENT_PROVIDER_SECRET_ARN") as raised:
        HttpProvider(secret("other", text)).request("captures", "key", BODY)
    assert "top-secret" not in "".join(traceback.format_exception(raised.value))


def test_a_line_break_after_the_api_key_is_removed(cloud: None, server: Sink) -> None:
    server.replies = [Reply(200, body=b'{"id": "c_1"}')]
    access = json.dumps({"url": server.url, "api_key": "k-1\n"})
    assert HttpProvider(secret("copied", access), on_loopback=True).request("captures", "key", BODY) == Accepted("c_1")
    assert server.calls[0].headers["authorization"] == "Bearer k-1"


def test_the_sandbox_decides_by_the_amount_and_accepts_every_refund() -> None:
    sandbox = SandboxProvider()
    words = [sandbox.request("captures", "k", {"amount": amount}) for amount in (101, 102, 103)]
    assert words == [Refused(402, word) for word in ("card_declined", "insufficient_funds", "expired_card")]
    with pytest.raises(Retry):
        sandbox.request("captures", "k", {"amount": 109})
    assert sandbox.request("captures", "k", {"amount": 100}) == sandbox.request("captures", "k", {"amount": 100})
    for amount in (101, 109):
        assert isinstance(sandbox.request("refunds", "k", {"amount": amount}), Accepted)
