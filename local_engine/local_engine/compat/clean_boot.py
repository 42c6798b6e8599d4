"""Functions run before the engine has its state back.

Symptom: after a restart, messages that waited are processed while tables are still missing: functions
fail, and what they do write is overwritten by the state that is loaded next.
Cause: `lambda_svc.load_persisted_state` starts the poller; `app._load_persisted_state` then continues with
the other services.
Patch: pollers, asynchronous invocations and executions wait until the engine is up.
It can go when upstream starts the poller after the last service.
"""

from ministack import app

from local_engine.compat import _phases, async_invocations, interrupted_executions


def apply() -> None:
    """Give the signal when the start is over."""
    original = app._run_ready_scripts

    async def ready() -> None:
        _phases.started.set()
        async_invocations.resume()
        interrupted_executions.resume()
        await original()

    app._run_ready_scripts = ready
