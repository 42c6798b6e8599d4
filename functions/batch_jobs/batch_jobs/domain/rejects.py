"""Rejected rows, and CSV files that are safe to open.

A spreadsheet evaluates a cell that begins like a formula. So no text from an input begins like one in an output,
neither at the beginning of a cell nor where a cell would begin if the file were split at semicolons, tabs or bars:
https://owasp.org/www-community/attacks/CSV_Injection
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

HEADER = ("row", "column", "reason", "value")
# A spreadsheet with another list separator splits the file at other places.
_BEFORE_FORMULA = re.compile(r"^(?=[\t\r\n])|(^|[;|\t\r\n])(?=[ \"]*[-=+@\uff0d\uff1d\uff0b\uff20])")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?", re.ASCII)
_LONGEST_VALUE = 100


class Reject(NamedTuple):
    """One rejected row, and the reason."""

    row: int
    """As a spreadsheet counts rows: the column names are row 1."""
    column: str
    """Empty if the reason concerns the whole row."""
    reason: str
    value: str = ""


class RejectedRowError(Exception):
    """A row is rejected. `column`, `reason` and `value` as in `Reject`."""

    def __init__(self, column: str, reason: str, value: str = "") -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason
        self.value = value

    def at(self, row: int) -> Reject:
        """Return the entry of the rejects file."""
        return Reject(row, self.column, self.reason, self.value[:_LONGEST_VALUE])


def as_csv(lines: Iterable[Sequence[Any]]) -> bytes:
    """Return lines of cells as CSV in UTF-8. Texts that begin like a formula get a leading apostrophe."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([_safe(cell) for cell in line] for line in lines)
    return text.getvalue().encode()


def _safe(cell: Any) -> Any:
    if isinstance(cell, str) and not _NUMBER.fullmatch(cell):
        return _BEFORE_FORMULA.sub(r"\1'", cell)
    return cell
