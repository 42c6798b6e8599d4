"""Calls to services outside AWS, against a real server: the request, and the meaning of each response or failure."""

import socket
import threading
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from fanout.integrations.http import Answer, NoAnswerError, NotSentError, UnsafeUrlError, post_json
from tests.sink import Reply, Sink, reset_before_the_first_byte, sink


@pytest.fixture
def server() -> Iterator[Sink]:
    with sink() as made:
        yield made


def post(url: str, document: Any = None, **options: Any) -> Answer:
    return post_json(url, document or {"text": "hello"}, allow_loopback=True, timeout=0.3, **options)


def test_the_document_arrives_as_json_with_the_headers_given(server: Sink) -> None:
    answer = post(f"{server.url}/hook?x=1", {"text": "grüße"}, headers={"Idempotency-Key": "k"})
    assert answer.is_success
    [call] = server.calls
    assert (call.path, call.document) == ("/hook?x=1", {"text": "grüße"})
    assert call.headers["content-type"] == "application/json"
    assert call.headers["idempotency-key"] == "k"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(("7", 7.0), ("0", 0.0), ("soon", None), ("-3", None), ("١", None), ("9" * 40, 999999999.0)),
        ("Fri, 31 Dec 99999999999 23:59:59 GMT", None),
        ("Fri, 01 Jan 2027 00:00:00 +99999999999999", None),
    ],
)
def test_retry_after_is_read(server: Sink, value: str, seconds: float | None) -> None:
    server.replies = [Reply(429, {"Retry-After": value.encode().decode("latin-1")})]
    assert post(server.url).retry_after == seconds


def test_retry_after_may_be_a_date(server: Sink) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    server.replies = [Reply(503, {"Retry-After": later}), Reply(503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})]
    assert 50 < (post(server.url).retry_after or 0) <= 60
    assert post(server.url).retry_after == 0


def test_a_redirect_is_not_followed(server: Sink) -> None:
    with sink() as other:
        server.replies = [Reply(307, {"Location": f"{other.url}/stolen"})]
        assert post(server.url).status == 307
        assert other.calls == []


def test_only_the_beginning_of_a_response_is_read(server: Sink) -> None:
    server.replies = [Reply(400, body=b"bad\nrequest " + b"x" * 200_000)]
    answer = post(server.url)
    assert len(answer.body) == 65_536
    assert answer.excerpt.startswith("bad request xxx")
    assert len(answer.excerpt) == 200


@pytest.mark.guarantee("hostile-input/webhook-url")
@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "http://169.254.170.2/credentials",
        "http://127.0.0.1.example.com/",
        "http://0.0.0.0/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https://user:word@example.com/",
        "https:///hook",
        "https://exa mple.com/",
        "https://example.com/\r\nX-Header: 1",
        "https://[::1/",
        "https://example.com:port/",
        "example.com/hook",
        "",
    ],
)
def test_an_unsafe_url_is_not_called_and_not_quoted(url: str) -> None:
    with pytest.raises(UnsafeUrlError) as raised:
        post(url)
    assert not url or url not in str(raised.value)


def test_loopback_is_called_only_if_allowed(server: Sink) -> None:
    with pytest.raises(UnsafeUrlError, match="https"):
        post_json(server.url, {})
    assert server.calls == []


def test_a_receiver_that_cannot_be_reached_was_sent_nothing() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(NotSentError):
        post(f"http://127.0.0.1:{port}/")
    with pytest.raises(NotSentError):
        post(f"https://127.0.0.1:{port}/")


def test_a_receiver_without_a_valid_certificate_was_sent_nothing(server: Sink) -> None:
    with pytest.raises(NotSentError):
        post(server.url.replace("http://", "https://"))
    assert server.calls == []


def test_a_receiver_that_times_out_leaves_the_outcome_unknown(server: Sink) -> None:
    server.replies = [Reply(200, hang=threading.Event())]
    with pytest.raises(NoAnswerError):
        post(server.url)
    server.release()


def test_a_receiver_that_closes_the_connection_leaves_the_outcome_unknown(server: Sink) -> None:
    server.replies = [Reply(0)]
    with pytest.raises(NoAnswerError):
        post(server.url)


def test_a_response_whose_body_breaks_off_counts_by_its_status(server: Sink) -> None:
    server.replies = [Reply(429, {"Transfer-Encoding": "chunked", "Retry-After": "7"}, b"5\r\nhel")]
    assert post(server.url) == Answer(status=429, retry_after=7.0)


@pytest.mark.parametrize("value", ["k-1\n", "k-1\r\nX: y", "k-€"])
def test_a_header_that_http_does_not_allow_is_neither_sent_nor_quoted(server: Sink, value: str) -> None:
    with pytest.raises(NotSentError) as raised:
        post(server.url, headers={"Authorization": value})
    assert "k-" not in "".join(traceback.format_exception(raised.value))
    assert server.calls == []


def test_a_connection_that_was_closed_while_idle_is_not_used_again(server: Sink) -> None:
    server.keeps_alive = True
    assert [post(server.url, {"n": n}).status for n in (1, 2)] == [200, 200]
    assert server.accepted() == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_connection_that_breaks_before_the_first_byte_was_sent_nothing(scheme: str) -> None:
    with reset_before_the_first_byte() as receiver, pytest.raises(NotSentError):
        post(f"{scheme}://{receiver}/")


def test_a_document_that_could_not_be_written_completely_was_not_sent() -> None:
    def read_a_part() -> None:
        accepted, _ = receiver.accept()
        accepted.recv(1024)
        accepted.close()  # with data unread, which resets the connection

    with socket.create_server(("127.0.0.1", 0)) as receiver:
        thread = threading.Thread(target=read_a_part)
        thread.start()
        with pytest.raises(NotSentError):
            post(f"http://127.0.0.1:{receiver.getsockname()[1]}/", {"text": "x" * 50_000_000})
        thread.join()
