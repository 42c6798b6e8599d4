"""What Lambda refuses of functions, aliases, mappings and destinations, and no service model shows.

https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

import json
from collections.abc import Callable
from typing import Any

from botocore import loaders
from ministack.core.responses import error_response_json
from ministack.services import lambda_svc, sqs

from local_engine.compat._permissions import role_allows_now
from local_engine.strictness._refusing import Data, Refused, before, before_provisioning
from local_engine.strictness._roles import require_trust

_ENVIRONMENT_BYTES = 4096
_LAYERS = 5
_FILTERS = 10
_SMALL_BATCH = 10
_DEFAULT_TIMEOUT = 3
_TIMEOUT = 900
_INVALID = "InvalidParameterValueException"
_BAD_REQUEST, _NOT_FOUND = 400, 404
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
_RESERVED = {
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
}
_MAPPED = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


def apply() -> None:
    """Validate before Lambda's own functions and before what CloudFormation provisions."""
    before(lambda_svc, "_create_function", _validate_function)
    before(lambda_svc, "_update_config", _validate_function)
    before(lambda_svc, "_create_esm", _validate_new_mapping)
    _before_named("_create_alias", _validate_alias)
    _before_named("_update_alias", _validate_alias)
    _before_named("_put_event_invoke_config", _validate_destination)
    before_provisioning("AWS::Lambda::Function", _validate_function)
    before_provisioning("AWS::Lambda::Alias", lambda data: _validate_alias(_name(data), data))
    before_provisioning("AWS::Lambda::EventSourceMapping", _validate_mapping)
    before_provisioning("AWS::Lambda::EventInvokeConfig", lambda data: _validate_destination(_name(data), data))


def _before_named(function: str, validate: Callable[[str, Data], None]) -> None:
    """Validate the first and the last argument of a function of Lambda's: a function's name, and the request."""
    original = getattr(lambda_svc, function)

    def handle(*arguments: Any) -> Any:
        try:
            validate(arguments[0], arguments[-1])
        except Refused as refused:
            status = _NOT_FOUND if refused.code == "ResourceNotFoundException" else _BAD_REQUEST
            return error_response_json(refused.code, str(refused), status)
        return original(*arguments)

    setattr(lambda_svc, function, handle)


# --------------------------------------------------------------------------------------------------------- functions
def _validate_function(data: Data) -> None:
    timeout = int(data.get("Timeout") or _DEFAULT_TIMEOUT)
    if timeout > _TIMEOUT:
        constraint = f"Member must have value less than or equal to {_TIMEOUT}"
        message = (
            f"1 validation error detected: Value '{timeout}' at 'timeout' failed to satisfy constraint: {constraint}"
        )
        raise Refused("ValidationException", message)
    runtime = data.get("Runtime")
    if runtime and runtime not in _runtimes():
        known = ", ".join(_runtimes())
        message = (
            f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{known}]"
        )
        raise Refused(_INVALID, f"{message} or be a valid ARN")
    _validate_environment((data.get("Environment") or {}).get("Variables") or {})
    if "Role" in data:
        refused = Refused(_INVALID, "The role defined for the function cannot be assumed by Lambda.")
        require_trust(str(data["Role"]), "lambda.amazonaws.com", refused)
    _validate_layers(data.get("Layers") or [])


def _runtimes() -> list[str]:
    model = loaders.Loader().load_service_model("lambda", "service-2")
    runtimes: list[str] = model["shapes"]["Runtime"]["enum"]
    return runtimes


def _validate_environment(variables: Data) -> None:
    unable = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided"
    )
    if reserved := sorted(_RESERVED & set(variables)):
        message = f"{unable} contains reserved keys that are currently not supported for modification."
        raise Refused(_INVALID, f"{message} Reserved keys used in this request: {', '.join(reserved)}")
    if len(json.dumps(variables).encode()) > _ENVIRONMENT_BYTES:
        raise Refused(_INVALID, f"{unable} exceeded the 4KB limit. String measured: {json.dumps(variables)[:200]}")


def _validate_layers(layers: list[Any]) -> None:
    arns = [layer for layer in layers if isinstance(layer, str)]
    if len(arns) > _LAYERS:
        raise Refused(_INVALID, f"Cannot reference more than {_LAYERS} layers.")
    names = [arn.rpartition(":")[0] for arn in arns]
    if len(set(names)) < len(names):
        message = "Two different versions of the same layer are not allowed to be referenced in the same function."
        raise Refused(_INVALID, message)
    for arn in arns:
        *_, name, version = arn.split(":")
        known = (lambda_svc._layers.get(name) or {}).get("versions") or []
        if not any(str(each.get("Version")) == version for each in known):
            raise Refused(_INVALID, f"Layer version {arn} does not exist.")


# ----------------------------------------------------------------------------------------------------------- aliases
def _name(data: Data) -> str:
    """Return the function that a CloudFormation resource names: by name, or by ARN with or without qualifier."""
    given = str(data.get("FunctionName", ""))
    return given.rsplit(":function:", maxsplit=1)[-1].split(":", maxsplit=1)[0]


def _validate_alias(function: str, data: Data) -> None:
    known, version = lambda_svc._functions.get(function), str(data.get("FunctionVersion", "$LATEST"))
    if known and version != "$LATEST" and version not in known["versions"]:
        message = f"Function not found: {known['config']['FunctionArn']}:{version}"
        raise Refused("ResourceNotFoundException", message)


# ---------------------------------------------------------------------------------------------------------- mappings
def _validate_mapping(data: Data) -> None:
    arn = str(data.get("EventSourceArn", ""))
    _validate_filters(data.get("FilterCriteria") or {})
    if not arn.startswith("arn:aws:sqs:"):
        return
    queue = sqs._queue_by_arn(arn)
    if queue is None:
        code = "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue."
        raise Refused(_INVALID, f"{code} SQS Error Message: The specified queue does not exist.")
    size, window = int(data.get("BatchSize") or _SMALL_BATCH), int(data.get("MaximumBatchingWindowInSeconds") or 0)
    if queue["is_fifo"] and window:
        raise Refused(_INVALID, "Batching window is not supported for FIFO queues")
    if queue["is_fifo"] and size > _SMALL_BATCH:
        raise Refused(_INVALID, f"Batch size of a FIFO queue must be less than or equal to {_SMALL_BATCH}")
    if size > _SMALL_BATCH and window == 0:
        message = "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
        raise Refused(_INVALID, message)
    function = lambda_svc._functions.get(_name(data))
    if function is not None:
        _validate_reader(function["config"], queue, arn)


def _validate_new_mapping(data: Data) -> None:
    _validate_mapping(data)
    _validate_once(_name(data), str(data.get("EventSourceArn", "")))


def _validate_reader(function: Data, queue: Data, arn: str) -> None:
    for action in _MAPPED:
        if not role_allows_now(function["Role"], action, arn):
            message = f"The provided execution role does not have permissions to call {action[4:]} on SQS"
            raise Refused(_INVALID, message)
    visibility, timeout = int(queue["attributes"].get("VisibilityTimeout", 30)), int(function["Timeout"])
    if visibility < timeout:
        hidden = f"Queue visibility timeout: {visibility} seconds"
        raise Refused(_INVALID, f"{hidden} is less than Function timeout: {timeout} seconds")


def _validate_once(function: str, arn: str) -> None:
    for mapping in lambda_svc._esms.values():
        if mapping["EventSourceArn"] == arn and mapping["FunctionName"] == function:
            message = f'An event source mapping with SQS arn (" {arn} ") and function (" {function} ") already exists.'
            update = f"Please update or delete the existing mapping with UUID {mapping['UUID']}"
            raise Refused("ResourceConflictException", f"{message} {update}")


def _validate_filters(criteria: Data) -> None:
    filters = criteria.get("Filters") or []
    if len(filters) > _FILTERS:
        raise Refused(_INVALID, f"Filter list cannot exceed the limit of {_FILTERS} filters.")
    for each in filters:
        try:
            pattern = json.loads(each.get("Pattern", ""))
        except ValueError:
            pattern = None
        if not isinstance(pattern, dict) or not _is_pattern(pattern):
            raise Refused(_INVALID, "Invalid filter pattern definition.")


def _is_pattern(pattern: Data) -> bool:
    return all(_is_pattern(value) if isinstance(value, dict) else isinstance(value, list) for value in pattern.values())


# ------------------------------------------------------------------------------------------------------ destinations
def _validate_destination(name: str, data: Data) -> None:
    arn = ((data.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination", "")
    function = lambda_svc._functions.get(name)
    if function is None or not arn.startswith("arn:aws:sqs:"):
        return
    if arn.endswith(".fifo"):
        raise Refused(_INVALID, "The destination must not be a FIFO queue")
    if not role_allows_now(function["config"]["Role"], "sqs:SendMessage", arn):
        message = "The function's execution role does not have permissions to call SendMessage on"
        raise Refused(_INVALID, f"{message} {arn}")
