"""Mail templates: the texts of a mail by locale, and the mail made from them. User input is always escaped.

A folder holds `<locale>.json` for each locale, with the words (a struct that the use case defines).
"""

import html
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from string import Template
from typing import Generic, TypeVar

import msgspec

from fanout import locales
from fanout.integrations.mail import Mail

Words = TypeVar("Words")

_LAYOUT = Template("""\
<!DOCTYPE html>
<html lang="$lang">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>$title</title>
  </head>
  <body style="margin: 2em auto; max-width: 36em; padding: 0 1em; font: 16px/1.5 system-ui, sans-serif; color: #222;">
$body
  </body>
</html>
""")


class MailTemplates(Generic[Words]):
    """The templates in one folder."""

    def __init__(self, folder: Path, words: type[Words]) -> None:
        """folder: where the files are, named by canonical BCP 47 tags with en. words: the type of a file's content."""
        self._folder = folder
        self._type = words

    @cached_property
    def _words(self) -> dict[str, Words]:
        decoder = msgspec.json.Decoder(self._type)
        return {file.stem: decoder.decode(file.read_bytes()) for file in self._folder.glob("*.json")}

    def words(self, locale: str | None) -> tuple[str, Words]:
        """Return the best locale of the folder (`locales.lookup`, else English), and its texts."""
        found = locales.lookup(locale, self._words) or locales.DEFAULT
        return found, self._words[found]

    def mail(self, locale: str, subject: str, body: Sequence[str | Sequence[str]]) -> Mail:
        """Return the mail. body: paragraphs of plain text; a sequence among them becomes a list."""
        paragraphs = [each if isinstance(each, str) else "\n".join(each) for each in body]
        return Mail(
            locale=locale,
            subject=subject,
            text="\n\n".join(paragraphs) + "\n",
            html=_LAYOUT.substitute(
                lang=locale, title=html.escape(subject), body="\n".join(_element(each) for each in body)
            ),
        )


def filled(text: str, facts: Mapping[str, str]) -> str:
    """Return the text with each $name replaced by its fact. Raises KeyError for a name without a fact."""
    return Template(text).substitute(facts)


def _element(block: str | Sequence[str]) -> str:
    if isinstance(block, str):
        return f"    <p>{html.escape(block)}</p>"
    return "\n".join(["    <ul>", *(f"      <li>{html.escape(line)}</li>" for line in block), "    </ul>"])
