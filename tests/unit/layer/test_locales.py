"""Locales: for any notation, the event is accepted and a language is found."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanout import contracts
from fanout.event import decode, decode_data
from fanout.locales import MAX_LENGTH, canonical, lookup

EVENTS = Path(__file__).parents[3] / "events"


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("en", "en"),
        ("en-us", "en-US"),
        ("PT-BR", "pt-BR"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("zh-cmn-hans-cn", "zh-cmn-Hans-CN"),
        ("en-US-POSIX", "en-US-posix"),
        ("ca-ES-VALENCIA", "ca-ES-valencia"),
        ("de-CH-1901", "de-CH-1901"),
        ("sl-rozaj-biske-1994", "sl-rozaj-biske-1994"),
        ("de-DE-u-co-PHONEBK", "de-DE-u-co-phonebk"),
        ("en-a-abcd-x-US", "en-a-abcd-x-us"),
        ("x-klingon", "x-klingon"),
        ("pt_BR.UTF-8", "pt-BR"),
        ("de_DE@euro", "de-DE"),
        ("sr_RS.UTF-8@latin", "sr-RS"),
        ("zh_TW_#Hant", "zh-TW"),
        (" de-AT\n", "de-AT"),
        ("de-AT,de;q=0.9,en;q=0.8", "de-AT"),
    ],
)
def test_a_locale_becomes_the_bcp_47_tag_that_it_means(written: str, tag: str) -> None:
    assert canonical(written) == tag


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        *(
            ("de-", "de"),
            ("de--AT", "de"),
            ("de-!", "de"),
            ("de-ＡＴ", "de"),
            ("de-u", "de"),
            ("de-AT-abcdefghi", "de-AT"),
        ),
        *(("de\u2013AT", "de"), ("de/AT", "de"), ("de-AT\u200b", "de-AT")),
    ],
)
def test_what_follows_the_well_formed_part_of_a_locale_is_ignored(written: str, tag: str) -> None:
    assert canonical(written) == tag


@pytest.mark.parametrize(
    "written",
    [None, "", " ", "C", "C.UTF-8", "POSIX", "_GB", "d", "123", "*", "i-klingon", "ＤＥ", "한국어", "x", "x" * 300],
)
def test_without_a_well_formed_part_it_is_english(written: str | None) -> None:
    assert canonical(written) == "en"


def test_a_tag_that_is_too_long_loses_whole_subtags() -> None:
    assert canonical("de-AT-1996-u-co-phonebk-x-abcdef-12345678") == "de-AT-1996-u-co-phonebk-x-abcdef"
    assert canonical("de-AT-1996-u-co-phonebk-abcd-efg-x-12345678") == "de-AT-1996-u-co-phonebk-abcd-efg"
    assert canonical("de-abcde-abcde-abcde-u-ab-ab-ab-x-a-a") == "de-abcde-abcde-abcde-u-ab-ab-ab"


@given(st.text() | st.text(st.sampled_from("aBx1-_. ")) | st.from_regex(r"[a-z]{2}(-[a-zA-Z0-9]{1,8}){0,9}"))
def test_a_canonical_tag_is_short_ascii_and_its_own_canonical_form(written: str) -> None:
    tag = canonical(written)
    assert 2 <= len(tag) <= MAX_LENGTH
    assert tag.isascii()
    assert canonical(tag) == tag


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("de-AT", "de-AT"),
        ("de_at.UTF-8", "de-AT"),
        ("de-AT-x-a", "de-AT"),  # RFC 4647, 3.4: x is removed with the subtag after it
        ("de-Latn-AT", "de"),
        ("DE", "de"),
        ("zh-hant-tw", "zh-Hant"),
        ("zh-Hans", None),
        ("English", None),
    ],
)
def test_a_locale_loses_subtags_until_it_is_available(written: str, found: str | None) -> None:
    assert lookup(written, {"en", "de", "de-AT", "zh-Hant"}) == found


@pytest.mark.parametrize("written", ["de-at", "de_AT.UTF-8", "ca-ES-valencia", "C", "", "?", "x" * 100_000, None])
@pytest.mark.parametrize(
    ("sample", "field"),
    [
        ("user_registration/valid/ordinary", ("locale",)),
        ("order_processing/valid/ordinary", ("customer", "locale")),
        ("order_workflow/valid/ordinary", ("locale",)),
        ("order_workflow/valid/ordinary-confirmed", ("locale",)),
        ("order_workflow/valid/ordinary-cancelled", ("locale",)),
    ],
)
def test_no_locale_makes_an_event_invalid(sample: str, field: tuple[str, ...], written: str | None) -> None:
    event: dict[str, Any] = json.loads((EVENTS / f"{sample}.json").read_bytes())
    *path, last = field
    place = event["data"]
    for name in path:
        place = place[name]
    place[last] = written
    decoded = decode(json.dumps(event))
    data = decode_data(decoded, contracts.load(sample.split("/", maxsplit=1)[0])[decoded.type]).data
    for name in field:
        data = getattr(data, name)
    assert data == canonical(written)
