"""Numbers in data: exactly the integers of JSON Schema are integers, in any notation."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanout import contracts
from fanout.contracts import contract


class Item(msgspec.Struct, forbid_unknown_fields=True):
    count: Annotated[int, msgspec.Meta(ge=1, le=1000)]


@contract("numbers.tested.v1", topic="T", holds_anything=True)
class Numbers(msgspec.Struct):
    whole: int = 0
    maybe: int | None = None
    either: int | str = ""
    step: Literal[1, 2] = 1
    items: tuple[Item, ...] = ()
    by_name: dict[str, int] = {}
    by_number: dict[int, int] = {}
    share: float = 0.0
    flag: bool = False
    anything: Any = None


def decoded(data: str) -> Numbers:
    return contracts.decode(Numbers, data.encode())


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("4998.0", 4998),
        ("-4998.000", -4998),
        ("5e3", 5000),
        ("5E+3", 5000),
        ("1200e-2", 12),
        ("1.5e1", 15),
        ("0.0", 0),
        ("-0.0", 0),
        ("0e99999", 0),
        ("9007199254740993.0", 9007199254740993),
        ("1e30", 10**30),
        ("1e308", 10**308),
        ("1." + "0" * 10_000, 1),
    ],
)
def test_an_integer_is_accepted_in_any_notation(text: str, number: int) -> None:
    assert decoded(f'{{"whole":{text}}}').whole == number


@given(st.integers())
def test_any_integer_in_decimal_notation_is_read_exactly(number: int) -> None:
    assert decoded(f'{{"whole":{number}.0}}').whole == number


def test_integers_in_any_notation_are_accepted_in_every_contract() -> None:
    data = (
        '{"whole":1.0,"maybe":2.0,"either":3.0,"step":2.0,"items":[{"count":4.0},{"count":5e0}],'
        '"by_name":{"a":6.0},"by_number":{"7":8.0},"share":0.5}'
    )
    assert decoded(data) == Numbers(
        whole=1, maybe=2, either=3, step=2, items=(Item(4), Item(5)), by_name={"a": 6}, by_number={7: 8}, share=0.5
    )
    assert all(type(each.count) is int for each in decoded(data).items)


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ('{"whole":4998.5}', "$.whole"),
        ('{"whole":1.0,"items":[{"count":1.0},{"count":1.5}]}', "$.items[1].count"),
        ('{"whole":4998.0000000000000001}', "$.whole"),
        ('{"whole":1e-400}', "$.whole"),
        ('{"whole":1e-99999999999999999999}', "$.whole"),
        ('{"whole":1e400}', "$.whole"),
        ('{"whole":1.0,"maybe":1e400}', "out of range"),
        ('{"whole":1.0,"anything":[1e400]}', "out of range"),
        ('{"whole":"4998"}', "$.whole"),
        ('{"whole":"4998.0"}', "$.whole"),
        ('{"whole":true}', "$.whole"),
        ('{"whole":null}', "$.whole"),
        ('{"whole":1.0,"maybe":false}', "$.maybe"),
        ('{"whole":1.0,"flag":1.0}', "$.flag"),
        ('{"flag":1.0}', "$.flag"),
        ('{"step":3.0}', "$.step"),
        ('{"items":[{"count":0.0}]}', "$.items[0].count"),
        ('{"items":[{"count":1001.0}]}', "$.items[0].count"),
        ('{"items":[{"count":1.0,"more":1}]}', "more"),
    ],
)
def test_a_number_that_is_not_an_integer_or_out_of_range_is_refused_naming_the_field(data: str, where: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refusal:
        decoded(data)
    assert where in str(refusal.value)


def test_a_fraction_beside_an_integer_in_another_notation_is_unchanged() -> None:
    found = decoded('{"whole":1.0,"share":2.0,"anything":{"a":[0.1,3.5,"4.0",true,null]}}')
    assert found.anything == {"a": [0.1, 3.5, "4.0", True, None]}
    assert type(found.share) is float
