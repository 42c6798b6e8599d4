"""The rows of a CSV file (RFC 4180) as they come in blocks of bytes, each with its place in the file. No I/O.

Python's csv module tells rows apart, not a count of quotes: what planning takes for one row, processing reads as the
same row. Both start reading at the beginning of a row, so they agree whatever the row holds. A malformed row ends where
its line does, and reading goes on at the next line; `Row.lines` and `swallowed` say how much of the file it took along.

The reader is strict (text after a closing quote is an error) and skips spaces before a field, so that
`1, "a, b"` has two fields: spaces around a value never count in a job.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from batch_jobs.domain.errors import JobProblemError

LONGEST_LINE = 1 << 20
"""A longer line is not a line of a CSV file, and must not fill the memory. The limit of a field, too."""

DELIMITERS = ",;\t|"
_BOM = b"\xef\xbb\xbf"
# Names the delimiter to Excel and is not a row. Some writers quote it.
# https://github.com/parsecsv/parsecsv-for-php/issues/60
_SEPARATOR_LINE = re.compile(rb"(\"?)sep=([^\r\n])\1(\r\n|\r|\n|\Z)", re.IGNORECASE)
_LONGEST_START = 32
_LINE_END = re.compile(r"\r\n|\r|\n")

# Of rows that hold text only, fewer lines with as many delimiters may well be an address.
_FEWEST_LINES_OF_TEXT = 5

csv.field_size_limit(LONGEST_LINE)


class Row(NamedTuple):
    """One row. A row over several lines, by line breaks in quotes, is one row."""

    end: int
    """The byte after its last one, counted from where reading began."""
    fields: list[str]
    """Its bytes as Latin-1, see `decoded`; empty for a blank line and for a malformed row."""
    problem: str = ""
    """Why it is malformed; empty if it is not."""
    lines: int = 1
    """How many lines it covers, blank ones left out. For a malformed row: how many rows may be lost with it."""


class Start(NamedTuple):
    """What stands before the first row: a byte order mark, a line `sep=;`, both, or nothing."""

    skipped: int
    """How many bytes that is."""
    delimiter: str
    """The one that the line names; empty if there is none."""
    blocks: Iterable[bytes]
    """The file from its first row on."""


def start(blocks: Iterator[bytes]) -> Start:
    """Find the first row. Raises JobProblemError for a line `sep=` with a delimiter that no job takes."""
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
    """Yield every row. Raises JobProblemError if this is not text or has no lines."""
    end = covered = 0

    def lines() -> Iterator[str]:
        nonlocal end, covered
        for line in _lines(blocks):
            end += len(line)
            covered += not _is_blank(line)
            # Delimiters, quotes and line ends are ASCII, and UTF-8 uses no ASCII byte for anything else: rows can be
            # separated before it is known whether each of them is good UTF-8.
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
    """Return the fields of a row as the text they are. Raises UnicodeDecodeError if one is not UTF-8."""
    return [field if field.isascii() else field.encode("latin-1").decode() for field in fields]


def count_swallowed_rows(
    fields: Sequence[str], delimiter: str, passes: Callable[[list[str]], bool], *, width: int
) -> int:
    """Return how many rows of the file one row over several lines holds because of two stray quotes; 0 if none.

    Such quotes pair up and make a well-formed row of everything between them. Its lines, each taken alone, are then
    rows that the job takes; the lines of a text are not. Even if each line of a text looks like a row, the first or the
    last has too many fields, because the other fields of the row stand beside it.
    passes: whether fields are a row that the job takes. width: how many fields such a row has.
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
    if passes(["x"] * width):  # every column takes any text: only the number of delimiters tells a row from a text
        enough = len(lines) >= _FEWEST_LINES_OF_TEXT or not is_good
        found = enough and width > 1 and alike * 10 >= len(lines) * 9
    else:
        found = (alike > 1 and alike * 2 > len(lines)) if is_good else alike > 0
    return len(lines) if found else 0


def _is_blank(line: bytes) -> bool:
    """Tell whether a line holds nothing but spaces. Tabs count: they may be delimiters."""
    return line[:1] in b" \r\n" and not line.strip(b" \r\n")


def _lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut blocks into lines, each with its end: LF, CR LF, or CR alone as in files of old spreadsheets."""
    rest = b""
    for block in blocks:
        if b"\0" in block:
            raise JobProblemError("not_csv", "the input holds a NUL byte: it is not text in UTF-8")
        lines = (rest + block).splitlines(keepends=True)
        # The last line may go on in the next block, and so may a line end of two bytes.
        rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        if len(rest) > LONGEST_LINE:
            raise JobProblemError("not_csv", f"the input has a line of more than {LONGEST_LINE} bytes")
        yield from lines
    if rest:
        yield rest
