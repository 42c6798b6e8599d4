"""Mail: which addresses it can go to. What its failures mean is tested where mail is sent (user_registration)."""

import pytest

from fanout.mail import MalformedAddressError, deliverable


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
