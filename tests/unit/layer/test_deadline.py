"""The deadline of an invocation, between its events."""

import pytest

from fanout.deadline import Deadline, DeadlineReached
from fanout.testing import LambdaContext
from tests.waiting import until


def test_a_deadline_that_passes_between_two_events_interrupts_only_the_next_one() -> None:
    deadline = Deadline(LambdaContext(timeout=0.3))
    with deadline.armed():
        with deadline.enforced():
            pass
        until(lambda: deadline.seconds() < -0.01, "the time is up", seconds=5)
        with pytest.raises(DeadlineReached), deadline.enforced():
            pytest.fail("the handler must not be called")
