"""Print results on stdout and everything else on stderr.

stdout carries nothing but the result, so that it can be piped. Progress is a bar on a terminal and plain lines
elsewhere (a CI log shows no cursor movements).
"""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

# In a plain log, progress is one line in this many seconds.
_PLAIN_INTERVAL = 5.0
# A log or a pipe has no width of its own; a table needs one.
_PLAIN_WIDTH = 160


def console() -> "Console":
    """Return the console for results; a new one each time, because tests and pipes replace sys.stdout."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _PLAIN_WIDTH
    return Console(file=sys.stdout, soft_wrap=True, highlight=False, emoji=False, width=width)


def error_console() -> "Console":
    """Return the console for everything that is not the result."""
    from rich.console import Console

    return Console(file=sys.stderr, soft_wrap=True, highlight=False, emoji=False)


def printable(text: str, *, keep: str = "") -> str:
    r"""Return untrusted text in a form that cannot control a terminal: characters that do not print become \uXXXX.

    That is control characters, the right-to-left overrides and other invisible ones, and lone surrogates, which no
    encoding takes. keep: characters that stay as they are, such as line ends.
    """
    return "".join(each if each.isprintable() or each in keep else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[first : first + 4]}" for first in range(0, len(units), 4))


def emit_json(value: Any) -> None:
    """Print one JSON document on one line, with control characters in its strings escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    sys.stdout.write((text if text.isprintable() else printable(text)) + "\n")


def emit_json_lines(values: Iterable[Any]) -> None:
    """Print a list as JSON Lines."""
    for value in values:
        emit_json(value)


def note(text: str) -> None:
    """Print something that is not part of the result, to stderr."""
    error_console().print(text, markup=False)


class Step(Protocol):
    """One piece of work whose progress is shown."""

    def update(self, detail: str = "", *, done: int | None = None, total: int | None = None) -> None:
        """Show what is being waited for and, if known, how much is done."""


class _BarStep:
    def __init__(self, bar: "Progress", task: "TaskID") -> None:
        self._bar = bar
        self._task = task

    def update(self, detail: str = "", *, done: int | None = None, total: int | None = None) -> None:
        self._bar.update(self._task, detail=detail, completed=done, total=total)


class _PlainStep:
    def __init__(self, title: str) -> None:
        self._title = title
        self._started = self._said = time.monotonic()
        note(f"{title} ...")

    def update(self, detail: str = "", *, done: int | None = None, total: int | None = None) -> None:
        now = time.monotonic()
        if now - self._said < _PLAIN_INTERVAL:
            return
        self._said = now
        count = f" {done}/{total}" if done is not None and total is not None else ""
        note(f"{self._title}{count} ({now - self._started:.0f} s) {detail}".rstrip())


@contextmanager
def step(title: str) -> Iterator[Step]:
    """Show progress while the block runs; the yielded Step takes details and counts."""
    err = error_console()
    started = time.monotonic()
    if err.is_terminal:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}", style="dim", markup=False),
        )
        with Progress(*columns, console=err, transient=True) as bar:
            yield _BarStep(bar, bar.add_task(title, total=None, detail=""))
    else:
        yield _PlainStep(title)
    note(f"{title}: {time.monotonic() - started:.1f} s")
