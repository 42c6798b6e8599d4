"""Cutting texts: by the receiver's measure, and never inside of what a reader sees as one character."""

import pytest

from system_alerts.domain import text_length


@pytest.mark.parametrize(
    "characters",
    [
        pytest.param(["a", "b", "c"], id="letters"),
        pytest.param(["e\u0301", "a\u0308\u0304", "x"], id="combining marks"),
        pytest.param(["😀", "👍🏽", "😀"], id="emoji, one with a skin tone"),
        pytest.param(["👩\u200d👩\u200d👧\u200d👦", "🏳\ufe0f\u200d🌈", "❤\ufe0f"], id="joined emoji"),
        pytest.param(["🇩🇪", "🇫🇷", "🇮🇹"], id="flags"),
        pytest.param(["🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "x"], id="a flag of tags"),
        pytest.param(["\r\n", "a", "\r\n"], id="line breaks"),
        pytest.param(["\u1112\u1161\u11ab", "\u1100\u1173\u11af"], id="Hangul in parts"),
        pytest.param(["क्षि", "न", "नी"], id="Devanagari"),
        pytest.param(["กำ", "ที่", "ก"], id="Thai"),
    ],
)
def test_a_text_is_never_cut_inside_a_character(characters: list[str]) -> None:
    text = "".join(characters)
    whole = {"".join(characters[:count]) for count in range(len(characters) + 1)}
    for cost in (len, text_length.utf16):
        size = text_length.measure(text, cost)
        found = [text_length.cut(text, room, cost, "|") for room in range(1, size)]
        assert {each.removesuffix("|") for each in found} <= {each.rstrip() for each in whole}
        assert all(text_length.measure(each, cost) <= room for room, each in enumerate(found, 1))
        assert text_length.cut(text, size, cost, "|") == text
        fitting = [each for each in whole if text_length.measure(each, cost) <= size - 2]
        assert found[-1] == max(fitting, key=len).rstrip() + "|", "as much as fits"


def test_a_character_with_endless_combining_marks_is_cut_like_any_text() -> None:
    assert len(text_length.cut("a" + "\u0301" * 5_000, 500)) > 450


def test_the_text_is_empty_if_the_ellipsis_does_not_fit() -> None:
    assert text_length.cut("abcdef", 2) == ""
    assert text_length.cut("abcdef", -5) == ""


@pytest.mark.parametrize(
    ("text", "prefix", "expected"),
    [
        pytest.param("x" * 160, "", "x" * 160, id="one segment"),
        pytest.param("x" * 161, "", "x" * 157 + "...", id="one too many"),
        pytest.param("{" * 80, "", "{" * 80, id="two septets each"),
        pytest.param("{" * 81, "", "{" * 78 + "...", id="two septets each, one too many"),
        pytest.param("€" * 79 + "xx", "", "€" * 79 + "xx", id="euro signs"),
        pytest.param("äöüñ" * 40, "", "äöüñ" * 40, id="letters of GSM 03.38"),
        pytest.param("x" * 153, "ALERTS> ", "x" * 149 + "...", id="behind a prefix"),
        pytest.param("ł" * 70, "", "ł" * 70, id="one segment of UCS-2"),
        pytest.param("ł" * 71, "", "ł" * 67 + "...", id="one too many of UCS-2"),
        pytest.param("😀" * 36, "", "😀" * 33 + "...", id="surrogate pairs"),
        pytest.param("x" * 160 + "ł", "", "x" * 157 + "...", id="foreign letters behind the cut do not count"),
        pytest.param("ł" + "x" * 100, "> ", "ł" + "x" * 64 + "...", id="UCS-2 behind a prefix"),
    ],
)
def test_an_sms_is_one_segment(text: str, prefix: str, expected: str) -> None:
    assert text_length.cut_to_sms(text, prefix) == expected
