"""Sensitive values are masked everywhere, and nothing else is changed."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit_logs.domain import masking

KEYS = st.sampled_from(["a", "b", "card", "Password"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
DATA = st.dictionaries(KEYS, VALUES, max_size=4)
STEPS = st.sampled_from(["a", "b", "card", "password", "*", "**"])
PATHS = st.lists(STEPS, min_size=1, max_size=4).filter(lambda steps: steps[-1] != "**").map(".".join)
SETS = st.lists(PATHS, max_size=3)
quick = settings(deadline=None, max_examples=150)


@pytest.mark.guarantee("personal-data/audit-masking")
@pytest.mark.parametrize(
    ("path", "data", "masked"),
    [
        ("source_ip", {"source_ip": "192.0.2.1"}, {"source_ip": "[masked]"}),
        ("after.card.number", {"after": {"card": {"number": 4}}}, {"after": {"card": {"number": "[masked]"}}}),
        ("after.card", {"after": {"card": {"number": 4}}}, {"after": {"card": "[masked]"}}),
        ("after.number", {"after": {"card": {"number": 4}}}, {"after": {"card": {"number": 4}}}),
        ("**.number", {"after": {"card": {"number": 4}}}, {"after": {"card": {"number": "[masked]"}}}),
        ("**.number", {"number": None}, {"number": "[masked]"}),
        ("before.**.b", {"before": {"b": 1}, "b": 2}, {"before": {"b": "[masked]"}, "b": 2}),
        ("*.b", {"before": {"b": 1}, "b": 2}, {"before": {"b": "[masked]"}, "b": 2}),
        ("a.b", {"a": [{"b": 1}, [{"b": 2}], 3]}, {"a": [{"b": "[masked]"}, [{"b": "[masked]"}], 3]}),
        ("a", {"a": [1, 2]}, {"a": "[masked]"}),
        ("password", {"PassWord": "x"}, {"PassWord": "[masked]"}),
        ("straße", {"STRASSE": "x"}, {"STRASSE": "[masked]"}),
    ],
)
def test_a_path_masks_the_value_it_leads_to(path: str, data: Any, masked: Any) -> None:
    [parsed] = masking.parse(path)
    assert masking.mask(data, [parsed])[0] == masked


def test_only_paths_that_matched_are_named() -> None:
    paths = masking.parse("**.secret, after.card , **.token")
    assert masking.mask({"after": {"card": 1, "secret": 2}}, paths)[1] == ["**.secret", "after.card"]


@pytest.mark.parametrize("text", ["a..b", ".a", "a.", "a.**", "**", "ok,a.."])
def test_an_invalid_path_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="path '"):
        masking.parse(text)


def reference(data: Any, steps: list[list[str]]) -> Any:
    """The rules, read aloud: one path after the other, each `**` tried with no key and with one more."""

    def leads_here(path: list[str], keys: list[str]) -> bool:
        if not path or not keys:
            return not path and not keys
        if path[0] == "**":
            return leads_here(path[1:], keys) or leads_here(path, keys[1:])
        return path[0] in {"*", keys[0].casefold()} and leads_here(path[1:], keys[1:])

    def at(value: Any, keys: list[str]) -> Any:
        if keys and any(leads_here(path, keys) for path in steps):
            return "[masked]"
        if isinstance(value, list):
            return [at(each, keys) if not isinstance(each, list | dict) else inside(each, keys) for each in value]
        return inside(value, keys)

    def inside(value: Any, keys: list[str]) -> Any:
        if isinstance(value, dict):
            return {key: at(each, [*keys, key]) for key, each in value.items()}
        if isinstance(value, list):
            return [inside(each, keys) for each in value]
        return value

    return inside(data, [])


@quick
@given(data=DATA, paths=SETS)
def test_masking_equals_the_reference_implementation(data: Any, paths: list[str]) -> None:
    assert masking.mask(data, paths)[0] == reference(data, [path.split(".") for path in paths])


@quick
@given(data=DATA, first=SETS, second=SETS)
def test_masking_in_two_steps_equals_masking_by_all_paths_at_once(
    data: Any, first: list[str], second: list[str]
) -> None:
    at_once = masking.mask(data, [*first, *second])[0]
    assert masking.mask(masking.mask(data, first)[0], [*first, *second])[0] == at_once
