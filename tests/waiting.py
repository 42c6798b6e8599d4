"""Waiting for a condition: every test that waits waits here, with a deadline, and says what it was waiting for."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], what: str, *, seconds: float = 15, every: float = 0.02) -> T:
    """The first true value of a condition; fails the test when none comes within the deadline.

    every: seconds between two looks, more of them where looking costs the engine something.
    """
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:g} seconds; last value: {value!r}")
        time.sleep(every)
