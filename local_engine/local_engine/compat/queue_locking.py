"""Messages can be lost between a sender and the poller.

Symptom: under load, now and then a message that was accepted is never delivered.
Cause: `sqs._delete_messages_for_esm` and `_dlq_sweep` build a new list of a queue's messages and put it
in place of the old one, on the poller's and its batches' threads, while the event loop appends to the
old list. Only two functions take `_queues_lock`.
Patch: the lock becomes reentrant and everything that touches a queue's messages takes it.
It can go when upstream's `_act_send_message` holds the lock. There is no test that shows the fault on
the unpatched engine: it is a race of microseconds.
"""

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any

from ministack.services import sqs


def apply() -> None:
    """Make every operation on a queue's messages exclusive."""
    sqs._queues_lock = threading.RLock()
    # ReceiveMessage waits for messages without holding the lock; its single steps take it.
    for name in ("_collect_msgs", "_dlq_sweep", "_expire_retained"):
        setattr(sqs, name, _exclusive(getattr(sqs, name)))
    for action, handler in sqs._HANDLERS.items():
        if not inspect.iscoroutinefunction(handler):
            sqs._HANDLERS[action] = _exclusive(handler)


def _exclusive(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def locked(*arguments: Any, **named: Any) -> Any:
        with sqs._queues_lock:
            return function(*arguments, **named)

    return locked
