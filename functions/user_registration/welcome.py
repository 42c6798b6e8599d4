"""The welcome mail: its words by locale, filled in so that nothing a user typed can become anything but text."""

import html
import re
import unicodedata
from functools import cache
from pathlib import Path
from string import Template

import msgspec

from fanout.mail import Mail

_FOLDER = Path(__file__).parent / "mail_templates"
_FALLBACK = "en"

# Mail programs make links of what looks like one, also in plain text. Whoever registers a stranger's address with such
# a name would have us deliver his link.
_LINK = re.compile(r"://|[@\\/]|\w\.\w{2,}")
_LONGEST_NAME = 100

# Control characters, what turns the direction of writing, private characters. Joiners belong to scripts and emoji.
_INVISIBLE = {"Cc", "Cf", "Co", "Cs"}
_JOINERS = "\u200c\u200d"


class _Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a locale's file holds: plain text with $name, $plan and $product."""

    subject: str
    greeting: str
    greeting_without_name: str
    paragraphs: list[str]
    closing: str


class Welcome(Mail, frozen=True, kw_only=True):
    """The mail, ready to be sent."""

    locale: str
    """The one it is written in."""


def render(*, locale: str, name: str, plan: str, product: str) -> Welcome:
    """Return the welcome mail for a user.

    locale: a BCP 47 tag; the words are those of the tag itself, else of its language, else English.
    """
    written_in = next(tag for tag in (locale, locale.split("-", maxsplit=1)[0], _FALLBACK) if tag in _locales())
    words = _words(written_in)
    addressee = presentable(name)
    greeting = words.greeting if addressee else words.greeting_without_name
    facts = {"name": addressee, "plan": plan, "product": " ".join(product.split())}
    lines = [Template(line).substitute(facts) for line in (greeting, *words.paragraphs, words.closing)]
    subject = Template(words.subject).substitute(facts)
    return Welcome(
        locale=written_in,
        subject=subject,
        text="\n\n".join(lines) + "\n",
        html=_layout().substitute(
            lang=written_in,
            title=html.escape(subject),
            body="\n".join(f"    <p>{html.escape(line)}</p>" for line in lines),
        ),
    )


def presentable(name: str) -> str:
    """Return the name as a greeting may contain it, on one line; "" if it had better not: a link, or very long."""
    visible = "".join(
        " " if char.isspace() else char
        for char in name
        if char.isspace() or char in _JOINERS or unicodedata.category(char) not in _INVISIBLE
    )
    one_line = " ".join(visible.split())
    return "" if len(one_line) > _LONGEST_NAME or _LINK.search(one_line) else one_line


@cache
def _locales() -> frozenset[str]:
    return frozenset(file.stem for file in _FOLDER.glob("*.json"))


@cache
def _words(locale: str) -> _Words:
    return msgspec.json.decode((_FOLDER / f"{locale}.json").read_bytes(), type=_Words)


@cache
def _layout() -> Template:
    return Template((_FOLDER / "layout.html").read_text("utf-8"))
