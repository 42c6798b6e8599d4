"""Measure and cut text by the limits of each channel, never inside a grapheme cluster.

SMS: https://docs.aws.amazon.com/sms-voice/latest/userguide/sms-limitations-character.html
Grapheme clusters: https://www.unicode.org/reports/tr29/
"""

import unicodedata
from collections.abc import Callable, Iterator

Cost = Callable[[str], int]
"""The cost of one code point. `len` counts each as one."""

# GSM 03.38: 3GPP TS 23.038, 6.2.1, and 6.2.1.1 for the characters that take two septets.
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("^{}\\[~]|€")
_SEGMENT_SEPTETS = 160
_SEGMENT_UCS2 = 70

_ZERO_WIDTH_JOINER = "\u200d"
# Code points that extend the cluster before them, besides Unicode's marks: joiner and non-joiner, skin tones, tags of
# flags, Thai and Lao vowels, half-width Japanese voice marks, vowels and finals of Hangul.
_EXTENDING = frozenset(
    [_ZERO_WIDTH_JOINER, "\u200c", "\u0e33", "\u0eb3", "\uff9e", "\uff9f"]
    + [chr(code) for code in (*range(0x1160, 0x1200), *range(0x1F3FB, 0x1F400), *range(0xE0020, 0xE0080))]
)
# Signs of Indic scripts that join the next consonant.
_JOINING = frozenset("\u094d\u09cd\u0acd\u0b4d\u0c4d\u0d4d")
# More marks than this on one character are noise and may be cut: https://www.unicode.org/reports/tr15/ (Stream-Safe)
_LONGEST_CHARACTER = 31


def utf16(character: str) -> int:
    """Return the UTF-16 units of a code point, the unit of SMS in UCS-2 and of many chats."""
    return 2 if ord(character) > 0xFFFF else 1


def measure(text: str, cost: Cost) -> int:
    """Return the cost of a text."""
    return sum(map(cost, text))


def cut(text: str, room: int, cost: Cost = len, mark: str = "...") -> str:
    """Return the text if it costs at most `room`, else as much of it as fits, followed by `mark`.

    Returns "" if there is no room for the mark.
    """
    if measure(text, cost) <= room:
        return text
    left = room - measure(mark, cost)
    kept: list[str] = []
    for character in _characters(text):
        left -= measure(character, cost)
        if left < 0:
            break
        kept.append(character)
    return "".join(kept).rstrip() + mark if measure(mark, cost) <= room else ""


def cut_to_sms(text: str, prefix: str = "") -> str:
    """Return as much of the text as fits one SMS segment after `prefix`.

    A segment has 160 septets if all characters are in GSM 03.38, else 70 UTF-16 units.
    """
    short = cut(text, _SEGMENT_SEPTETS - measure(prefix, _septets), _septets)
    if all(character in _GSM or character in _GSM_EXTENDED for character in prefix + short):
        return short
    return cut(text, _SEGMENT_UCS2 - measure(prefix, utf16), utf16)


def _septets(character: str) -> int:
    return 2 if character in _GSM_EXTENDED else 1


def _characters(text: str) -> Iterator[str]:
    """Split the text into grapheme clusters."""
    start = 0
    for index in range(1, len(text) + 1):
        if index == len(text) or index - start >= _LONGEST_CHARACTER or not _belongs(text, start, index):
            yield text[start:index]
            start = index


def _belongs(text: str, start: int, index: int) -> bool:
    """Return whether the code point at `index` belongs to the character that begins at `start`."""
    before, this = text[index - 1], text[index]
    if this in _EXTENDING or unicodedata.category(this).startswith("M"):
        return True
    if before == _ZERO_WIDTH_JOINER or (before, this) == ("\r", "\n"):
        return True
    if before in _JOINING:
        return unicodedata.category(this) == "Lo"
    if "\u1100" <= before <= "\u115f":
        return "\u1100" <= this <= "\u115f" or "\uac00" <= this <= "\ud7a3"
    # Two regional indicators are one flag.
    return index - start == 1 and all("\U0001f1e6" <= each <= "\U0001f1ff" for each in (before, this))
