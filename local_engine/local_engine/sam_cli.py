"""Run the SAM CLI and keep its output."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_LINES_SHOWN = 25
# A row of the table of stack events that `sam deploy` prints.
_STACK_EVENT = re.compile(r"^(?P<status>[A-Z]+(?:_[A-Z]+)+)\s+AWS::\S+\s+(?P<resource>\S+)")


def find() -> Path | None:
    """Return the SAM CLI beside this interpreter, else the one on PATH, or None."""
    beside = Path(sys.executable).parent / "sam"
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which("sam")
    return Path(found) if found else None


def run(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    log: Path,
    show: Callable[[str], None],
) -> str | None:
    """Run a SAM command in a folder, write its output to `log`, and call `show` with each step.

    Returns None on success, else the indented end of the output. An exception (KeyboardInterrupt) ends the command.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            list(command),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        try:
            for line in process.stdout or ():
                file.write(line)
                if line.strip():
                    lines.append(line.rstrip())
                    show(_summary(line))
        except BaseException:
            process.terminate()
            raise
    return "\n".join(f"  {line}" for line in lines[-_LINES_SHOWN:]) if process.returncode else None


def _summary(line: str) -> str:
    """Return a line of SAM's output in the form shown as progress."""
    event = _STACK_EVENT.match(line.strip())
    if event:
        return f"{event['resource']}: {event['status']}"
    if line.lstrip().startswith(("Uploading to", "File with same data already exists")):
        return "uploading what was built"
    return line.strip()[:80]
