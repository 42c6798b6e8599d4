"""Mail: valid addresses, and the meaning of a broken connection to SES, from a real server.

What SES's responses mean is tested where mail is sent (user_registration).
"""

import socket
from collections.abc import Callable, Iterator

import pytest
from botocore.exceptions import ConnectionClosedError

from fanout.integrations.mail import Mail, MalformedAddressError, canonical, deliverable, send
from fanout.outcomes import Retry
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


@pytest.mark.guarantee("at-most-once/no-idle-connection")
def test_a_mail_after_a_pause_uses_a_new_connection(endpoint: Callable[[str], None], server: Sink) -> None:
    endpoint(server.url)
    server.keeps_alive = True
    server.replies = [TAKEN, TAKEN]
    assert [mail_to(name) for name in ("ada", "bob")] == ["m-1", "m-1"]
    assert recipients(server) == ["ada@example.org", "bob@example.org"]


@pytest.mark.guarantee("at-most-once/request-without-response")
def test_a_request_that_ses_read_without_a_response_leaves_the_outcome_unknown(
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
        ("info@mu\u0308nchen.example", "info@xn--mnchen-3ya.example"),
        ("info@XN--MNCHEN-3YA.example", "info@xn--mnchen-3ya.example"),
        ("info@例え.テスト", "info@xn--r8jz45g.xn--zckzah"),
        ("info@例え。テスト", "info@xn--r8jz45g.xn--zckzah"),
        ("ada@ｅｘａｍｐｌｅ．ｏｒｇ", "ada@example.org"),
        ("ada@نامه\u200cای.example", "ada@xn--mgba3gch31f060k.example"),  # RFC 5892, A.1: a joiner that belongs there
        ("a@" + "b" * 63 + ".example", "a@" + "b" * 63 + ".example"),
        ("a" * 64 + "@example.org", "a" * 64 + "@example.org"),
    ],
)
def test_an_address_is_converted_to_what_ses_accepts(typed: str, taken: str) -> None:
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
def test_an_invalid_address_is_refused_without_being_quoted(typed: str) -> None:
    with pytest.raises(MalformedAddressError) as raised:
        deliverable(typed)
    assert str(raised.value)
    assert len(typed) < 2 or typed not in str(raised.value)


@pytest.mark.parametrize(
    "around",
    [
        " ",
        "\t",
        "\r\n",
        "\u00a0",
        "\u2028",
        "\u3000",
        "\u200b",
        "\ufeff",
        "\u2060",
        "\u00ad",
        "\u200e",
        "\u202a",
        "\u2069",
    ],
    ids=ascii,
)
def test_white_space_and_invisible_characters_around_an_address_are_removed(around: str) -> None:
    assert deliverable(f"{around}{around}ada@example.org{around}") == "ada@example.org"


@pytest.mark.parametrize(
    ("char", "kind"),
    [
        (" ", "white space"),
        ("\u3000", "white space"),
        ("\0", "a control character"),
        ("\u2028", "a line separator"),
        ("\u200b", "an invisible character"),
        ("\ufeff", "an invisible character"),
        ("\u200e", "an invisible character"),
        ("\u202e", "an invisible character"),
        ("\u00ad", "an invisible character"),
    ],
    ids=ascii,
)
def test_white_space_and_invisible_characters_inside_an_address_are_refused_by_name(char: str, kind: str) -> None:
    for typed in (
        f"a{char}da@example.org",
        f"ada@exam{char}ple.org",
        f"ada@{char}example.org",
        f"ada{char}@example.org",
    ):
        with pytest.raises(MalformedAddressError, match=f"contains {kind}, U\\+{ord(char):04X}$"):
            deliverable(typed)


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("exam\ue000ple.org", "U+E000"),  # private use
        ("exam\U000f0000ple.org", "U+F0000"),
        ("exam\uffffple.org", "U+FFFF"),  # a noncharacter
        ("exam\ufe0fple.org", "U+FE0F"),  # a variation selector, which UTS 46 would remove
        ("exam\u200dple.org", "U+200D"),  # a joiner where it joins nothing
        ("☃.example", "U+2603"),
        ("℀.example", "U+002F"),  # a/c in one character
        ("xn--com-7m0a.example", "U+200B"),  # the same in Punycode
        ("אab.example", "U+0061"),  # both directions in one label
    ],
    ids=ascii,
)
def test_a_domain_that_idna_2008_does_not_allow_is_refused_by_its_character(host: str, found: str) -> None:
    with pytest.raises(MalformedAddressError) as raised:
        deliverable(f"ada@{host}")
    assert found in str(raised.value)


@pytest.mark.parametrize(
    "host", ["xn--.example", "xn--a-.example", "-ä.example", "ä-.example", "ä..example", "ä" * 250]
)
def test_a_domain_with_a_label_that_idna_2008_does_not_allow_is_refused(host: str) -> None:
    with pytest.raises(MalformedAddressError, match="IDNA 2008 does not allow the domain"):
        deliverable(f"ada@{host}")


def test_a_mailbox_name_in_full_width_letters_is_refused() -> None:
    with pytest.raises(MalformedAddressError, match="only ASCII characters before the @"):
        deliverable("ａda@example.org")


@pytest.mark.parametrize("typed", [" ADA@Example.ORG\ufeff", "ada@ｅｘａｍｐｌｅ.org", "ada@example．org"])
def test_all_ways_to_write_an_address_have_one_canonical_form(typed: str) -> None:
    assert canonical(typed) == "ada@example.org"


@pytest.mark.parametrize(("typed", "form"), [("", ""), (" ADA\u200b", "ada"), ("ADA@", "ada@"), ("Ä@x.org", "ä@x.org")])
def test_an_invalid_address_has_a_canonical_form_too(typed: str, form: str) -> None:
    assert canonical(typed) == form
