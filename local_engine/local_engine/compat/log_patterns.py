"""Filter patterns of CloudWatch Logs match too much.

Symptom: FilterLogEvents and subscription filters take `"two words"` for two words anywhere in the line,
ignore case, and let every line through a pattern like `{ $.level = "ERROR" }`.
Cause: `cloudwatch_logs._compile_filter_pattern` and `_subscription_pattern_matches`.
Patch: quoted phrases, terms, `-term`, `?term` and JSON patterns (comparisons of `$.path` with strings that
may hold `*`, numbers, `IS NULL`, `EXISTS`, `NOT EXISTS`, joined by && and || with parentheses) as AWS
documents them. Patterns for space-delimited logs and regular expressions are refused.
It can go when upstream understands quoted phrases and JSON patterns.
"""

import fnmatch
import functools
import json
import operator
import re
from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch_logs

Matcher = Callable[[str], bool]
JsonMatcher = Callable[[Any], bool]

_TERM = re.compile(r'\s*([-?]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))')
_TOKEN = re.compile(
    r'\s*(?:(?P<path>\$(?:\.[\w-]+|\[\d+\])+)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<sign>&&|\|\||!=|>=|<=|[=<>()])'
    r"|(?P<word>[^\s()&|=<>!]+))"
)
_ABSENT = object()
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


class InvalidPatternError(ValueError):
    """A filter pattern that AWS, or this engine, does not understand."""


def apply() -> None:
    """Replace both matchers."""
    cloudwatch_logs._compile_filter_pattern = compiled
    cloudwatch_logs._subscription_pattern_matches = lambda pattern, message: compiled(pattern)(message or "")
    _refuse_invalid()


def _refuse_invalid() -> None:
    for name in ("_filter_log_events", "_put_subscription_filter"):
        original = getattr(cloudwatch_logs, name)

        def checked(data: dict[str, Any], original: Callable[..., Any] = original) -> Any:
            try:
                compiled(data.get("filterPattern") or "")
            except InvalidPatternError as error:
                return cloudwatch_logs.error_response_json("InvalidParameterException", str(error), 400)
            return original(data)

        setattr(cloudwatch_logs, name, checked)


@functools.lru_cache(maxsize=256)
def compiled(pattern: str) -> Matcher:
    """Return the predicate of a pattern. Raises InvalidPatternError."""
    pattern = (pattern or "").strip()
    if not pattern:
        return lambda _line: True
    if pattern.startswith("{"):
        return _json_pattern(pattern)
    if pattern.startswith(("[", "%")):
        raise InvalidPatternError(f"Filter patterns like {pattern!r} are not supported by the local engine.")
    return _terms(pattern)


def _terms(pattern: str) -> Matcher:
    wanted: dict[str, list[str]] = {"": [], "-": [], "?": []}
    position = 0
    while position < len(pattern):
        term = _TERM.match(pattern, position)
        if term is None:
            raise InvalidPatternError(f"Invalid filter pattern: {pattern!r}")
        sign, phrase, word = term.groups()
        wanted[sign].append(re.sub(r"\\(.)", r"\1", phrase) if phrase is not None else word)
        position = term.end()

    def matches(line: str) -> bool:
        return (
            all(term in line for term in wanted[""])
            and not any(term in line for term in wanted["-"])
            and (not wanted["?"] or any(term in line for term in wanted["?"]))
        )

    return matches


def _json_pattern(pattern: str) -> Matcher:
    if not pattern.endswith("}"):
        raise InvalidPatternError(f"Invalid filter pattern: {pattern!r}")
    condition = _Parser(pattern[1:-1]).parse()

    def matches(line: str) -> bool:
        try:
            document = json.loads(line)
        except ValueError:
            return False
        return isinstance(document, dict) and condition(document)

    return matches


class _Parser:
    """Recursive descent over `a = 1 && (b = "x" || c IS NULL)`."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        position = 0
        text = text.rstrip()
        while position < len(text):
            token = _TOKEN.match(text, position)
            if token is None:
                raise InvalidPatternError(f"Invalid filter pattern: {text!r}")
            kind = token.lastgroup or ""
            self._tokens.append((kind, token.group(kind)))
            position = token.end()
        self._text = text

    def parse(self) -> JsonMatcher:
        condition = self._either()
        if self._tokens:
            self._fail()
        return condition

    def _fail(self) -> None:
        raise InvalidPatternError(f"Invalid filter pattern: {{{self._text}}}")

    def _next(self, *expected: str) -> tuple[str, str]:
        if not self._tokens or (expected and self._tokens[0][0] not in expected):
            self._fail()
        return self._tokens.pop(0)

    def _take(self, value: str) -> bool:
        if self._tokens and self._tokens[0][1].upper() == value:
            self._tokens.pop(0)
            return True
        return False

    def _either(self) -> JsonMatcher:
        parts = [self._both()]
        while self._take("||"):
            parts.append(self._both())
        return lambda document: any(part(document) for part in parts)

    def _both(self) -> JsonMatcher:
        parts = [self._one()]
        while self._take("&&"):
            parts.append(self._one())
        return lambda document: all(part(document) for part in parts)

    def _one(self) -> JsonMatcher:
        if self._take("("):
            inside = self._either()
            if not self._take(")"):
                self._fail()
            return inside
        path = self._next("path")[1]
        if self._take("IS"):
            value = {"NULL": None, "TRUE": True, "FALSE": False}.get(self._next("word")[1].upper(), _ABSENT)
            return lambda document: _value(document, path) is value
        if self._take("EXISTS"):
            return lambda document: _value(document, path) is not _ABSENT
        if self._take("NOT"):
            if not self._take("EXISTS"):
                self._fail()
            return lambda document: _value(document, path) is _ABSENT
        return self._comparison(path)

    def _comparison(self, path: str) -> JsonMatcher:
        sign = self._next("sign")[1]
        if sign not in _COMPARISONS:
            self._fail()
        kind, text = self._next("text", "word")
        if kind == "word":
            try:
                return _compare_number(path, sign, float(text))
            except ValueError:
                pass
        if sign not in ("=", "!="):
            self._fail()
        wanted = json.loads(text) if kind == "text" else text
        return _compare_text(path, wanted, equal=sign == "=")


def _compare_number(path: str, sign: str, wanted: float) -> JsonMatcher:
    def matches(document: Any) -> bool:
        value = _value(document, path)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and _COMPARISONS[sign](value, wanted)

    return matches


def _compare_text(path: str, wanted: str, *, equal: bool) -> JsonMatcher:
    # Only `*` is special on AWS.
    glob = re.compile(fnmatch.translate(re.sub(r"([?\[])", r"[\1]", wanted)))

    def matches(document: Any) -> bool:
        value = _value(document, path)
        if value is _ABSENT or isinstance(value, dict | list):
            return False
        text = value if isinstance(value, str) else json.dumps(value)
        return bool(glob.match(text)) is equal

    return matches


def _value(document: Any, path: str) -> Any:
    for name, index in re.findall(r"\.([\w-]+)|\[(\d+)\]", path):
        if name and isinstance(document, dict) and name in document:
            document = document[name]
        elif index and isinstance(document, list) and int(index) < len(document):
            document = document[int(index)]
        else:
            return _ABSENT
    return document
