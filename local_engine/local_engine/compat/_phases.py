"""The phase of the engine between start and end, for code that runs functions by itself."""

import threading

# Every service has its state back and the server answers.
started = threading.Event()
# The engine is stopping: nothing new may begin.
stopping = threading.Event()


def working() -> bool:
    """Return whether functions may be started."""
    return started.is_set() and not stopping.is_set()
