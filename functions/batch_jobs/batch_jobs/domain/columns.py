"""Converts a row of csv_import: the requested columns, each with its type. No I/O."""

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from batch_jobs.domain.rejects import RejectedRowError
from fanout.contracts.batch_jobs import Column

AttributeValue = dict[str, Any]
"""A value in DynamoDB's format: {"S": "text"}. Built here, because a serializer costs as much as all the rest."""

# An item has at most 400 KB, including names.
_LARGEST_ROW = 300_000
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)
"""Together within the 38 digits that DynamoDB keeps exactly."""
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def _integer(text: str) -> AttributeValue | None:
    return {"N": text.removeprefix("+")} if _INTEGER.fullmatch(text) else None


def _decimal(text: str) -> AttributeValue | None:
    return {"N": text.removeprefix("+")} if _DECIMAL.fullmatch(text) else None


def _date(text: str) -> AttributeValue | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        date.fromisoformat(text)
    except ValueError:
        return None
    return {"S": text}


def _boolean(text: str) -> AttributeValue | None:
    return {"BOOL": text.lower() == "true"} if text.lower() in ("true", "false") else None


def _text(text: str) -> AttributeValue:
    return {"S": text}


_CHECKS: dict[str, tuple[Callable[[str], AttributeValue | None], str]] = {
    "text": (_text, ""),
    "integer": (_integer, "not an integer of up to 18 digits"),
    "decimal": (_decimal, "not a number like 1234.56, with up to 18 digits on each side"),
    "date": (_date, "not a date like 2026-11-22"),
    "boolean": (_boolean, "neither true nor false"),
}


class Columns:
    """The columns of one import, with their positions in the file."""

    def __init__(self, wanted: Sequence[Column], header: Sequence[str]) -> None:
        self._wanted = [
            (column.name, header.index(column.name), *_CHECKS[column.type], column.required) for column in wanted
        ]

    def imported(self, fields: Sequence[str]) -> dict[str, AttributeValue]:
        """Return the row's values by column, without empty ones. Raises RejectedRowError for the first invalid one."""
        values: dict[str, AttributeValue] = {}
        for name, index, check, complaint, required in self._wanted:
            text = fields[index].strip()
            if not text:
                if required:
                    raise RejectedRowError(name, "no value")
                continue
            value = check(text)
            if value is None:
                raise RejectedRowError(name, complaint, text)
            values[name] = value
        if sum(map(len, fields)) > _LARGEST_ROW // 4:  # a character is four bytes at most
            size = sum(len(str(each).encode()) for value in values.values() for each in value.values())
            if size > _LARGEST_ROW:
                raise RejectedRowError("", f"larger than {_LARGEST_ROW} bytes")
        return values
