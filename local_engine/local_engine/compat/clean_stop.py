"""A stop of the engine loses events.

Symptom: an event that is processed while the engine stops can be gone after the next start.
Cause: `app._handle_lifespan` writes one service after the other while pollers and functions continue: a
function's write is missing in the tables that were saved before it, and the message that it deleted
afterwards is missing in the queue.
Patch: before the state is written, nothing new is started and running functions may finish; their
workers are ended then. A function that does not finish in time is ended: its message stays in its
queue, its asynchronous event in the state (see `async_invocations`).
It can go when upstream's shutdown does this.
"""

import asyncio

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from local_engine.compat import _phases

_FUNCTIONS_MAY_TAKE = 30.0
_POLL = 0.01


def apply() -> None:
    """Nothing to replace: the launcher calls `quiesce`."""


async def quiesce(hurry: asyncio.Event) -> None:
    """Start nothing more and wait for what runs, until the deadline or a second signal."""
    _phases.stopping.set()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _FUNCTIONS_MAY_TAKE
    while _busy() and loop.time() < deadline and not hurry.is_set():
        await asyncio.sleep(_POLL)
    if _busy():
        lambda_svc.logger.warning("stopping: functions that still run are ended")
    await asyncio.to_thread(lambda_runtime.reset)


def _busy() -> bool:
    running: int = lambda_svc.executions_in_flight()[0]
    return running > 0 or bool(lambda_svc._esm_inflight)
