"""The engine's process: runs in the engine's own environment, which has ministack and boto3 only.

Started by `local_engine.process`, by file path. It detaches itself, waits until the starter has
recorded it, applies the patches and serves on the socket it inherited until SIGTERM.
"""

import argparse
import asyncio
import logging
import os
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hypercorn.config import Config


_POLL_SECONDS = 1.0


def main() -> None:
    """Detach, and in the detached process serve until a signal ends it."""
    parser = argparse.ArgumentParser(description="One local engine")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--socket", type=int, required=True)
    parser.add_argument("--unpatched", action="store_true")
    arguments = parser.parse_args()
    _detach()
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    _serve(arguments.socket, arguments.state, patched=not arguments.unpatched)


def _detach() -> None:
    """Detach from the starter, print the pid, and wait until the starter has recorded it."""
    pid = os.fork()
    if pid:
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        os._exit(0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if sys.stdin.readline() != "go\n":
        os._exit(1)  # the starter ended before it recorded the pid
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _serve(socket: int, state: Path, *, patched: bool) -> None:
    # Only after the fork, in the process that serves.
    from hypercorn.config import Config  # noqa: PLC0415

    if patched:
        from local_engine import compat, strictness  # noqa: PLC0415

        compat.apply()
        strictness.apply()
    _allow_many_connections()
    config = Config()
    config.bind = [f"fd://{socket}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 2
    asyncio.run(_serve_until_stopped(config, state, patched=patched))


async def _serve_until_stopped(config: "Config", state: Path, *, patched: bool) -> None:
    from hypercorn.asyncio import serve  # noqa: PLC0415
    from ministack.app import app  # noqa: PLC0415
    from ministack.core import lambda_runtime  # noqa: PLC0415

    stop = asyncio.Event()
    stop_at_once = asyncio.Event()
    loop = asyncio.get_running_loop()

    def request_stop() -> None:
        (stop_at_once if stop.is_set() else stop).set()

    async def until_quiet() -> None:
        await stop.wait()
        if patched:
            from local_engine.compat import clean_stop  # noqa: PLC0415

            await clean_stop.quiesce(stop_at_once)

    async def while_the_state_is_there() -> None:
        while (state / "engine.json").exists():
            await asyncio.sleep(_POLL_SECONDS)
        # The folder was deleted: nothing can find and stop this process, and saving would restore half
        # of the folder.
        lambda_runtime.reset()
        os._exit(1)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, request_stop)
    watch = loop.create_task(while_the_state_is_there())
    await serve(app, config, shutdown_trigger=until_quiet)
    watch.cancel()
    lambda_runtime.reset()
    logging.shutdown()
    # The state is written. Threads that still wait for a function must not keep the process alive.
    os._exit(0)


def _allow_many_connections() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main()
