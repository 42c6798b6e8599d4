"""Executions of state machines do what their role may not.

Symptom: a state machine whose role lacks lambda:InvokeFunction runs its functions; one that may not read a Distributed
Map's list of items reads it, and starts the map's child executions without states:StartExecution.
Cause: `stepfunctions._call_lambda`, `_s3_object_text` and `_run_distributed_map` never check the role.
Patch: each checks the role of the execution's machine first, and fails the state as AWS does.
It can go when upstream checks the role.
"""

from contextvars import ContextVar
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import stepfunctions

from local_engine.compat._permissions import role_allows

# Threads of an execution's branches and children start with a copy of its context.
_role: ContextVar[str] = ContextVar("execution_role", default="")


def apply() -> None:
    """Check the role."""
    run = stepfunctions._run_execution
    call, read, map_items = (
        stepfunctions._call_lambda,
        stepfunctions._s3_object_text,
        stepfunctions._run_distributed_map,
    )

    def run_as(execution_arn: str) -> None:
        execution = stepfunctions._executions.get(execution_arn) or {}
        machine = stepfunctions._state_machines.get(execution.get("stateMachineArn")) or {}
        _role.set(machine.get("roleArn", ""))
        run(execution_arn)

    def call_if_allowed(function: str, event: Any) -> Any:
        arn = function
        if not arn.startswith("arn:"):
            arn = f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{function}"
        _require("lambda:InvokeFunction", arn, "Lambda.AWSLambdaException")
        return call(function, event)

    def read_if_allowed(bucket: str, key: str) -> Any:
        _require("s3:GetObject", f"arn:aws:s3:::{bucket}/{key}", "States.ItemReaderFailed")
        return read(bucket, key)

    def map_if_allowed(  # noqa: PLR0917 - upstream's signature
        state: Any, raw_input: Any, effective: Any, iterator: Any, execution: dict[str, Any], context: Any
    ) -> Any:
        _require("states:StartExecution", execution["stateMachineArn"], "StepFunctions.AWSStepFunctionsException")
        return map_items(state, raw_input, effective, iterator, execution, context)

    stepfunctions._run_execution = run_as
    stepfunctions._call_lambda = call_if_allowed
    stepfunctions._s3_object_text = read_if_allowed
    stepfunctions._run_distributed_map = map_if_allowed


def _require(action: str, resource: str, error: str) -> None:
    role = _role.get()
    if role and not role_allows(role, action, resource):
        raise stepfunctions._ExecutionError(error, f"{role} is not authorized to perform: {action} on {resource}")
