"""Telling rows apart: wherever a file is cut, both sides read the same rows."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

Modules = Callable[[str, str], ModuleType]
FOLDER = str(Path(__file__).parents[3] / "functions" / "batch_jobs")


@pytest.fixture
def csv_rows(function_module: Modules) -> ModuleType:
    return function_module("batch_jobs", "csv_rows")


def test_a_row_over_several_lines_is_one_row(csv_rows: ModuleType) -> None:
    found = list(csv_rows.rows([b'a,"b\nc\r\nd"\n1,2\n'], ","))
    assert [(row.fields, row.end) for row in found] == [(["a", "b\nc\r\nd"], 11), (["1", "2"], 15)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["unix", "windows", "old mac"])
def test_every_kind_of_line_end_ends_a_row(csv_rows: ModuleType, end: bytes) -> None:
    found = list(csv_rows.rows([end.join([b"a,b", b"1,2", b""])], ","))
    assert [row.fields for row in found] == [["a", "b"], ["1", "2"]]


def test_a_last_row_needs_no_line_end(csv_rows: ModuleType) -> None:
    assert [row.fields for row in csv_rows.rows([b"a\n1"], ",")] == [["a"], ["1"]]


def test_a_malformed_row_ends_with_its_line_and_harms_no_other(csv_rows: ModuleType) -> None:
    found = list(csv_rows.rows([b'1,2\n"a"b,3\n4,5\n'], ","))
    assert [row.fields for row in found] == [["1", "2"], [], ["4", "5"]]
    assert [bool(row.problem) for row in found] == [False, True, False]


def test_a_quote_that_is_never_closed_takes_a_bounded_part_of_the_file_with_it(csv_rows: ModuleType) -> None:
    lines = [b'1,"open\n', *(b"%d,x\n" % number for number in range(100_000))]
    found = list(csv_rows.rows([b"".join(lines)], ","))
    assert found[0].problem.startswith("malformed: field larger than field limit")
    assert found[0].end < 140_000
    assert found[-1].fields == ["99999", "x"]


def test_a_file_without_line_ends_does_not_fill_the_memory(csv_rows: ModuleType) -> None:
    taken = 0

    def endless() -> object:
        nonlocal taken
        while True:
            taken += 1
            yield b"x" * 65_536

    with pytest.raises(Exception, match="not_csv: the input has a line of more than"):
        list(csv_rows.rows(endless(), ","))
    assert taken <= 18


def test_a_nul_byte_is_no_text(csv_rows: ModuleType) -> None:
    with pytest.raises(Exception, match="not_csv"):
        list(csv_rows.rows(["größe,1\n".encode("utf-16")], ","))


field = st.text(st.sampled_from('ab",\n\r ü'), max_size=6)


@given(data=st.data(), text=st.lists(field, max_size=30).map(lambda parts: ",\n".join(parts).encode()))
def test_reading_from_the_end_of_any_row_on_gives_the_rows_that_follow(data: st.DataObject, text: bytes) -> None:
    rows = _rows()
    size = data.draw(st.integers(1, 12))
    blocks = [text[place : place + size] for place in range(0, len(text), size)]
    found = list(rows(blocks, ","))
    assert found == list(rows([text], ",")), "how the bytes come makes no difference"
    if found:
        cut = data.draw(st.sampled_from(found)).end
        following = [(row.fields, row.problem) for row in found if row.end > cut]
        assert [(row.fields, row.problem) for row in rows([text[cut:]], ",")] == following
        assert found[-1].end == len(text)


def _rows() -> Callable[..., object]:
    """The function without a fixture, which Hypothesis would not make anew for each example."""
    sys.path.insert(0, FOLDER)
    try:
        return importlib.import_module("csv_rows").rows  # type: ignore[no-any-return]
    finally:
        sys.path.remove(FOLDER)
