"""Making entries: every entry satisfies its contract, and its event fits into one SNS message."""

import enum
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanout import log_entry
from fanout.contracts.application_logs import LogEntry
from fanout.event import Event, decode, decode_data, encode
from fanout.publisher import MAX_BYTES


def make(**fields: Any) -> LogEntry:
    return log_entry.make(**{"service": "checkout", "level": "INFO", "message": "hi", "context": {}, **fields})


def over_the_wire(entry: LogEntry) -> LogEntry:
    """The entry as a subscriber gets it; raises InvalidEvent if the contract does not allow it."""
    body = encode(Event.new(entry, source="urn:fanout:logs:" + "x" * 200))
    assert len(body) <= MAX_BYTES
    return decode_data(decode(body), LogEntry).data


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(st.characters()) | st.integers(), inner),
    max_leaves=20,
)


@given(
    service=st.text(st.characters(), max_size=100),
    message=st.text(st.characters(), max_size=200),
    logger=st.text(st.characters(), max_size=400),
    trace_id=st.none() | st.text(st.characters(), max_size=200),
    context=st.dictionaries(st.text(st.characters()), anything, max_size=5),
)
def test_every_log_record_becomes_a_valid_entry(**fields: Any) -> None:
    over_the_wire(make(**fields))


@pytest.mark.parametrize("character", ["x", "é", "😀", "\x00", '"'])
@pytest.mark.parametrize("length", [100, 60_000, 300_000, 2_000_000])
def test_a_long_message_is_cut_to_fit_and_says_how_much_is_missing(character: str, length: int) -> None:
    received = over_the_wire(make(message=character * length)).message
    if len(received) == length:
        return
    kept, mark = received.split("… [")
    assert kept == character * len(kept)
    assert mark == f"{length - len(kept)} of {length} characters cut off]"
    assert len(json.dumps(received, ensure_ascii=False).encode()) > log_entry.MAX_ENTRY_BYTES - 1_000, (
        "no more than need be"
    )


def test_a_message_that_fits_is_left_alone() -> None:
    assert over_the_wire(make(message="x" * 250_000)).message == "x" * 250_000


def test_a_context_that_is_too_large_is_cut_and_the_message_kept() -> None:
    context = {f"field_{number}": "y" * 16_000 for number in range(40)}
    received = over_the_wire(make(message="m" * 300_000, context=context))
    assert received.context["field_0"] == "y" * 16_000
    assert received.context["…"] == f"{40 - len(received.context) + 1} fields cut off"
    assert len(received.message) > 100_000


class Colour(enum.StrEnum):
    RED = "red"


@dataclass
class Evil:
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), "nan"),
        (2**63 - 1, 2**63 - 1),
        (2**63, "9223372036854775808"),
        (-(2**70), "-1180591620717411303424"),
        pytest.param(10**4_300, hex(10**4_300), id="4,301 digits"),
        (Decimal("1.10"), "1.10"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00+00:00"),
        (b"\xff", "b'\\xff'"),
        (Colour.RED, "red"),
        ({1: (2, {3})}, {"1": [2, [3]]}),
        ("\ud800", "\\ud800"),
        (Evil(), "<Evil: RuntimeError while it was read>"),
        (ValueError("no"), "no"),
        (list(range(300)), [*range(200), "… 100 more"]),
    ],
)
def test_a_value_that_is_not_json_becomes_readable_text(value: Any, expected: Any) -> None:
    assert over_the_wire(make(context={"value": value})).context == {"value": expected}


def test_a_value_that_contains_itself_is_cut() -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    over_the_wire(make(context=loop))


def test_long_service_names_stay_unique() -> None:
    names = {log_entry.service_name("x" * 100 + str(number)) for number in range(100)}
    assert len(names) == 100
    assert all(len(name) == 64 for name in names)


@pytest.mark.parametrize(
    ("number", "level"),
    [
        (-5, "DEBUG"),
        (0, "DEBUG"),
        (10, "DEBUG"),
        (20, "INFO"),
        (25, "INFO"),
        (30, "WARNING"),
        (40, "ERROR"),
        (99, "CRITICAL"),
    ],
)
def test_numbers_between_pythons_levels_belong_to_the_lower_one(number: int, level: str) -> None:
    assert log_entry.level_numbered(number) == level
