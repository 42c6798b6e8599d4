"""Splitting rows: wherever a file is cut, both sides read the same rows, and every lost row is counted."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_jobs.domain import csv_rows


def test_a_row_over_several_lines_is_one_row() -> None:
    found = list(csv_rows.rows([b'a,"b\nc\r\nd"\n1,2\n'], ","))
    assert [(row.fields, row.end) for row in found] == [(["a", "b\nc\r\nd"], 11), (["1", "2"], 15)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["unix", "windows", "old mac"])
def test_every_kind_of_line_end_ends_a_row(end: bytes) -> None:
    found = list(csv_rows.rows([end.join([b"a,b", b"1,2", b""])], ","))
    assert [row.fields for row in found] == [["a", "b"], ["1", "2"]]


def test_a_line_of_spaces_is_blank_and_a_row_without_values_is_not() -> None:
    found = list(csv_rows.rows([b'a,b\n \n   \r\n,\n""\n"x\n  \ny"\n  '], ","))
    assert [row.fields for row in found] == [["a", "b"], [], [], ["", ""], [""], ["x\n  \ny"], []]
    assert [row.fields for row in csv_rows.rows([b"\t\t\n \t\n"], "\t")] == [["", "", ""], ["", ""]]


def test_a_last_row_needs_no_line_end() -> None:
    assert [row.fields for row in csv_rows.rows([b"a\n1"], ",")] == [["a"], ["1"]]


def test_a_malformed_row_ends_with_its_line_and_affects_no_other() -> None:
    found = list(csv_rows.rows([b'1,2\n"a"b,3\n4,5\n'], ","))
    assert [row.fields for row in found] == [["1", "2"], [], ["4", "5"]]
    assert [bool(row.problem) for row in found] == [False, True, False]


def test_an_unclosed_quote_loses_a_bounded_part_of_the_file_and_counts_its_rows() -> None:
    lines = [b'1,"open\n', *(b"%d,x\n\n" % number for number in range(150_000))]
    found = [row for row in csv_rows.rows([b"".join(lines)], ",") if row.fields or row.problem]
    assert found[0].problem.startswith("malformed: field larger than field limit")
    assert found[0].end < csv_rows.LONGEST_LINE + 100
    assert found[0].lines + len(found[1:]) == 150_001
    assert found[-1].fields == ["149999", "x"]


def test_a_malformed_row_counts_its_lines_without_the_blank_ones() -> None:
    found = list(csv_rows.rows([b'1,"a\n\n2,b\r\n\r\n3,c"d\n4,d\n5,"e\n6,f\n'], ","))
    assert [(row.lines, bool(row.problem)) for row in found] == [(3, True), (1, False), (2, True)]


def test_a_field_may_be_as_long_as_a_line() -> None:
    long = "x" * (csv_rows.LONGEST_LINE - 10)
    assert [row.fields for row in csv_rows.rows([f'1,"{long}"\n'.encode()], ",")] == [["1", long]]


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ('5" nail,Bo "the" Great', ['5" nail', 'Bo "the" Great']),
        ('1, "a, b"', ["1", "a, b"]),
        (' "a", "b""c"', ["a", 'b"c']),
        ('"",  ', ["", ""]),
    ],
)
def test_a_quote_is_special_only_at_the_beginning_of_a_field(line: str, fields: list[str]) -> None:
    assert [row.fields for row in csv_rows.rows([line.encode()], ",")] == [fields]


@pytest.mark.parametrize(
    ("head", "delimiter"),
    [
        (b"", ""),
        (b"\xef\xbb\xbf", ""),
        (b"sep=;\n", ";"),
        (b"SEP=|\r\n", "|"),
        (b"sep=,\r", ","),
        (b'"sep=\t"\r\n', "\t"),
        (b"\xef\xbb\xbfsep=;\r\n", ";"),
    ],
)
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_lines_before_the_first_row_are_skipped(head: bytes, delimiter: str, size: int) -> None:
    text = head + b"a;b\n1;2\n" * 10
    found = csv_rows.start(iter([text[place : place + size] for place in range(0, len(text), size)]))
    assert (found.skipped, found.delimiter, b"".join(found.blocks)) == (len(head), delimiter, text[len(head) :])


@pytest.mark.parametrize("names", [b"sep,a\n", b"sep=;,a\n", b'"sep=;,a\n', b"sep\n", b"separator=;\n"])
def test_a_first_row_that_begins_like_a_separator_line_is_a_row(names: bytes) -> None:
    found = csv_rows.start(iter([names]))
    assert (found.skipped, found.delimiter) == (0, "")


def priced(fields: list[str]) -> bool:
    """Whether this is a row of number, name, price."""
    return len(fields) == 3 and fields[0].isdecimal() and fields[2].replace(".", "").isdecimal()


def named(fields: list[str]) -> bool:
    """Whether this is a row of three texts."""
    return len(fields) == 3


@pytest.mark.parametrize(
    ("row", "passes", "lost"),
    [
        ('1,"Ann,1.50\n2,Bo",2.50', priced, 2),
        ('"1,Ann,1.50\n2,Bo,2.50\n3,Cy,oops\n4,Di",4', priced, 4),
        ('1,"Smith, J","2,50\n2,Bo,2\n3,Cy,3"', priced, 3),
        ('1,Ann,"1\n2,Bo"', priced, 2),
        ('1,"12 Main Street\nSpringfield, IL, USA",3', priced, 0),
        ('1,"a, b, c\nd, e, f\n2,Bo,2",3', priced, 0),
        ('a,"b,c\n' + "d,e,f\n" * 3 + 'g,h",i', named, 5),
        ('"Ann","12 Main Street, Flat 3\nSpringfield, IL, USA","b"', named, 0),
        ('"Ann","Dear Bo,\n\nthanks, really.\n1\n2\n3\n4\nBye, Ann","b"', named, 0),
        ('9,"1,Ann,1.50\n2,Bo,2.50\n3,Cy,3.50\n4,Di,4.50\n5,Ed,5.50",4', priced, 0),
        ('"' + "pears, ripe, 4\n" * 20 + 'plums, ripe, 5","b","c"', named, 0),
        ('a,b,"' + "pears, ripe, 4\n" * 20 + 'plums, ripe, 5"', named, 0),
    ],
)
def test_the_rows_between_two_stray_quotes_are_distinguished_from_the_lines_of_a_text(
    row: str, passes: Callable[[list[str]], bool], lost: int
) -> None:
    [found] = csv_rows.rows([row.encode()], ",")
    assert csv_rows.count_swallowed_rows(found.fields, ",", passes, width=3) == lost


def test_the_lines_of_a_text_in_a_file_of_one_column_are_not_rows() -> None:
    def any_text(fields: list[str]) -> bool:
        return len(fields) == 1

    assert csv_rows.count_swallowed_rows(["a\nb\nc\nd\ne\nf"], ",", any_text, width=1) == 0
    assert csv_rows.count_swallowed_rows(["\n\n"], ",", any_text, width=1) == 0
    assert csv_rows.count_swallowed_rows(["1\n2"], ",", lambda fields: fields[0].isdecimal(), width=1) == 2


@given(places=st.lists(st.integers(0, 400), max_size=4), blank=st.sampled_from(["\n", "\n\n", "\r\n"]))
def test_wherever_stray_quotes_are_every_row_is_read_or_counted_as_lost(places: list[int], blank: str) -> None:
    text = "".join(f"{number},name {number},{number}.50{blank}" for number in range(20))
    for place in places:
        text = text[:place] + '"' + text[place:]
    counted = 0
    for row in csv_rows.rows([text.encode()], ","):
        lost = (
            row.lines
            if row.problem
            else row.lines > 1 and csv_rows.count_swallowed_rows(row.fields, ",", priced, width=3)
        )
        counted += lost or bool(row.fields)
    assert 20 <= counted <= 20 + len(places)  # a quote on a line of its own makes one more


def test_a_file_without_line_ends_does_not_fill_the_memory() -> None:
    taken = 0

    def endless() -> object:
        nonlocal taken
        while True:
            taken += 1
            yield b"x" * 65_536

    with pytest.raises(Exception, match="not_csv: the input has a line of more than"):
        list(csv_rows.rows(endless(), ","))
    assert taken <= 18


def test_a_nul_byte_is_not_text() -> None:
    with pytest.raises(Exception, match="not_csv"):
        list(csv_rows.rows(["größe,1\n".encode("utf-16")], ","))


field = st.text(st.sampled_from('ab",\n\r ü'), max_size=6)


@given(data=st.data(), text=st.lists(field, max_size=30).map(lambda parts: ",\n".join(parts).encode()))
def test_reading_from_the_end_of_any_row_returns_the_rows_that_follow(data: st.DataObject, text: bytes) -> None:
    rows = csv_rows.rows
    size = data.draw(st.integers(1, 12))
    blocks = [text[place : place + size] for place in range(0, len(text), size)]
    found = list(rows(blocks, ","))
    assert found == list(rows([text], ",")), "how the bytes come makes no difference"
    if found:
        cut = data.draw(st.sampled_from(found)).end
        following = [row._replace(end=row.end - cut) for row in found if row.end > cut]
        assert list(rows([text[cut:]], ",")) == following
        assert found[-1].end == len(text)
