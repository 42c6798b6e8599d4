"""An accepted event has one canonical form, and a refusal does not quote the value."""

import json
import struct
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from fanout import contracts
from fanout.contracts.audit_logs import DEEPEST, LARGEST_INTEGER, AuditRecorded

GIVEN = {"tenant": "acme", "actor": "a", "action": "a.b", "resource": "r", "outcome": "success"}


def decoded(**data: Any) -> AuditRecorded:
    return contracts.decode(AuditRecorded, json.dumps({**GIVEN, **data}).encode())


def decoded_number(text: str) -> Any:
    """What the contract makes of a number written like this, deep in an entry."""
    data = json.dumps({**GIVEN, "after": {"v": [{"n": "?"}]}}).replace('"?"', text)
    after: Any = contracts.decode(AuditRecorded, data.encode()).after
    return after["v"][0]["n"]


def nested(levels: int) -> dict[str, Any]:
    """An object with that many levels in all."""
    value: Any = {}
    for _ in range(levels - 1):
        value = [value]
    return {"in": value}


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-LARGEST_INTEGER, LARGEST_INTEGER)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
        max_leaves=20,
    )
)
def test_an_accepted_value_equals_its_canonical_form(value: Any) -> None:
    event = decoded(after={"value": value})
    canonical = rfc8785.dumps(msgspec.to_builtins(event))
    # A double up to 1e21 is written without a point: the reader must know, as in JavaScript, that it is one.
    read = json.loads(canonical, parse_int=lambda text: int(text) if abs(int(text)) < 2**53 else float(text))
    assert read == msgspec.to_builtins(event)
    assert rfc8785.dumps(read) == canonical


# The vectors of RFC 8785, appendix B: the bits of a double, and how it is written.
@pytest.mark.parametrize(
    ("bits", "text"),
    [
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_numbers_are_written_as_rfc_8785_says(bits: str, text: str) -> None:
    [number] = struct.unpack(">d", bytes.fromhex(bits))
    assert rfc8785.dumps([number]).decode() == f"[{text}]"


def test_keys_are_sorted_by_their_utf_16_code_units_as_in_rfc_8785() -> None:
    keys = ["€", "\r", "\ufb33", "1", "😀", "\u0080", "ö"]
    written = json.loads(rfc8785.dumps(dict.fromkeys(keys, 0)))
    assert list(written) == ["\r", "1", "\u0080", "ö", "€", "😀", "\ufb33"]


@pytest.mark.parametrize("number", [LARGEST_INTEGER + 1, -LARGEST_INTEGER - 1, 10**40])
@pytest.mark.parametrize("inside", [lambda n: {"n": n}, lambda n: {"n": [{"m": [n]}]}])
def test_an_integer_that_a_double_cannot_hold_is_refused(number: int, inside: Any) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"2\^53-1") as refusal:
        decoded(before=inside(number))
    assert str(number) not in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    [
        "0.1000000000000000055511151231257827",
        "0.10000000000000001",
        "1.23456789012345678",
        "3.14159265358979323846264338327950288",
        "123456789012345678.5",
        "9007199254740993.0",
        "-9007199254740993.0",
        "9.007199254740993e15",
        "12345678901234567890.0",
        "4998.0000000000000001",
        "1e-400",
        "-1e-400",
        "1e-99999999999999999999",
        "123456789012345678901234567890123.0",
        "2.4703282292062327e-324",
    ],
)
def test_a_number_that_a_double_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="a double cannot hold: send it as a string") as refusal:
        decoded_number(text)
    assert text not in str(refusal.value)


@pytest.mark.parametrize("text", ["1e400", "-1.8e308", "1e99999999999999999999"])
def test_a_number_beyond_every_double_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="Number out of range"):
        decoded_number(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.1", 0.1),
        ("1.10", 1.1),
        ("0.30000000000000004", 0.1 + 0.2),
        ("4998.0", 4998.0),
        ("5e3", 5000.0),
        ("1E+21", 1e21),
        ("9007199254740991.0", 2.0**53 - 1),
        ("1.7976931348623157e308", 1.7976931348623157e308),
        ("5e-324", 5e-324),
        ("-0.0", 0.0),
        ("0.0e5", 0.0),
    ],
)
def test_a_number_that_a_double_holds_is_that_double(text: str, number: float) -> None:
    assert decoded_number(text) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_is_accepted_in_the_form_that_encoders_write(number: float) -> None:
    assert decoded_number(repr(number)) == number


def test_the_deepest_nesting_is_accepted_and_one_level_more_is_refused() -> None:
    assert rfc8785.dumps(msgspec.to_builtins(decoded(after=nested(DEEPEST - 1))))
    with pytest.raises(msgspec.ValidationError, match="deeper than 64"):
        decoded(after=nested(DEEPEST))


@pytest.mark.parametrize("address", ["192.0.2.256", "::1%eth0%", "localhost", "", "1.2.3"])
def test_an_invalid_address_is_refused_and_not_quoted(address: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="neither an IPv4") as refusal:
        decoded(source_ip=address)
    assert not address or address not in str(refusal.value)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"])
def test_an_address_of_either_kind_is_accepted(address: str) -> None:
    assert decoded(source_ip=address).source_ip == address


def test_an_unknown_field_is_refused_because_it_would_be_lost() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `reason`"):
        decoded(reason="x")
