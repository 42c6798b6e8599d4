"""Blocked words: found however they are written, and not where they are part of another word."""

import pytest

from user_interactions.domain import blocked_words


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("casino", "Casino"),
        ("casino", "the best (casino)!"),
        ("casino", "ｃａｓｉｎｏ"),
        ("casino", "𝓬𝓪𝓼𝓲𝓷𝓸"),
        ("casino", "ca\u200bsi\u00adno"),
        ("casino", "c\u0336a\u0336s\u0336i\u0336n\u0336o\u0336"),
        ("STRASSE", "straße"),
        ("straße", "STRASSE"),
        ("ΟΔΟΣ", "οδός".replace("ό", "ο")),
        ("İstanbul", "i̇stanbul"),
        ("café", "cafe\u0301 crème"),
        ("ﬁne", "FINE"),
        ("buy followers", "Buy\n\tFOLLOWERS now"),
        ("赌场", "最好的在线赌场优惠"),
        ("カジノ", "新しいカジノです"),
        ("도박", "도박을 하세요"),
        ("พนัน", "เว็บพนันออนไลน์"),
        ("казино", "Лучшее КАЗИНО!"),
        ("🍆", "x🍆x"),
        ("c++", "learn c++!"),
        ("casino", "casinos, and a casino"),
        ("हिंसा", "यह हिंसा है"),
    ],
)
def test_a_word_is_found_in_every_spelling(word: str, text: str) -> None:
    assert blocked_words.find(text, blocked_words.parse(word)) == [blocked_words.canonical(word)]


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("ass", "class, assume, bassist"),
        ("casino", "casinos"),
        ("casino", "casino_royale"),
        ("schon", "schön"),
        ("कम", "कमी"),
        ("кот", "который"),
        ("buy followers", "buy, followers"),
        ("1st", "21st"),
    ],
)
def test_part_of_another_word_does_not_match(word: str, text: str) -> None:
    assert blocked_words.find(text, blocked_words.parse(word)) == []


def test_a_list_is_separated_by_commas_and_may_be_empty() -> None:
    assert blocked_words.parse(" Casino ,, buy   followers,CASINO, \u200b") == ("casino", "buy followers")
    assert blocked_words.parse("") == ()
    assert blocked_words.find("anything", ()) == []
