"""The rows of a CSV file (RFC 4180) as they come in blocks of bytes, each with its place in the file. No I/O.

Rows are told apart by Python's csv module and not by counting quotes: what planning takes for one row, processing
reads as the same row. Both read a file from the beginning of a row on, so they agree whatever the row holds. A
malformed row is a row too: it ends where its line does, and the next one is read as if nothing had been.
"""

import csv
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from problems import JobProblemError

BOM = b"\xef\xbb\xbf"
LONGEST_LINE = 1 << 20
"""A line without an end is no line of a CSV file, and must not fill the memory."""


class Row(NamedTuple):
    """One row. A row over several lines, by line breaks in quotes, is one row."""

    end: int
    """The byte after its last one, counted from where reading began."""
    fields: list[str]
    """Its bytes as Latin-1, see `decoded`; empty for a blank line and for a malformed row."""
    problem: str = ""
    """Why it is malformed; empty if it is not."""


def rows(blocks: Iterable[bytes], delimiter: str) -> Iterator[Row]:
    """Yield every row. Raises JobProblemError if this is no text or has no lines."""
    end = 0

    def lines() -> Iterator[str]:
        nonlocal end
        for line in _lines(blocks):
            end += len(line)
            # Delimiters, quotes and line ends are ASCII, and UTF-8 uses no ASCII byte for anything else: rows can be
            # told apart before it is known whether each of them is good UTF-8.
            yield line.decode("latin-1")

    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(end, [], f"malformed: {error}")
        else:
            yield Row(end, fields)


def decoded(fields: list[str]) -> list[str]:
    """Return the fields of a row as the text they are. Raises UnicodeDecodeError if one is not UTF-8."""
    return [field if field.isascii() else field.encode("latin-1").decode() for field in fields]


def _lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut blocks into lines, each with its end: LF, CR LF, or CR alone as in files of old spreadsheets."""
    rest = b""
    for block in blocks:
        if b"\0" in block:
            raise JobProblemError("not_csv", "the input holds a NUL byte: it is no text in UTF-8")
        lines = (rest + block).splitlines(keepends=True)
        # The last line may go on in the next block, and so may a line end of two bytes.
        rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        if len(rest) > LONGEST_LINE:
            raise JobProblemError("not_csv", f"the input has a line of more than {LONGEST_LINE} bytes")
        yield from lines
    if rest:
        yield rest
