"""Parses a log line of any common format: level, message, logger, service and trace.

JSON, also after a header, is parsed by its fields; logfmt and text that resembles JSON are searched for level and
service; any other text for its level. The fields are those of Lambda and Powertools, the Elastic Common Schema
(https://www.elastic.co/docs/reference/ecs), OpenTelemetry (https://opentelemetry.io/docs/specs/otel/logs/data-model/),
Serilog (https://github.com/serilog/serilog-formatting-compact), GELF, Logback, log4j, Monolog, loguru, structlog,
tracing (Rust), slog, zap and hclog (Go), pino, bunyan and winston.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from application_logs.domain import levels
from fanout import log_entry
from fanout.contracts.application_logs import Level

# Names as `_name` normalizes them. A dot leads into an object, unless a field has the whole name.
_LEVEL: tuple[str, ...] = (
    "level", "log.level", "severity", "levelname", "lvl", "loglevel", "severitytext", "@l", "@level",
    "level.name", "level.levelstr", "record.level.name",
)  # fmt: skip
_NUMBERED: dict[str, Callable[[Any], Level | None]] = {
    "severitynumber": levels.of_opentelemetry,
    "levelno": levels.of_python,
    "levelvalue": levels.of_value,
}
# GELF and syslog as JSON have one of these, and numbers from 0 to 7 as levels.
_SYSLOG = {"shortmessage", "facility"}
# Of these the first two are a message whatever their value is, the others only as text.
_MESSAGE = (
    "message", "msg", "@message", "@m", "renderedmessage", "@mt", "messagetemplate", "errormessage", "shortmessage",
    "event", "body", "body.stringvalue", "fields.message", "record.message", "textpayload", "log",
)  # fmt: skip
_LOGGER = ("logger", "loggername", "log.logger", "@module", "sourcecontext", "record.name")
_TRACE = ("traceid", "xraytraceid", "oteltraceid", "trace.id")
_SERVICE = ("service", "service.name", "servicename", "resource.service.name", "resource.attributes.service.name")

_JSON_DECODER = json.JSONDecoder(strict=False)
# Where a prefix may end and its JSON begin.
_LONGEST_PREFIX = 1_000
_LONGEST_PAIRS = 4_000
_MOST_TRIES = 3

_PAIR = re.compile(r"""(?<!\S)([A-Za-z_@][\w.@-]*)=("(?:[^"\\]|\\.)*"|\S*)""")
# "level": "error" in what would be JSON if it were not cut off, or in single quotes.
_QUOTED_PAIR = re.compile(r"""(["'])([\w.@-]{1,40})\1\s*:\s*(?:(["'])((?:(?!\3)[^\\\n]){1,200})\3|(\d{1,6})\b)""")

_REQUEST = r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
_PYTHON = re.compile(rf"\[([A-Z]+)\]\t{_TIME}\t{_REQUEST}\t")
_NODE = re.compile(rf"{_TIME}\t{_REQUEST}\t([A-Z]+)\t")
# "Received event: {...}": the object is an argument of the message, not the record itself.
_INTRODUCTION = re.compile(
    r"(?:=>?|(?<![^\s:>\]-])(?:([A-Z][a-z]+)(?: [A-Za-z]+){0,5}:"
    r"|(?:[A-Za-z]+ ){0,5}(?:args|body|context|data|event|headers|input|item|message|output|params|payload|record"
    r"|request|response|result)s? ?:))\s*$"
)
_FAILED = re.compile(rf"(?:{_TIME} )?(?:RequestId: )?{_REQUEST} (?:Task timed out after|Error: |Process exited)")


class Line(msgspec.Struct, kw_only=True):
    """The parsed fields of a line."""

    level: Level | None = None
    """None if the line names none."""
    message: str
    logger: str = ""
    service: str | None = None
    trace_id: str | None = None
    fields: dict[str, Any] = {}
    """All other fields."""


def read(text: str) -> Line:
    """Parse a line. Raises nothing: an unknown line is its own message."""
    prefix, fields = _object(text)
    return _from_text(text) if fields is None else _from_fields(text, prefix, fields)


def _from_fields(text: str, prefix: str, fields: dict[str, Any]) -> Line:
    before = _from_text(prefix) if prefix.strip() else Line(message="")
    index = _index(fields)
    level = _take_level(fields, index)
    message = _take(fields, index, _MESSAGE[:2], lambda value: value)
    if message is None:
        message = _take(fields, index, _MESSAGE[2:], _as_str)
    if message is None:
        kind = fields.get("type")
        message = kind if isinstance(kind, str) and kind.startswith("platform.") else text
    elif isinstance(message, str):
        level = level or before.level or _level_in(message)
    return Line(
        level=level or before.level or _level_of_failure(fields),
        message=message if isinstance(message, str) else _as_json(message),
        logger=_take(fields, index, _LOGGER, _as_text) or "",
        service=_take(fields, index, _SERVICE, _as_service),
        trace_id=_take(fields, index, _TRACE, _as_text),
        fields={**before.fields, **({"prefix": prefix.strip()} if prefix.strip() else {}), **fields},
    )


def _from_text(text: str) -> Line:
    if python := _PYTHON.match(text):
        level, message, request = log_entry.level_named(python[1]), text[python.end() :], python[2]
    elif node := _NODE.match(text):
        level, message, request = log_entry.level_named(node[2]), text[node.end() :], node[1]
    elif failed := _FAILED.match(text):
        level, message, request = "ERROR", text, failed[1]
    else:
        pairs, has_header = _pairs(text)
        index = _index(pairs)
        service = _take(pairs, index, _SERVICE, _as_service)
        named = _take_level(pairs, index)
        # A level in the header is the line's own, and comes before one among its pairs.
        level = levels.of_text(text) or named if has_header else named or levels.of_text(text)
        return Line(level=level, message=text, service=service if named else None)
    return Line(level=level, message=message, fields={"request_id": request})


def _level_in(text: str) -> Level | None:
    """Return the level of a text in a field: a container's line in `log` may be JSON again."""
    _, fields = _object(text)
    return levels.of_text(text) if fields is None else _take_level(fields, _index(fields))


def _object(text: str) -> tuple[str, dict[str, Any] | None]:
    """Return the header and the JSON object of a text that is an object or ends in one; None without an object.

    After a header an object must have a level or a message; any other is an argument of the line's message.
    """
    start = text.find("{", 0, _LONGEST_PREFIX)
    for _ in range(_MOST_TRIES):
        prefix = text[: max(start, 0)].strip("\ufeff\x00 \r\n")
        if start < 0 or not _is_header(prefix):
            break
        found = _decoded(text[start:].rstrip("\x00 \t\r\n"))
        if found is not None:
            index = _index(found)
            if not prefix or _take_level(dict(found), index) or any(name in index for name in _MESSAGE):
                return prefix, found
        start = text.find("{", start + 1, _LONGEST_PREFIX)
    return "", None


def _is_header(text: str) -> bool:
    """Return whether a line's beginning, up to its object or pairs, contains no part of the message."""
    for form in (_PYTHON, _NODE):
        if found := form.match(text):
            return not text[found.end() :].strip()
    introduction = _INTRODUCTION.search(text)
    return not levels.plain_words(text) and (
        introduction is None or (introduction[1] is not None and log_entry.level_named(introduction[1]) is not None)
    )


def _decoded(text: str) -> dict[str, Any] | None:
    """Return a JSON object, also with NaN, half a surrogate pair or control characters in its strings."""
    if not text.endswith("}"):
        return None
    try:
        found = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        try:
            found = _JSON_DECODER.decode(text)
        except (ValueError, RecursionError):
            return None
    return found if isinstance(found, dict) else None


def _pairs(text: str) -> tuple[dict[str, Any], bool]:
    """Return the pairs of logfmt, or of text that resembles JSON, at the beginning of a line or after its header.

    Also whether there is a header. The first pair of each name counts.
    """
    text = text[:_LONGEST_PAIRS].lstrip("\ufeff\x00 \t\r\n")
    first, brace = _PAIR.search(text), text.find("{", 0, _LONGEST_PREFIX)
    if brace >= 0 and _is_header(text[:brace]):
        quoted = reversed(list(_QUOTED_PAIR.finditer(text, brace)))
        return {match[2]: match[4] or int(match[5]) for match in quoted}, brace > 0
    if first and _is_header(text[: first.start()]):
        found = [(match[1], match[2].strip('"')) for match in reversed(list(_PAIR.finditer(text)))]
        # Names in capitals are of the environment: LOG_LEVEL=ERROR. A number may be the level of anything.
        return {name: value for name, value in found if not (name.isupper() or value.isdecimal())}, first.start() > 0
    return {}, False


def _name(name: str) -> str:
    """Normalize a field's name as in the tables above: log_level, logLevel and LogLevel are one."""
    return name.lower().replace("_", "").replace("-", "")


def _index(fields: dict[str, Any]) -> dict[str, str]:
    """Return the fields' names by their normalized names."""
    return {_name(name): name for name in reversed(fields)}


def _candidates(fields: Mapping[str, Any], index: Mapping[str, str], name: str) -> Iterator[tuple[str | None, Any]]:
    """Yield the values of a name, each with the field to remove if it is taken; None for one in an object."""
    if name in index:
        yield index[name], fields[index[name]]
    head, dot, rest = name.partition(".")
    inner = fields.get(index.get(head, "")) if dot else None
    if isinstance(inner, dict):
        for _, value in _candidates(inner, _index(inner), rest):
            yield None, value


def _take(
    fields: dict[str, Any], index: Mapping[str, str], names: tuple[str, ...], accept: Callable[[Any], Any]
) -> Any:
    """Remove the first of these fields whose value is accepted; return the result of `accept`, None without one."""
    for name in names:
        for field, value in _candidates(fields, index, name):
            if value is not None and (found := accept(value)) is not None:
                if field is not None:
                    fields.pop(field, None)
                return found
    return None


def _take_level(fields: dict[str, Any], index: Mapping[str, str]) -> Level | None:
    level: Level | None = _take(fields, index, _LEVEL, lambda value: levels.of_value(value, is_word=True))
    for name, accept in _NUMBERED.items():
        level = level or _take(fields, index, (name,), accept)
    level = level or _take(fields, index, _LEVEL, levels.of_value)
    # https://www.mongodb.com/docs/manual/reference/log-messages/ (structured logging)
    if level is None and {"t", "s", "c", "ctx"} <= index.keys():
        level = _take(fields, index, ("s",), levels.of_value)
    if level is None and not _SYSLOG.isdisjoint(index):
        level = _take(fields, index, _LEVEL, levels.of_syslog)
    return level


def _level_of_failure(fields: Mapping[str, Any]) -> Level | None:
    """Return ERROR for an error of a Lambda runtime, and for Lambda's report on a failed invocation.

    Only the report shows a timeout or a crash.
    """
    record = fields.get("record")
    if fields.get("type") == "platform.report" and isinstance(record, dict):
        return "ERROR" if record.get("status") in {"timeout", "error", "failure"} else None
    return "ERROR" if _as_str(fields.get("errorType")) else None


def _as_str(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _as_text(value: Any) -> str | None:
    return value or None if isinstance(value, str) else str(log_entry.plain(value))


def _as_service(value: Any) -> str | None:
    """Return a service name, unless it is the default of Powertools."""
    return value if isinstance(value, str) and value.strip() and value != "service_undefined" else None


def _as_json(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (ValueError, RecursionError, OverflowError):  # half a surrogate pair, or a number beyond 64 bits
        return msgspec.json.encode(log_entry.plain(value)).decode()
