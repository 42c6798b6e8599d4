"""A stop of the engine fails the executions that run.

Symptom: an execution that runs while the engine is stopped is FAILED after the next start (States.ServiceRestart), and
no rule is notified; while the engine stops, executions continue to start functions.
Cause: `stepfunctions._restore_state` marks them; how far they were is not recorded.
Patch: an execution waits as soon as the engine stops, and starts over, from its first state, when the engine is up
again. On AWS it would continue where it was, so what runs here must bear its steps being taken twice, as it must on AWS
where a function may be called twice. Executions of a Distributed Map's items stay failed; the map starts new ones.
It can go when upstream continues what was running.
"""

import contextvars
import threading
from typing import Any

from ministack.core.arn import parse_arn
from ministack.core.responses import request_scope
from ministack.services import stepfunctions

from local_engine.compat import _phases

_RESTARTED = "States.ServiceRestart"
_interrupted: list[str] = []


def apply() -> None:
    """Keep executions over a restart."""
    restore, call = stepfunctions._restore_state, stepfunctions._call_lambda

    def restored(data: Any) -> None:
        restore(data)
        for execution in stepfunctions._executions.all_values():
            if execution.get("error") == _RESTARTED and not execution.get("mapRunArn"):
                execution.update(status="RUNNING", stopDate=None, error=None, cause=None)
                _interrupted.append(execution["executionArn"])

    def call_unless_stopping(function: str, event: Any) -> Any:
        _wait_if_stopping()
        try:
            return call(function, event)
        finally:
            _wait_if_stopping()  # what came back may be no more than that its worker was ended

    stepfunctions._restore_state = stepfunctions.load_persisted_state = restored
    stepfunctions._call_lambda = call_unless_stopping


def resume() -> None:
    """Start over what was interrupted."""
    while _interrupted:
        arn = _interrupted.pop()
        where = parse_arn(arn)
        with request_scope(where.account_id, where.region):
            context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(stepfunctions._run_execution, arn), daemon=True, name="execution"
        ).start()


def _wait_if_stopping() -> None:
    """Take the thread out of the way for good: the process ends soon."""
    if _phases.stopping.is_set():
        threading.Event().wait()
