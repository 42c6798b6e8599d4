"""The welcome mail's words: every locale complete, and no name that becomes more than text."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from user_registration import welcome

LOCALES = ["de", "en", "es", "fr", "ja"]


class Reader(HTMLParser):
    """The tags and the text of a page, as a mail program would see them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("locale", LOCALES)
def test_every_locale_is_complete_in_text_and_html(locale: str) -> None:
    mail = welcome.render(locale=locale, name="Ada", plan="pro", product="Fanout")
    assert mail.locale == locale
    assert "Fanout" in mail.subject
    page = Reader(mail.html)
    for facts in ("Ada", "pro", "Fanout"):
        assert facts in mail.text
        assert facts in page.text
    assert "$" not in mail.subject + mail.text + mail.html
    assert f'<html lang="{locale}">' in mail.html
    for paragraph in mail.text.split("\n\n"):
        assert paragraph.strip() in page.text


@pytest.mark.parametrize("locale", LOCALES)
def test_every_locale_can_greet_without_a_name(locale: str) -> None:
    mail = welcome.render(locale=locale, name="https://example.org", plan="pro", product="Fanout")
    assert "example.org" not in mail.text + mail.html
    assert re.match(r"\w+", mail.text)


@pytest.mark.parametrize(
    ("asked", "written_in"),
    [("de", "de"), ("de-AT", "de"), ("fr-CA", "fr"), ("en-GB", "en"), ("zh-Hant-TW", "en"), ("tlh", "en")],
)
def test_a_locale_falls_back_to_its_language_and_then_to_english(asked: str, written_in: str) -> None:
    assert welcome.render(locale=asked, name="Ada", plan="pro", product="Fanout").locale == written_in


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("  Ada \t Lovelace ", "Ada Lovelace"),
        ("Ada\r\nBcc: eve", "Ada Bcc: eve"),
        ("Ada\u2028Lovelace\x00\x1b[31m", "Ada Lovelace[31m"),
        ("\u202eevE", "evE"),
        ("J. R. R. Tolkien", "J. R. R. Tolkien"),
        ("नेहा 👩‍🚀", "नेहा 👩‍🚀"),
        ("O’Neill-Şahin", "O’Neill-Şahin"),
        ("<b>", "<b>"),
        ("$plan ${product}", "$plan ${product}"),
        ("Click https://example.org now", ""),
        ("you won example.org", ""),
        ("ada@example", ""),
        ("x" * 101, ""),
        ("\u200b\u202e", ""),
    ],
)
def test_a_name_is_shown_on_one_line_or_not_at_all(typed: str, shown: str) -> None:
    assert welcome.presentable(typed) == shown


@pytest.mark.guarantee("hostile-input/mail-markup")
def test_markup_in_a_name_is_text() -> None:
    mail = welcome.render(locale="en", name='<b onclick="x">&amp;', plan="pro", product="<i>&")
    page = Reader(mail.html)
    assert '<b onclick="x">&amp;' in page.text
    assert "<i>&" in page.text
    assert {"b", "i"}.isdisjoint(page.tags)
    assert '<b onclick="x">&amp;' in mail.text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=st.text(min_size=1, max_size=200))
def test_no_name_changes_the_mails_structure(name: str) -> None:
    plain = welcome.render(locale="en", name="Ada", plan="pro", product="Fanout")
    mail = welcome.render(locale="en", name=name, plan="pro", product="Fanout")
    assert mail.subject == plain.subject
    assert Reader(mail.html).tags == Reader(plain.html).tags
    assert mail.text.count("\n") == plain.text.count("\n")
