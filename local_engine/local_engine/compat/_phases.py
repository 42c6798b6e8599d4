"""Where the engine is between its start and its end; what runs functions by itself asks here."""

import threading

# Every service has its state back and the server answers.
started = threading.Event()
# The engine was told to stop: nothing new may begin.
stopping = threading.Event()


def working() -> bool:
    """Whether functions may be started."""
    return started.is_set() and not stopping.is_set()
