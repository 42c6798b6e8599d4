"""Reading events from a file or from standard input: one JSON document, a list of them, or JSON Lines."""

import json
import math
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from fanout.receipts import excerpt
from fanout_cli.errors import UsageError, UserError

_LONGEST_KEY = 100
# Possessive, as in fanout.event: nothing is remembered to go back to.
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)


@dataclass(frozen=True)
class Document:
    """One JSON object as it stood in the input, and where it stood, for messages about it."""

    where: str
    value: dict[str, Any]

    @property
    def json(self) -> bytes:
        """The object as compact JSON, its numbers in the text of the input.

        Raises UnicodeEncodeError for half of a surrogate pair, and RecursionError.
        """
        return msgspec.json.encode(self.value, enc_hook=_number_text)


class _Number(float):
    """A number with a fraction or an exponent, and its text: the double alone may be another number."""

    def __init__(self, text: str) -> None:
        self.text = text


def _number_text(value: Any) -> msgspec.Raw:
    if isinstance(value, _Number):
        return msgspec.Raw(value.text.encode())
    raise NotImplementedError(f"a {type(value).__name__} is not JSON")


def read_documents(name: str) -> list[Document]:
    """Return the JSON objects in the file `name` ("-": standard input).

    Raises UsageError if the file does not exist; UserError with file, line and column if it is not JSON, and if
    anything in it is JSON but not an object.
    """

    shown = "standard input" if name == "-" else name
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except FileNotFoundError:
        raise UsageError(
            f"{name}: no such file", "Give the path of a file with events, or - for standard input."
        ) from None
    except (OSError, ValueError) as error:  # a ValueError for a NUL in the name
        problem = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UsageError(f"{excerpt(name)}: {problem}", "Give the path of a file with events.") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UserError(f"{shown}, line {line}: not UTF-8 (byte {error.start})", "Save it as UTF-8.") from None
    return parse_documents(text, shown)


def parse_documents(text: str, shown: str) -> list[Document]:
    """Return the JSON objects in `text`; `shown` is what messages call it. Raises UserError."""
    if not text.strip():
        raise UserError(f"{shown} is empty", "Give one JSON event, a list of events, or one event per line.")
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    try:
        value = _loads(text)
    except json.JSONDecodeError as error:
        # JSON Lines begins with a complete document on its first line; anything else is one broken document.
        if len(lines) < 2 or not _is_json(lines[0][1]):
            _malformed(shown, error, error.lineno)
        return [_json_line(line, shown, number) for number, line in lines]
    if isinstance(value, list):
        if not value:
            raise UserError(f"{shown} holds an empty list", "Give at least one event.")
        return [_object(item, f"{shown}, entry {number}") for number, item in enumerate(value, 1)]
    return [_object(value, shown)]


def _json_line(line: str, shown: str, number: int) -> Document:
    try:
        return _object(_loads(line), f"{shown}, line {number}")
    except json.JSONDecodeError as error:
        _malformed(shown, error, number)


def _malformed(shown: str, error: json.JSONDecodeError, line: int) -> NoReturn:
    raise UserError(
        f"{shown}, line {line}, column {error.colno}: not valid JSON: {error.msg}",
        "Fix it and publish again; nothing was published.",
    ) from None


def _object(value: Any, where: str) -> Document:
    if isinstance(value, dict):
        return Document(where, value)
    kind = {str: "a string", bool: "true or false", type(None): "null", list: "a list"}.get(type(value), "a number")
    raise UserError(
        f"{where}: an event is a JSON object, this is {kind}",
        "SNS would drop it at every filtered subscription without a trace; nothing was published.",
    )


def _loads(text: str) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise json.JSONDecodeError(f"{constant} is not a JSON value", text, _place(text, constant))

    def number(written: str) -> _Number:
        if math.isinf(found := _Number(written)):
            raise json.JSONDecodeError("a number out of range", text, _place(text, written))
        return found

    try:
        return json.loads(text, parse_float=number, parse_constant=refuse, object_pairs_hook=_without_doubles)
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", text, 0) from None
    except json.JSONDecodeError:
        raise
    except DoubledKeyError as error:
        raise json.JSONDecodeError(str(error), text, 0) from None
    except ValueError:  # Python reads no integer of more than 4,300 digits
        raise json.JSONDecodeError("it holds an integer of thousands of digits", text, 0) from None


def _place(text: str, value: str) -> int:
    """Return where a value that is not a string begins: the same characters may stand in a string before it."""
    return _STRING.sub(lambda string: " " * len(string[0]), text).find(value)


class DoubledKeyError(ValueError):
    """A key stands twice in one object."""


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the object. Raises DoubledKeyError: of a duplicate key, readers take the first or the last value."""
    found = dict(pairs)
    if len(found) < len(pairs):
        doubled = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise DoubledKeyError(f"the key {json.dumps(doubled[:_LONGEST_KEY])} stands twice in one object")
    return found


def _is_json(line: str) -> bool:
    try:
        _loads(line)
    except json.JSONDecodeError:
        return False
    return True
