"""The welcome mail: its texts by locale; user input is always escaped."""

import re
import unicodedata
from pathlib import Path

import msgspec

from fanout.integrations.mail import Mail
from fanout.integrations.mail_templates import MailTemplates, filled

# Mail clients turn text that looks like a link into one, also in plain text. A name that contains a link would let an
# attacker who registers another person's address send that link through us.
_LINK = re.compile(r"://|[@\\/]|\w\.\w{2,}")
_LONGEST_NAME = 100

# Control characters, direction overrides, private-use characters. Joiners are part of scripts and emoji.
_INVISIBLE = {"Cc", "Cf", "Co", "Cs"}
_JOINERS = "\u200c\u200d"


class _Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a locale's file holds: plain text with $name, $plan and $product."""

    subject: str
    greeting: str
    greeting_without_name: str
    paragraphs: list[str]
    closing: str


_TEMPLATES = MailTemplates(Path(__file__).parent / "mail_templates", _Words)


def render(*, locale: str | None, name: str, plan: str, product: str) -> Mail:
    """Return the welcome mail for a user.

    locale: as in the contract. The text is in the closest language that has a file, else in English.
    """
    written_in, words = _TEMPLATES.words(locale)
    addressee = presentable(name)
    greeting = words.greeting if addressee else words.greeting_without_name
    facts = {"name": addressee, "plan": plan, "product": " ".join(product.split())}
    body = [filled(line, facts) for line in (greeting, *words.paragraphs, words.closing)]
    return _TEMPLATES.mail(written_in, filled(words.subject, facts), body)


def presentable(name: str) -> str:
    """Return the name on one line for the greeting; "" if it contains a link or is too long."""
    visible = "".join(
        " " if char.isspace() else char
        for char in name
        if char.isspace() or char in _JOINERS or unicodedata.category(char) not in _INVISIBLE
    )
    one_line = " ".join(visible.split())
    return "" if len(one_line) > _LONGEST_NAME or _LINK.search(one_line) else one_line
