"""Mail by locale: the choice of the template, and the escaping of user input."""

from pathlib import Path

import msgspec
import pytest

from fanout.integrations.mail_templates import MailTemplates, filled


class Words(msgspec.Struct):
    greeting: str


@pytest.fixture
def templates(tmp_path: Path) -> MailTemplates[Words]:
    for locale, greeting in {"en": "Hello $name", "de": "Guten Tag $name", "de-AT": "Servus $name"}.items():
        (tmp_path / f"{locale}.json").write_bytes(msgspec.json.encode(Words(greeting)))
    return MailTemplates(tmp_path, Words)


@pytest.mark.parametrize(
    ("tag", "locale"), [("de-AT", "de-AT"), ("de-CH", "de"), ("de", "de"), ("ja-JP", "en"), ("", "en"), ("../en", "en")]
)
def test_the_nearest_locale_is_taken(templates: MailTemplates[Words], tag: str, locale: str) -> None:
    assert templates.words(tag)[0] == locale


def test_paragraphs_and_lines_are_in_text_and_html_and_are_escaped(templates: MailTemplates[Words]) -> None:
    locale, words = templates.words("de")
    mail = templates.mail(locale, "A & B", [filled(words.greeting, {"name": "<b>$x</b>"}), ["1 < 2", "3"], "Bye"])
    assert mail.text == "Guten Tag <b>$x</b>\n\n1 < 2\n3\n\nBye\n"
    head, _, body = mail.html.partition("  <body ")
    assert head.startswith('<!DOCTYPE html>\n<html lang="de">\n')
    assert head.endswith("    <title>A &amp; B</title>\n  </head>\n")
    assert body.partition(">\n")[2] == (
        "    <p>Guten Tag &lt;b&gt;$x&lt;/b&gt;</p>\n"
        "    <ul>\n      <li>1 &lt; 2</li>\n      <li>3</li>\n    </ul>\n"
        "    <p>Bye</p>\n"
        "  </body>\n</html>\n"
    )


def test_words_that_a_locale_lacks_are_named(tmp_path: Path) -> None:
    (tmp_path / "en.json").write_text("{}")
    with pytest.raises(msgspec.ValidationError, match="greeting"):
        MailTemplates(tmp_path, Words).words("en")
