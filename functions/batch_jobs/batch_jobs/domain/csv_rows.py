"""Reads the rows of a CSV file (RFC 4180) from blocks of bytes, each with its position in the file. No I/O.

Python's csv module separates the rows for planning and processing alike. Both start reading at the beginning of a row,
so they agree on every row. A malformed row ends with its line, and reading continues at the next one; `Row.lines` and
`count_swallowed_rows` say how many rows of the file it contains.

The reader is strict (text after a closing quote is an error) and skips spaces before a field, so that `1, "a, b"` has
two fields. Spaces around a value are ignored.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from batch_jobs.domain.errors import JobProblemError

LONGEST_LINE = 1 << 20
"""The limit of a line and of a field, to bound memory. A file with a longer line is not CSV."""

DELIMITERS = ",;\t|"
_BOM = b"\xef\xbb\xbf"
# Names the delimiter to Excel and is not a row. Some writers quote it.
# https://github.com/parsecsv/parsecsv-for-php/issues/60
_SEPARATOR_LINE = re.compile(rb"(\"?)sep=([^\r\n])\1(\r\n|\r|\n|\Z)", re.IGNORECASE)
_LONGEST_START = 32
_LINE_END = re.compile(r"\r\n|\r|\n")

# If all columns are text, fewer lines with matching delimiters may be an address.
_FEWEST_LINES_OF_TEXT = 5

csv.field_size_limit(LONGEST_LINE)


class Row(NamedTuple):
    """One row, which may span several lines by line breaks in quotes."""

    end: int
    """The offset after its last byte, counted from where reading began."""
    fields: list[str]
    """Its bytes as Latin-1, see `decoded`; empty for a blank line and for a malformed row."""
    problem: str = ""
    """Why it is malformed; empty for a well-formed row."""
    lines: int = 1
    """The number of its lines without blank ones. For a malformed row: how many rows may be lost with it."""


class Start(NamedTuple):
    """The start of a file before its first row: a byte order mark, a line `sep=;`, both, or nothing."""

    skipped: int
    """The number of bytes before the first row."""
    delimiter: str
    """The delimiter in the `sep=` line; empty without such a line."""
    blocks: Iterable[bytes]
    """The file from its first row on."""


def start(blocks: Iterator[bytes]) -> Start:
    """Find the first row. Raises JobProblemError for a line `sep=` with an unsupported delimiter."""
    beginning = b""
    while len(beginning) < _LONGEST_START and (block := next(blocks, b"")):
        beginning += block
    skipped = len(_BOM) if beginning.startswith(_BOM) else 0
    delimiter = ""
    if found := _SEPARATOR_LINE.match(beginning, skipped):
        skipped, delimiter = found.end(), found[2].decode("latin-1")
        if delimiter not in DELIMITERS:
            raise JobProblemError("not_csv", f"the first line is sep={delimiter}; a delimiter is one of , ; tab |")
    return Start(skipped, delimiter, chain([beginning[skipped:]], blocks))


def rows(blocks: Iterable[bytes], delimiter: str) -> Iterator[Row]:
    """Yield every row. Raises JobProblemError if the input is not text or has an overlong line."""
    end = covered = 0

    def lines() -> Iterator[str]:
        nonlocal end, covered
        for line in _lines(blocks):
            end += len(line)
            covered += not _is_blank(line)
            # Delimiters, quotes and line ends are ASCII, and UTF-8 uses ASCII bytes for nothing else: rows can be
            # separated before their UTF-8 is validated.
            yield line.decode("latin-1")

    reader = csv.reader(lines(), delimiter=delimiter, strict=True, skipinitialspace=True)
    while True:
        covered = 0
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(end, [], f"malformed: {error}", covered)
        else:
            yield Row(end, fields if covered else [], "", covered)


def decoded(fields: list[str]) -> list[str]:
    """Return the decoded fields of a row. Raises UnicodeDecodeError if one is not UTF-8."""
    return [field if field.isascii() else field.encode("latin-1").decode() for field in fields]


def count_swallowed_rows(
    fields: Sequence[str], delimiter: str, passes: Callable[[list[str]], bool], *, width: int
) -> int:
    """Return how many rows of the file a multi-line row contains because of two stray quotes; 0 if it is one row.

    Such quotes pair up and make one well-formed row of everything between them. Its lines, taken alone, are then valid
    rows; the lines of a text are not. Even if each line of a text looks like a row, the first or the last has too many
    fields, because it also contains the other fields of the row.
    passes: whether fields are a valid row. width: the number of fields of a valid row.
    """
    lines: list[list[str]] = [[]]
    for field in fields:
        first, *others = _LINE_END.split(field)
        lines[-1] += first.split(delimiter) if others else [field]
        lines += [line.split(delimiter) for line in others]
    lines = [line for line in lines if line != [""]]
    alike = sum(map(passes, lines))
    is_good = passes(list(fields))  # a row that is rejected anyway needs less evidence
    if is_good and any(len(line) != width for line in (*lines[:1], *lines[-1:])):
        return 0
    if passes(
        ["x"] * width
    ):  # every column accepts any text: only the number of delimiters distinguishes a row from a text
        enough = len(lines) >= _FEWEST_LINES_OF_TEXT or not is_good
        found = enough and width > 1 and alike * 10 >= len(lines) * 9
    else:
        found = (alike > 1 and alike * 2 > len(lines)) if is_good else alike > 0
    return len(lines) if found else 0


def _is_blank(line: bytes) -> bool:
    """Return whether a line contains only spaces. Tabs may be delimiters."""
    return line[:1] in b" \r\n" and not line.strip(b" \r\n")


def _lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Split blocks into lines that keep their ends: LF, CR LF, or CR alone as in files of old spreadsheets."""
    rest = b""
    for block in blocks:
        if b"\0" in block:
            raise JobProblemError("not_csv", "the input contains a NUL byte, so it is not UTF-8 text")
        lines = (rest + block).splitlines(keepends=True)
        # The last line, or its two-byte end, may continue in the next block.
        rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        if len(rest) > LONGEST_LINE:
            raise JobProblemError("not_csv", f"the input has a line of more than {LONGEST_LINE} bytes")
        yield from lines
    if rest:
        yield rest
