"""Work that the engine does by itself, every few seconds."""

import logging
import threading
from collections.abc import Callable

_logger = logging.getLogger("fanout")


def every(seconds: float, work: Callable[[], None], name: str) -> None:
    """Do the work in the background for as long as the engine runs; a failure is logged, not the end."""

    def loop() -> None:
        never = threading.Event()
        while not never.wait(seconds):
            try:
                work()
            except Exception:
                _logger.exception("%s failed", name)

    threading.Thread(target=loop, daemon=True, name=name).start()
