"""The level that a log line names, in the forms of common loggers.

A word counts where a logger writes its level: after a timestamp, a process, a logger's name, in brackets or between
delimiters. In the middle of a sentence ("no errors found", "error_count=0") it does not.
"""

import re
from typing import Any

from fanout import log_entry
from fanout.contracts.application_logs import Level

_LETTERS: dict[str, Level] = {
    **dict.fromkeys("TVD", "DEBUG"),
    **dict.fromkeys("IN", "INFO"),
    "W": "WARNING",
    "E": "ERROR",
    **dict.fromkeys("FC", "CRITICAL"),
}
# https://www.rfc-editor.org/rfc/rfc5424#section-6.2.1
SYSLOG: tuple[Level, ...] = ("CRITICAL", "CRITICAL", "CRITICAL", "ERROR", "WARNING", "INFO", "INFO", "DEBUG")
"""The levels of syslog's severities, which GELF has too."""
# pino and bunyan, Monolog, java.util.logging, Logback. Other numbers in a field `level` may mean anything.
_NUMBERS: dict[float, Level] = {
    **{10: "DEBUG", 20: "DEBUG", 30: "INFO", 40: "WARNING", 50: "ERROR", 60: "CRITICAL"},
    **{100: "DEBUG", 200: "INFO", 250: "INFO", 300: "WARNING", 400: "ERROR", 500: "CRITICAL", 550: "CRITICAL"},
    **{600: "CRITICAL", 700: "DEBUG", 800: "INFO", 900: "WARNING", 1_000: "ERROR"},
    **{5_000: "DEBUG", 10_000: "DEBUG", 20_000: "INFO", 30_000: "WARNING", 40_000: "ERROR"},
}
_OPENTELEMETRY: tuple[Level, ...] = ("DEBUG", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_ORDER: tuple[Level, ...] = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

# A level as the value of a field: "error", "ERROR+2" (Go's slog), "WARN3" (OpenTelemetry), "[Error]".
_VALUE = re.compile(r"\W*([A-Za-z]+)(?:[+-]?\d+)?\W*")
_ANSI = re.compile(r"\x1b\[[\d;]*m")

_WORDS = "|".join(sorted(log_entry.LEVEL_WORDS, key=len, reverse=True))
_NOT_BEFORE = r"""(?<![\w.=/\\$"'`])(?<!\w-)"""
# In capitals: ERROR, ERROR: [ERROR] ERROR/MainProcess] ERRO[0000]
_CAPITALS = re.compile(rf"{_NOT_BEFORE}({_WORDS})(?=$|[\s\]):|>\[]|[/;,]\w|-\s)")
# In any case: error: [error] (error) [core:error], and alone between tabs or bars.
_ANY_CASE = re.compile(
    rf"{_NOT_BEFORE}(?:({_WORDS})(?=:\s|:$|\s+[-|]\s)|(?<=[\[(<:])({_WORDS})(?=\s*[\])>])"
    rf"|(?:(?<=[\t|])|(?<=\| )|^)({_WORDS})(?=\t|\s*\|))",
    re.IGNORECASE,
)
# A level word followed by an empty value: "error: 0", "Error: null, retries: 2".
_NOTHING = re.compile(r":\s*(?:0|none|nil|null|false|undefined|<nil>|n/a)\s*(?:[,;]|$)", re.IGNORECASE)
_BRACKETED = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|<[^<>]*>")
_TIME = re.compile(r"\d\d:\d\d|\d{4}[-/]\d\d[-/]\d\d|(?<![\w.])1\d{9}(?:\d{3})?\b")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*[,;]?")
# Words of timestamps and streams.
_IN_HEADERS = re.compile(
    "jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun|am|pm|utc|gmt|z"
    "|stdout|stderr|f|p|php",
    re.IGNORECASE,
)
# Words that make a sentence of a level word after them: "no ERROR", "found WARNING".
_IN_SENTENCES = re.compile(
    "an?|any|as|at|by|for|found:?|from|got|ha[ds]|if|i[ns]|last|log|not?|o[fnr]|set|th[ei]s?|to|was|with(?:out)?|zero",
    re.IGNORECASE,
)
_MOST_TOKENS = 10
_LONGEST_HEADER = 400

_SYSLOG_PRIORITY = re.compile(r"<(\d{1,3})>")
# glog and klog (E0102 15:04:05), Ruby (E, [2026-...), Tornado ([E 260101 10:00:00 ...), Telegraf (2026-...Z E! ...).
_LETTER = re.compile(
    r"([DIWEF])\d{4}(?:\d{4})? \d\d:\d\d:|([DIWEFA]), \[\d{4}-|\[([DIWEFC]) [\d:.-]{6,} "
    r"|\d{4}[-/]\d\d[-/]\d\d[T ][\d:.]{8,}Z? ([DIWE])! "
)
# https://learn.microsoft.com/dotnet/core/extensions/console-log-formatter
_DOTNET = re.compile(r"(?:\d[\d:./TZ+ -]{4,40} )?(trce|dbug|info|warn|fail|crit): [\w.`+<>, -]+\[-?\d+\]")
# java.util.logging writes the level at the beginning of its second line.
_SECOND_LINE = re.compile(r"\A[^\n]*\n(SEVERE|WARNING|INFO|CONFIG|FINE|FINER|FINEST): ")
_MONOLOG = re.compile(rf"\[[^\[\]\n]{{1,60}}\] [\w-]+\.({_WORDS}): ")
# What programs print when they fail, without a level: Python, Java, Node.js, .NET, Go, Rust, PHP, Lambda.
_FAILURE = re.compile(
    r"(?:[A-Za-z_][\w$]*(?:\.|::))*[A-Z][\w$]*(?:Error|Exception)(?::\s|\s*$|\s*\n| \()"
    r"|(?:Exception|Caused by|Uncaught|(?:\(node:\d+\) )?Unhandled\w*)"
    r"(?::| in thread | [Ee]xception| [Pp]romise| \w+Error)"
    r"|Traceback \(most recent call last\)|thread '[^'\n]*' .{0,40}panicked at|(?:panic|fatal error): "
    r"|http: panic serving |(?:PHP )?(?:Fatal|Fatal Python|Parse|Syntax|Internal|Runtime|Unexpected) error: "
    r"|(?:\S+ )?Task timed out after [\d.]+ seconds|(?:RequestId: )?\S+ Process exited before completing request"
)
_TRACE = re.compile(
    r"^Traceback \(most recent call last\):|^(?:Caused by: )?[\w.$]*(?:Error|Exception)\b[^\n]*\n\s+at ", re.MULTILINE
)
_LEADING_TIME = re.compile(
    r"(?:\[[^\[\]\n]{1,60}\]|\d{4}[-/]\d\d[-/]\d\d[T ][\d:.,]*(?:Z| ?[+-]\d\d:?\d\d| UTC)?)[\s|:-]+"
)


def of_value(value: Any, *, is_word: bool = False) -> Level | None:
    """Return the level that the value of a field names, as a word or as a number; None if it names none.

    is_word: numbers do not count.
    """
    if isinstance(value, str):
        text = _ANSI.sub("", value[:100]).strip()
        if text.isdecimal():
            return None if is_word else _NUMBERS.get(int(text))
        found = _VALUE.fullmatch(text)
        return (log_entry.level_named(found[1]) or _LETTERS.get(found[1].upper())) if found else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return _NUMBERS.get(value) if is_number and not is_word else None


def of_syslog(value: Any) -> Level | None:
    """Return the level of one of syslog's severities, 0 to 7."""
    return SYSLOG[int(value)] if isinstance(value, int | str) and str(value) in set("01234567") else None


def of_python(value: Any) -> Level | None:
    """Return the level of a number of Python's logging."""
    return log_entry.level_numbered(value) if isinstance(value, int) else None


def of_opentelemetry(value: Any) -> Level | None:
    """Return the level of a SeverityNumber: https://opentelemetry.io/docs/specs/otel/logs/data-model/"""
    return _OPENTELEMETRY[(value - 1) // 4] if isinstance(value, int) and 1 <= value <= 24 else None


def of_text(text: str) -> Level | None:
    """Return the level that a line of plain text names; None if it names none."""
    text = _ANSI.sub("", text[:4_000]).lstrip("\ufeff\x00 \t\r\n")
    if (priority := _SYSLOG_PRIORITY.match(text)) and int(priority[1]) <= 191:
        # Docker sends every line with the same priority, whatever level the program wrote.
        named = _of_line(text[priority.end() :].lstrip())
        return max(named or "DEBUG", SYSLOG[int(priority[1]) & 7], key=_ORDER.index)
    return _of_line(text)


def _of_line(text: str) -> Level | None:
    text = text.removeprefix("NOTICE: PHP message: ")  # php-fpm's own header on what PHP writes to its error log
    if letter := _LETTER.match(text):
        return _LETTERS.get(next(filter(None, letter.groups())), "CRITICAL")  # Ruby's A is "any"
    if dotnet := _DOTNET.match(text):
        return "ERROR" if dotnet[1] == "fail" else log_entry.level_named(dotnet[1])
    second = _SECOND_LINE.match(text) or _MONOLOG.match(text)
    return (
        _in_header(text.partition("\n")[0].rstrip())
        or log_entry.level_named(second[1] if second else "")
        or _of_failure(text)
    )


def _in_header(line: str) -> Level | None:
    """Return the level in a line's header: the first word in the position of a level."""
    found = [*_CAPITALS.finditer(line, 0, _LONGEST_HEADER), *_ANY_CASE.finditer(line, 0, _LONGEST_HEADER)]
    for match in sorted(found, key=lambda each: each.start()):
        head, behind = line[: match.start()], line[match.end() :].lstrip()
        # In capitals, it may follow one plain word if there is also a time or a delimiter: "shop ERROR - empty".
        is_set_off = match.re is _CAPITALS and (behind.startswith((":", "|", "]", "-")) or bool(_TIME.search(head)))
        if plain_words(head) <= is_set_off:
            is_nothing = _NOTHING.match(line, match.end()) and not _TIME.search(head)
            return None if is_nothing else log_entry.level_named(next(filter(None, match.groups())))
    return None


def plain_words(head: str) -> int:
    """Count the words of a line's beginning that are not a time, a level or set off as a name: 0 for a header."""
    tokens = _BRACKETED.sub(" [] ", head.rstrip(" \t[(<")).split()
    has_time = _TIME.search(head) is not None
    if len(tokens) > _MOST_TOKENS or (tokens and _IN_SENTENCES.fullmatch(tokens[-1])):
        return _MOST_TOKENS
    if tokens and not has_time and all(token.isdecimal() for token in tokens):  # "0 ERROR found"
        return _MOST_TOKENS
    words = 0
    for index, token in enumerate(tokens):
        if _WORD.fullmatch(token) and not _IN_HEADERS.fullmatch(token) and token not in log_entry.LEVEL_WORDS:
            behind = tokens[index + 1 :]
            ends = [each[-1] in ":-|]>" for each in behind]
            words += not (behind[:1] in (["-"], ["|"], ["--"], ["[]"]) or (has_time and any(ends)))
    return words


def _of_failure(text: str) -> Level | None:
    """Return ERROR for an exception, a stack trace or a crash."""
    time = _LEADING_TIME.match(text)
    return "ERROR" if _FAILURE.match(text, time.end() if time else 0) or _TRACE.search(text) else None
