"""Locales in any notation, and the best language among those available. No I/O.

BCP 47 tags in any case (RFC 5646, 2.1.1) and POSIX names (`pt_BR.UTF-8`, `C`). A locale decides only the language of a
text, so it is never a reason to reject an event: the fallback is the well-formed beginning of the locale, then English.
https://www.rfc-editor.org/rfc/rfc5646 https://www.rfc-editor.org/rfc/rfc4647
https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap08.html#tag_08_02
"""

import re
from collections.abc import Container
from itertools import takewhile
from typing import Annotated

import msgspec

DEFAULT = "en"
MAX_LENGTH = 35
"""RFC 5646, 4.4.1: the length of the longest tag without extensions."""

# Only documented: a longer text is shortened, not refused.
Locale = Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": 255})] | None
"""A locale in a contract. The contract's `__post_init__` puts it in canonical form."""

# The first character that no tag has: here begin a POSIX codeset or modifier, and an Accept-Language's second choice.
_END = re.compile(r"[^a-z0-9-]")
_SUBTAG = re.compile(r"[a-z0-9]{1,8}", re.ASCII)
# The grammar of RFC 5646, 2.1, of a tag in lower case: language, extlangs, script, region, variants, extensions,
# private use. Every \b is the end of a subtag.
_TAG = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}\b){0,3}|[a-z]{4,8})\b"
    r"(?:-[a-z]{4}\b)?(?:-(?:[a-z]{2}|[0-9]{3})\b)?(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3})\b)*"
    r"(?:-[a-wyz0-9](?:-[a-z0-9]{2,8}\b)+)*(?:-x(?:-[a-z0-9]{1,8}\b)+)?"
    r"|x(?:-[a-z0-9]{1,8}\b)+",
    re.ASCII,
)
_POSIX_DEFAULTS = {"c", "posix"}


def canonical(locale: str | None) -> str:
    """Return the well-formed beginning of a locale as a BCP 47 tag of at most 35 characters; "en" if there is none.

    en-us -> en-US, zh_hant_tw -> zh-Hant-TW, de_DE.UTF-8@euro -> de-DE, C -> en.
    """
    text = _END.split((locale or "").strip().lower().replace("_", "-"), maxsplit=1)[0]
    subtags = takewhile(_SUBTAG.fullmatch, text.split("-"))
    found = _TAG.match("-".join(subtags))
    if not found or found[0] in _POSIX_DEFAULTS:
        return DEFAULT
    tag = found[0]
    if len(tag) > MAX_LENGTH:
        tag = _truncated(tag[: MAX_LENGTH + 1])
    return _in_canonical_case(tag)


def lookup(locale: str | None, available: Container[str]) -> str | None:
    """Return the available locale that matches this one best, None if none does (RFC 4647, 3.4).

    available: in canonical form. Subtags are removed from the locale's end until it is available.
    """
    tag = canonical(locale)
    while tag and tag not in available:
        tag = _truncated(tag)
    return tag or None


def _truncated(tag: str) -> str:
    """Return the tag without its last subtag, and without singletons that would then be the last (RFC 4647, 3.4)."""
    shorter = tag.rpartition("-")[0]
    while shorter[-2:-1] == "-":
        shorter = shorter[:-2]
    return shorter


def _in_canonical_case(tag: str) -> str:
    """Return a tag with regions in upper case, scripts in title case (RFC 5646, 2.1.1). tag: in lower case."""
    subtags = tag.split("-")
    for place in range(1, len(subtags)):
        subtag = subtags[place]
        if len(subtags[place - 1]) == 1:  # extensions and private use follow, which stay in lower case
            break
        if len(subtag) == 2:
            subtags[place] = subtag.upper()
        elif len(subtag) == 4:
            subtags[place] = subtag.title()
    return "-".join(subtags)
