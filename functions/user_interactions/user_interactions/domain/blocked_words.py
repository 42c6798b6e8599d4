"""Finds the words for which a comment is held for review, however they are written.

Words and text are compared in one canonical form: compatibility forms and ligatures are what they stand for
(Unicode NFKC: full-width letters, mathematical letters), capitals are folded (STRASSE = straße), invisible characters
and lone combining marks, as in strike-through writing, are left out, and any white space is a single space. Letters
that merely look alike in two scripts stay different.

A word is found as a whole word ("ass" not in "class"), except in writing that puts no spaces between words.
"""

import unicodedata
from functools import cache

# Combining marks that belong to no script in particular; scripts that write their vowels as marks have their own.
_LOOSE_MARKS = range(0x0300, 0x0370)
# Where words follow each other without spaces, or carry endings (Hangul): a word may begin and end anywhere.
_WITHOUT_SPACES = ("CJK ", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR", "BOPOMOFO")


@cache
def parse(words: str) -> tuple[str, ...]:
    """Return the words and phrases of a list with commas between them, in canonical form, each once."""
    return tuple(dict.fromkeys(word for each in words.split(",") if (word := canonical(each))))


def find(text: str, words: tuple[str, ...]) -> list[str]:
    """Return which of the words (from `parse`) the text contains, in the order of the list."""
    searched = canonical(text)
    return [word for word in words if _contains(searched, word)]


def canonical(text: str) -> str:
    """Return the form that words are compared in."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    visible = (char for char in folded if unicodedata.category(char) != "Cf" and ord(char) not in _LOOSE_MARKS)
    return " ".join("".join(visible).split())


def _contains(text: str, word: str) -> bool:
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if not _joined(text[at - 1 : at], word[0]) and not _joined(word[-1], text[end : end + 1]):
            return True
        at = text.find(word, at + 1)
    return False


def _joined(left: str, right: str) -> bool:
    """Return whether two neighbours belong to one word. Either may be "": the end of the text."""
    return bool(left and right) and _is_of_word(left) and _is_of_word(right)


def _is_of_word(char: str) -> bool:
    """Return whether the character is part of a word that spaces delimit: a letter, digit, mark or low line."""
    if char == "_":
        return True
    return unicodedata.category(char)[0] in "LNM" and not unicodedata.name(char, "").startswith(_WITHOUT_SPACES)
