"""The record of a state folder: the port and the process of its engine."""

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from local_engine.paths import Places

# The kernel counts start times in ticks from boot, and boot time moves a little when the clock is set.
_CLOCK_TOLERANCE = 2.0


@dataclass(frozen=True)
class EngineProcess:
    """One engine process, distinguished from a later process with the same pid."""

    pid: int
    created: float
    started_at: str

    def alive(self, state: Path) -> psutil.Process | None:
        """Return the running process, or None if it has ended, is a zombie, or is another program.

        After a crash or a reboot the pid can belong to any program, which must not be killed. So the creation time
        and the state folder in the command line have to match as well. The path of the launcher does not: another
        checkout or version may have started the engine.
        """
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            if abs(process.create_time() - self.created) > _CLOCK_TOLERANCE:
                return None
            command = process.cmdline()
        except psutil.Error:
            return None
        return process if str(state) in command else None


@dataclass(frozen=True)
class Record:
    """What `engine.json` holds; `process` is None after a stop, the port stays."""

    port: int | None = None
    process: EngineProcess | None = None


def read(places: Places) -> Record:
    """Return the record of a state folder; an empty one if there is none or it is invalid."""
    try:
        raw: Any = json.loads(places.record.read_text(encoding="utf-8"))
        process = raw.get("process")
        return Record(
            port=int(raw["port"]) if raw.get("port") else None,
            process=EngineProcess(int(process["pid"]), float(process["created"]), str(process["started_at"]))
            if process
            else None,
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        # An invalid record counts as none: the next start then names the running engine as the holder of
        # the port.
        return Record()


def write(places: Places, record: Record) -> None:
    """Replace the record atomically. Raises OSError."""
    content = {"port": record.port, "process": asdict(record.process) if record.process else None}
    fresh = places.record.with_name(f"{places.record.name}.{os.getpid()}")
    try:
        fresh.write_text(json.dumps(content) + "\n", encoding="utf-8")
        fresh.replace(places.record)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise
