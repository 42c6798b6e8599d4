"""End what an interrupted or killed test session leaves running: `python reaper.py FOLDER`.

It waits for its standard input to close, which happens however the session ends, and ends every process whose command
line or environment names a file in the session's temporary folder: engines, the functions in them, PostgreSQL servers,
commands that were about to start one.
"""

import os
import sys

_SECONDS = 10.0


def main() -> None:
    """Wait for the end of the session, then end its processes until there are none."""
    folder = os.path.join(sys.argv[1], "")  # noqa: PTH118 - pathlib would drop the separator
    sys.stdin.read()
    import psutil  # noqa: PLC0415 - a session that ends by itself should not pay for it

    def left() -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if process.pid != os.getpid() and _names(process)]

    def _names(process: psutil.Process) -> bool:
        try:
            words = [*process.cmdline(), *process.environ().values()]
        except (psutil.Error, OSError):
            return False
        return any(folder in word for word in words)

    while processes := left():
        for end in (psutil.Process.terminate, psutil.Process.kill):
            for process in processes:
                try:
                    end(process)
                except psutil.NoSuchProcess:
                    continue
            _, processes = psutil.wait_procs(processes, timeout=_SECONDS)


if __name__ == "__main__":
    main()
