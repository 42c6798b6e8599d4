"""Mail: which addresses it can go to, and what a broken connection to SES means, from a real server.

What SES's responses mean is tested where mail is sent (user_registration).
"""

import socket
from collections.abc import Callable, Iterator

import pytest
from botocore.exceptions import ConnectionClosedError

from fanout.failures import Retry
from fanout.mail import Mail, MalformedAddressError, deliverable, send
from tests.sink import Reply, Sink, reset_before_the_first_byte, sink

TAKEN = Reply(200, body=b'{"MessageId": "m-1"}')


@pytest.fixture
def server() -> Iterator[Sink]:
    with sink() as made:
        yield made


def mail_to(name: str) -> str:
    mail = Mail(locale="en", subject="Hello", text="Hello", html="<p>Hello</p>")
    return send(mail, recipient=f"{name}@example.org", sender="welcome@example.com")


def recipients(server: Sink) -> list[str]:
    return [call.document["Destination"]["ToAddresses"][0] for call in server.calls]


def test_a_mail_after_a_pause_takes_no_connection_that_was_closed_while_idle(
    endpoint: Callable[[str], None], server: Sink
) -> None:
    endpoint(server.url)
    server.keeps_alive = True
    server.replies = [TAKEN, TAKEN]
    assert [mail_to(name) for name in ("ada", "bob")] == ["m-1", "m-1"]
    assert recipients(server) == ["ada@example.org", "bob@example.org"]


def test_a_request_that_ses_read_and_did_not_answer_leaves_the_outcome_open(
    endpoint: Callable[[str], None], server: Sink
) -> None:
    endpoint(server.url)
    server.replies = [Reply(0)]
    with pytest.raises(ConnectionClosedError):
        mail_to("ada")
    assert recipients(server) == ["ada@example.org"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_mail_whose_connection_breaks_before_the_first_byte_is_sent_later(
    endpoint: Callable[[str], None], scheme: str
) -> None:
    with reset_before_the_first_byte() as host:
        endpoint(f"{scheme}://{host}")
        with pytest.raises(Retry, match="not-sent: "):
            mail_to("ada")


def test_a_mail_that_gets_no_connection_is_sent_later(endpoint: Callable[[str], None], server: Sink) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint(f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(Retry, match="not-sent: EndpointConnectionError"):
            mail_to("ada")
    endpoint(server.url.replace("http://", "https://"))
    with pytest.raises(Retry, match="not-sent: SSLError"):
        mail_to("ada")
    assert server.calls == []


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("ada@example.org", "ada@example.org"),
        ("Ada.Lovelace+news@Example.ORG", "Ada.Lovelace+news@example.org"),
        ("o'brien_1/x@mail.example.co.uk", "o'brien_1/x@mail.example.co.uk"),
        ("info@münchen.example", "info@xn--mnchen-3ya.example"),
        (
            "info@straße.example",
            "info@xn--strae-oqa.example",
        ),  # not strasse.example, as the rules of 2003 would have it
        ("info@例え.テスト", "info@xn--r8jz45g.xn--zckzah"),
        ("a@" + "b" * 63 + ".example", "a@" + "b" * 63 + ".example"),
        ("a" * 64 + "@example.org", "a" * 64 + "@example.org"),
    ],
)
def test_an_address_becomes_what_ses_takes(typed: str, taken: str) -> None:
    assert deliverable(typed) == taken


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "ada",
        "@",
        "ada@",
        "@example.org",
        "ada@localhost",
        "ada@example..org",
        "ada@-example.org",
        "ada@example.org.",
        "ada@example.123",
        "ada@[192.0.2.1]",
        "ada lovelace@example.org",
        " ada@example.org",
        "ada@example.org ",
        "ada@example.org\n",
        "ada@example.org\r\nBcc: eve@example.org",
        "ada@example.org,eve@example.org",
        "eve@example.org ada@example.org",
        "Ada <ada@example.org>",
        '"ada"@example.org',
        ".ada@example.org",
        "a..b@example.org",
        "äda@example.org",
        "a" * 65 + "@example.org",
        "a@" + "b" * 64 + ".example",
        "a@" + "b.b" * 84 + ".example",
    ],
)
def test_what_mail_cannot_go_to_is_refused_without_being_quoted(typed: str) -> None:
    with pytest.raises(MalformedAddressError) as raised:
        deliverable(typed)
    assert str(raised.value)
    assert len(typed) < 2 or typed not in str(raised.value)
