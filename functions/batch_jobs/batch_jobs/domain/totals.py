"""Aggregates the rows of a report: one line per combination of values, with the number of rows and the sums. No I/O.

Sums are exact: decimals as written, never floats.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Context, Decimal

import msgspec

from batch_jobs.domain.errors import JobProblemError
from batch_jobs.domain.rejects import RejectedRowError

MOST_GROUPS = 50_000
"""All groups are in memory when the report is written."""

_LONGEST_GROUP = 1000
"""Characters, for the same reason."""
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,9})?", re.ASCII)
# 27 digits of one number and 30 more for the count of numbers: no sum is ever rounded.
_EXACT = Context(prec=57)


class Line(msgspec.Struct):
    """One line of a report."""

    group: tuple[str, ...]
    rows: int
    sums: list[Decimal]


class Totals:
    """The lines of a report, or of one chunk's part of it."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, ...], Line] = {}

    def add(self, group: tuple[str, ...], rows: int, numbers: Sequence[Decimal]) -> None:
        """Add rows of a group, and their numbers. Raises JobProblemError if the report would have too many groups."""
        line = self._lines.get(group)
        if line is None:
            if len(self._lines) >= MOST_GROUPS:
                raise JobProblemError("too_many_groups", f"the report would have more than {MOST_GROUPS} lines")
            self._lines[group] = Line(group, rows, list(numbers))
        else:
            line.rows += rows
            line.sums = [_EXACT.add(one, other) for one, other in zip(line.sums, numbers, strict=True)]

    def lines(self) -> Iterator[Line]:
        """Yield the lines sorted by group, so that the same rows give the same report."""
        return (self._lines[group] for group in sorted(self._lines))


class Summed:
    """The columns of a file that a report groups by and sums."""

    def __init__(self, group_by: Sequence[str], summed: Sequence[str], header: Sequence[str]) -> None:
        self._groups = [header.index(name) for name in group_by]
        self._sums = [(name, header.index(name)) for name in summed]

    def of(self, fields: Sequence[str]) -> tuple[tuple[str, ...], list[Decimal]]:
        """Return a row's group and numbers. Raises RejectedRowError if a value is not a number."""
        numbers = []
        for name, index in self._sums:
            text = fields[index].strip()
            if not _NUMBER.fullmatch(text):
                raise (
                    RejectedRowError(name, "not a number like 1234.56", text)
                    if text
                    else RejectedRowError(name, "no value")
                )
            numbers.append(Decimal(text))
        group = tuple(fields[index].strip() for index in self._groups)
        if sum(map(len, group)) > _LONGEST_GROUP:
            raise RejectedRowError("", f"more than {_LONGEST_GROUP} characters to group by", group[0])
        return group, numbers
