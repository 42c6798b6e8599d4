"""`fanout.attribute_values` against boto3."""

from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from fanout.attribute_values import deserialize, serialize

NUMBERS = st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.integers(10**37, 10**39)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=5) | st.binary(max_size=5)
VALUES = st.recursive(
    SCALARS
    | st.floats()
    | st.sets(st.text(max_size=3))
    | st.sets(st.integers())
    | st.sets(st.binary(max_size=3))
    | st.complex_numbers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def outcome(function: Any, value: Any) -> Any:
    """What a function returns or the type of what it raises; sets and boto3's Binary made comparable."""
    try:
        return comparable(function(value))
    except Exception as error:
        return type(error)


def comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: sorted(inner) if name in {"SS", "NS", "BS"} else comparable(inner) for name, inner in value.items()
        }
    if isinstance(value, list):
        return [comparable(part) for part in value]
    if isinstance(value, Binary):
        return value.value
    return {comparable(part) for part in value} if isinstance(value, set) else value


@given(VALUES)
def test_a_value_is_serialized_as_boto3_serializes_it(value: Any) -> None:
    assert outcome(serialize, value) == outcome(TypeSerializer().serialize, value)


@given(VALUES)
def test_an_attribute_value_is_deserialized_as_boto3_deserializes_it(value: Any) -> None:
    try:
        made = TypeSerializer().serialize(value)
    except Exception:
        return
    assert outcome(deserialize, made) == outcome(TypeDeserializer().deserialize, made)


@pytest.mark.parametrize("value", [{"a", 1}, {True, "a"}, {1, b"a"}, {None}, {(1,)}, frozenset(), object()])
def test_what_is_no_attribute_value_is_refused_as_boto3_refuses_it(value: Any) -> None:
    assert outcome(serialize, value) == outcome(TypeSerializer().serialize, value)


@pytest.mark.parametrize("value", ["NaN", "-NaN", "sNaN", "Infinity", "-Infinity"])
def test_a_number_that_is_not_finite_is_refused(value: str) -> None:
    with pytest.raises(TypeError):
        serialize(Decimal(value))


@pytest.mark.parametrize("value", [{}, {"X": 1}, {"N": "1" * 40}])
def test_what_is_no_attribute_value_is_not_read(value: Any) -> None:
    assert outcome(deserialize, value) == outcome(TypeDeserializer().deserialize, value)
