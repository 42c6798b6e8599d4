"""What Step Functions refuses of definitions, roles and executions.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
https://states-language.net/spec.html
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from ministack.services import stepfunctions
from ministack.services.cloudformation import provisioners

from local_engine.strictness._refusing import Data, Refused, before, before_provisioning
from local_engine.strictness._roles import require_trust

_COMMON = {"Comment", "Type", "QueryLanguage", "Output", "Assign"}
_PATHS = {"InputPath", "OutputPath"}
_FLOW = {"Next", "End"}
_WORK = {"Parameters", "ResultSelector", "ResultPath", "Retry", "Catch", "Arguments"}
_FIELDS = {
    "Choice": _COMMON | _PATHS | {"Choices", "Default"},
    "Fail": _COMMON | {"Error", "Cause", "ErrorPath", "CausePath"},
    "Map": _COMMON
    | _PATHS
    | _FLOW
    | _WORK
    | {
        "Items",
        "ItemsPath",
        "ItemSelector",
        "ItemProcessor",
        "Iterator",
        "ItemReader",
        "ItemBatcher",
        "ResultWriter",
        "MaxConcurrency",
        "MaxConcurrencyPath",
        "ToleratedFailurePercentage",
        "ToleratedFailurePercentagePath",
        "ToleratedFailureCount",
        "ToleratedFailureCountPath",
        "Label",
    },
    "Parallel": _COMMON | _PATHS | _FLOW | _WORK | {"Branches"},
    "Pass": _COMMON | _PATHS | _FLOW | {"Result", "ResultPath", "Parameters"},
    "Succeed": _COMMON | _PATHS,
    "Task": _COMMON
    | _PATHS
    | _FLOW
    | _WORK
    | {
        "Resource",
        "TimeoutSeconds",
        "TimeoutSecondsPath",
        "HeartbeatSeconds",
        "HeartbeatSecondsPath",
        "Credentials",
    },
    "Wait": _COMMON | _PATHS | _FLOW | {"Seconds", "Timestamp", "SecondsPath", "TimestampPath"},
}
_REQUIRED = {"Choice": ("Choices",), "Parallel": ("Branches",), "Task": ("Resource",)}
_STEP = {"Map", "Parallel", "Pass", "Task", "Wait"}
_NAME = re.compile(r"[^\x00-\x1f\x7f\s<>{}\[\]?*\"#%\\^|~`$&,;:/]{1,80}")
_INPUT_LIMIT = 262_144


def apply() -> None:
    """Validate state machines, whether they come over the API or from CloudFormation, and what starts executions."""
    before(stepfunctions, "_create_state_machine", _validate_machine)
    before(stepfunctions, "_update_state_machine", _validate_change)
    before(stepfunctions, "_start_execution", _validate_execution)
    before_provisioning("AWS::StepFunctions::StateMachine", _validate_resource)


def _validate_machine(data: Data) -> None:
    _validate_name(data["name"])
    _validate_definition(data["definition"])
    _validate_role(data["roleArn"])


def _validate_change(data: Data) -> None:
    if "definition" in data:
        _validate_definition(data["definition"])
    if "roleArn" in data:
        _validate_role(data["roleArn"])


def _validate_resource(properties: Data) -> None:
    _validate_definition(provisioners._sfn_definition(properties))
    _validate_role(properties["RoleArn"])


def _validate_role(arn: str) -> None:
    message = "Neither the global service principal states.amazonaws.com, nor the regional one is authorized to assume"
    require_trust(arn, "states.amazonaws.com", Refused("AccessDeniedException", f"{message} the provided role."))


def _validate_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Refused("InvalidName", f"Invalid Name: '{name}'")


def _validate_execution(data: Data) -> None:
    if "name" in data:
        _validate_name(data["name"])
    given = data.get("input", "{}")
    if len(given.encode()) > _INPUT_LIMIT:
        raise Refused(
            "ValidationException",
            "1 validation error detected: Value at 'input' failed to satisfy constraint: "
            f"Member must have length less than or equal to {_INPUT_LIMIT}",
        )
    try:
        json.loads(given)
    except ValueError as error:
        raise Refused("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'") from error


def _validate_definition(text: str) -> None:
    try:
        definition = json.loads(text)
        problems = list(_machine_problems(definition, ""))
    except ValueError as error:
        problems = [f"INVALID_JSON_DESCRIPTION: {error}"]
    if problems:
        raise Refused("InvalidDefinition", f"Invalid State Machine Definition: '{', '.join(problems)}'")


def _machine_problems(machine: Any, at: str) -> Iterator[str]:
    if not isinstance(machine, dict) or not isinstance(machine.get("States"), dict) or not machine["States"]:
        yield _schema("The value for the field 'States' must be an object with at least one state", f"{at}/States")
        return
    states = machine["States"]
    if "StartAt" not in machine:
        yield _schema("The field 'StartAt' is required but was missing", at or "/")
        return
    reached = {machine["StartAt"]}
    if machine["StartAt"] not in states:
        yield _missing(machine["StartAt"], f"{at}/StartAt")
    for name, state in states.items():
        where = f"{at}/States/{name}"
        if len(name) > 80:
            yield _schema("State name exceeds maximum length of 80 characters", where)
        yield from _state_problems(state, where)
        for target, position in _targets(state):
            reached.add(target)
            if target not in states:
                yield _missing(target, f"{where}/{position}")
    for name in states:
        if name not in reached:
            yield f'MISSING_TRANSITION_TARGET: State "{name}" is not reachable. at {at}/States/{name}'


def _state_problems(state: Data, at: str) -> Iterator[str]:
    kind = state.get("Type")
    if kind not in _FIELDS:
        yield _schema(f"Value is not a valid state type: {kind}", f"{at}/Type")
        return
    for field in state:
        if field not in _FIELDS[kind]:
            yield _schema(f"Field is not supported: {field}", f"{at}/{field}")
    for field in _REQUIRED.get(kind, ()):
        if not state.get(field):
            yield _schema(f"The field '{field}' is required but was missing", at)
    if kind in _STEP and ("Next" in state) == ("End" in state):
        yield _schema("These fields are required, exactly one of them: [Next, End]", at)
    if kind == "Wait" and len(_FIELDS["Wait"] - _COMMON - _PATHS - _FLOW & set(state)) != 1:
        yield _schema("Exactly one of Seconds, Timestamp, SecondsPath and TimestampPath is required", at)
    yield from _work_problems(state, at)
    for position, machine in _inner_machines(state):
        yield from _machine_problems(machine, f"{at}/{position}")


def _work_problems(state: Data, at: str) -> Iterator[str]:
    resource = state.get("Resource")
    if resource is not None and not str(resource).startswith("arn:"):
        yield _schema("Value is not a valid resource ARN", f"{at}/Resource")
    timeout, heartbeat = state.get("TimeoutSeconds"), state.get("HeartbeatSeconds")
    for field, value in (("TimeoutSeconds", timeout), ("HeartbeatSeconds", heartbeat)):
        if isinstance(value, int) and value < 1:
            yield _schema("Value must be a positive integer", f"{at}/{field}")
    if isinstance(timeout, int) and isinstance(heartbeat, int) and heartbeat >= timeout:
        yield _schema("HeartbeatSeconds must be smaller than TimeoutSeconds", f"{at}/HeartbeatSeconds")
    for field in (name for name in state if name.endswith("Path") and name != "ResultPath"):
        value = state[field]
        if isinstance(value, str) and not value.startswith(("$", "States.")):
            yield _schema("Value is not a Reference Path", f"{at}/{field}")
    for field in ("Retry", "Catch"):
        rules = state.get(field) or []
        for number, rule in enumerate(rules):
            if "States.ALL" in rule.get("ErrorEquals", []) and (
                number < len(rules) - 1 or len(rule["ErrorEquals"]) > 1
            ):
                yield _schema("States.ALL must appear alone and at the end of the list", f"{at}/{field}[{number}]")
    if state.get("Type") == "Map" and not (state.get("ItemProcessor") or state.get("Iterator")):
        yield _schema("The field 'ItemProcessor' is required but was missing", at)


def _targets(state: Data) -> Iterator[tuple[str, str]]:
    if "Next" in state:
        yield state["Next"], "Next"
    if "Default" in state:
        yield state["Default"], "Default"
    for field in ("Choices", "Catch"):
        for number, rule in enumerate(state.get(field) or []):
            if "Next" in rule:
                yield rule["Next"], f"{field}[{number}]/Next"


def _inner_machines(state: Data) -> Iterator[tuple[str, Any]]:
    for field in ("ItemProcessor", "Iterator"):
        if field in state:
            yield field, state[field]
    for number, branch in enumerate(state.get("Branches") or []):
        yield f"Branches[{number}]", branch


def _schema(message: str, at: str) -> str:
    return f"SCHEMA_VALIDATION_FAILED: {message} at {at}"


def _missing(target: str, at: str) -> str:
    return f"MISSING_TRANSITION_TARGET: Missing 'Next' target: {target} at {at}"
