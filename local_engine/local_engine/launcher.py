"""The engine's process: runs in the engine's own environment, which has ministack and boto3 only.

Started by `local_engine.process`, by file path. It detaches itself, waits for the word to go on,
applies our patches and serves on the socket it inherited until SIGTERM.
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


_LOOK_SECONDS = 1.0


def main() -> None:
    """Detach, and in the detached process serve until a signal ends it."""
    parser = argparse.ArgumentParser(description="One local engine, for the fanout command")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--socket", type=int, required=True)
    parser.add_argument("--unpatched", action="store_true")
    arguments = parser.parse_args()
    _detach()
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    _serve(arguments.socket, arguments.state, patched=not arguments.unpatched)


def _detach() -> None:
    """Become nobody's child, tell our pid, and wait until the starter has written it down."""
    pid = os.fork()
    if pid:
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        os._exit(0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if sys.stdin.readline() != "go\n":
        os._exit(1)  # the starter died: nobody would know of us
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
    asyncio.run(_until_told(config, state, patched=patched))


async def _until_told(config: "Config", state: Path, *, patched: bool) -> None:
    from hypercorn.asyncio import serve  # noqa: PLC0415
    from ministack.app import app  # noqa: PLC0415
    from ministack.core import lambda_runtime  # noqa: PLC0415

    told = asyncio.Event()
    told_again = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell() -> None:
        (told_again if told.is_set() else told).set()

    async def until_quiet() -> None:
        await told.wait()
        if patched:
            from local_engine.compat import clean_stop  # noqa: PLC0415

            await clean_stop.quiesce(told_again)

    async def while_the_state_is_there() -> None:
        while (state / "engine.json").exists():
            await asyncio.sleep(_LOOK_SECONDS)
        # Somebody deleted the folder. Nobody could find and stop us any more, and saving would
        # bring half of it back.
        lambda_runtime.reset()
        os._exit(1)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell)
    watch = loop.create_task(while_the_state_is_there())
    await serve(app, config, shutdown_trigger=until_quiet)
    watch.cancel()
    lambda_runtime.reset()
    logging.shutdown()
    # The state is written. Threads that still wait for a function must not keep the process.
    os._exit(0)


def _allow_many_connections() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main()
