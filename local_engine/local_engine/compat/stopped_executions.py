"""The items of a stopped execution keep running.

Symptom: after StopExecution the items of a Distributed Map that have not started yet still do, one after the other.
Cause: `stepfunctions._run_distributed_map` passes all items to a pool of threads and never checks the execution again.
Patch: an item of an execution that has ended does not start; it fails instead, without effect.
It can go when upstream aborts a stopped execution's map runs.
"""

from typing import Any

from ministack.services import stepfunctions


def apply() -> None:
    """Start nothing for an execution that has ended."""
    original = stepfunctions._run_sub_machine

    def run(states: Any, start_at: Any, given: Any, execution: Any, context: dict[str, Any]) -> Any:
        parent = stepfunctions._executions.get(context["Execution"]["Id"]) or {}
        if parent.get("status") != "RUNNING":
            raise stepfunctions._ExecutionError("States.TaskFailed", "the execution was stopped")
        return original(states, start_at, given, execution, context)

    stepfunctions._run_sub_machine = run
