"""The function's deadline: the runtime stops before Lambda kills the function with its whole batch.

A killed function acknowledges nothing: handled records are delivered again, their receives count, and they end as dead
letters beside the slow one. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any


class DeadlineReached(BaseException):  # not an Exception: a handler's `except Exception` must not swallow it
    """The function's time is up; the handler was interrupted."""


_current: ContextVar["Deadline | None"] = ContextVar("deadline", default=None)


def seconds_until_killed() -> float | None:
    """Return the seconds until Lambda ends the current invocation; None outside of a handler."""
    deadline = _current.get()
    return deadline.seconds_until_killed() if deadline else None


class Deadline:
    """The time that this invocation may still work, with a reserve to release what is left."""

    def __init__(self, context: Any) -> None:
        """context: Lambda's context object.

        https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
        """
        self._remaining_ms = context.get_remaining_time_in_millis
        total: float = self._remaining_ms() / 1000
        # A tenth, at least a second if possible: the first call to SQS creates a client, which is slow.
        self._reserve = min(3.0, max(0.1 * total, min(1.0, total / 3)))
        self._is_armed = False
        self._is_enforced = False
        self._is_due = False

    def seconds_until_killed(self) -> float:
        """Return the seconds until Lambda ends the invocation."""
        return float(self._remaining_ms()) / 1000

    def seconds(self) -> float:
        """Return the seconds left for work, without the reserve. Negative after the deadline."""
        return self.seconds_until_killed() - self._reserve

    def is_over(self) -> bool:
        """Return whether half of the reserve is spent: only the response to Lambda may follow."""
        return self.seconds() <= -self._reserve / 2

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Set the timer once for the `enforced` blocks inside: setting it costs a fifth of what a record costs.

        Works in the main thread, where Lambda runs handlers; elsewhere (a test's worker thread) it does nothing.
        """
        if self._is_armed or threading.current_thread() is not threading.main_thread():
            yield
            return

        def interrupt(_signal: int, _frame: FrameType | None) -> None:
            self._is_due = True
            if self._is_enforced:
                raise DeadlineReached

        previous = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, max(self.seconds(), 0.001))
        self._is_armed = True
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)
            self._is_armed = False

    @contextmanager
    def enforced(self) -> Iterator[None]:
        """Run the block, interrupting it with DeadlineReached when the time is up, at once if it is up already."""
        token = _current.set(self)
        try:
            with self.armed():
                self._is_enforced = True
                if self._is_due:
                    raise DeadlineReached
                yield
        finally:
            self._is_enforced = False
            _current.reset(token)
