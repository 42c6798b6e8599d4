"""What AWS refuses of a request because a value is too long, too large, of the wrong form or not one of an enumeration.

The rules are AWS's own: the service models in botocore (`min`, `max`, `pattern`, `enum`). Clients check few of them.
AWS answers with "1 validation error detected: Value '11' at 'memorySize' failed to satisfy constraint: Member must have
value greater than or equal to 128". What CloudFormation deploys is judged by the same models.
https://docs.aws.amazon.com/lambda/latest/api/CommonErrors.html
"""

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote

from botocore import loaders
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from ministack import app
from ministack.core.responses import error_response_json, error_response_xml
from ministack.services.cloudformation import provisioners

Response = tuple[int, dict[str, str], bytes]
Handler = Callable[[str, str, dict[str, str], bytes, dict[str, Any]], Awaitable[Response]]
Check = Callable[[str, Any], Iterator[str]]
"""(where in the request, the value) -> what AWS says of it"""

_VALIDATION = "ValidationException"
# The engine's name of a service: botocore's name, and the code of its validation errors.
_SERVICES = {
    "dynamodb": ("dynamodb", _VALIDATION),
    "events": ("events", _VALIDATION),
    "firehose": ("firehose", _VALIDATION),
    "iam": ("iam", "ValidationError"),
    "kms": ("kms", _VALIDATION),
    "lambda": ("lambda", _VALIDATION),
    "logs": ("logs", "InvalidParameterException"),
    "scheduler": ("scheduler", _VALIDATION),
    "secretsmanager": ("secretsmanager", _VALIDATION),
    "ssm": ("ssm", _VALIDATION),
    "states": ("stepfunctions", _VALIDATION),
}
# Types whose properties have the names of the call's parameters.
_TYPES = {
    "AWS::DynamoDB::Table": ("dynamodb", "CreateTable"),
    "AWS::Events::Rule": ("events", "PutRule"),
    "AWS::IAM::ManagedPolicy": ("iam", "CreatePolicy"),
    "AWS::IAM::Role": ("iam", "CreateRole"),
    "AWS::KMS::Key": ("kms", "CreateKey"),
    "AWS::KinesisFirehose::DeliveryStream": ("firehose", "CreateDeliveryStream"),
    "AWS::Lambda::Alias": ("lambda", "CreateAlias"),
    "AWS::Lambda::EventInvokeConfig": ("lambda", "PutFunctionEventInvokeConfig"),
    "AWS::Lambda::EventSourceMapping": ("lambda", "CreateEventSourceMapping"),
    "AWS::Lambda::Function": ("lambda", "CreateFunction"),
    "AWS::Lambda::LayerVersion": ("lambda", "PublishLayerVersion"),
    "AWS::Lambda::Permission": ("lambda", "AddPermission"),
    "AWS::Lambda::Version": ("lambda", "PublishVersion"),
    "AWS::Logs::LogGroup": ("logs", "CreateLogGroup"),
    "AWS::Scheduler::Schedule": ("scheduler", "CreateSchedule"),
    "AWS::SecretsManager::Secret": ("secretsmanager", "CreateSecret"),
    "AWS::SSM::Parameter": ("ssm", "PutParameter"),
}
# Refused with another code: strictness/functions.py.
_ELSEWHERE = {("CreateFunction", "Runtime"), ("UpdateFunctionConfiguration", "Runtime")}


def apply() -> None:
    """Validate requests before the engine's services see them, and properties before they are provisioned."""
    for service in _SERVICES:
        app.SERVICE_HANDLERS[service] = _validating(service, app.SERVICE_HANDLERS[service])
    for kind, (service, operation) in _TYPES.items():
        handler = provisioners._RESOURCE_HANDLERS[kind]
        handler["create"] = _provisioning(service, operation, handler["create"])


def _validating(service: str, handler: Handler) -> Handler:
    async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Response:
        operation, values = _request(service, method, path, headers, body)
        if operation is not None:
            messages = _judged(service, operation, values)
            if messages:
                code = _SERVICES[service][1]
                response: Response = (
                    error_response_xml(code, _text(messages), 400, "https://iam.amazonaws.com/doc/2010-05-08/")
                    if service == "iam"
                    else error_response_json(code, _text(messages), 400)
                )
                return response
        return await handler(method, path, headers, body, query)

    return handle


def _provisioning(service: str, operation: str, create: Callable[..., Any]) -> Callable[..., Any]:
    def created(logical_id: str, properties: dict[str, Any], *rest: Any) -> Any:
        shape = _model(service).operation_model(operation).input_shape
        names = {name.lower(): name for name in (shape.members if shape else ())}
        values = {names[name.lower()]: value for name, value in properties.items() if name.lower() in names}
        messages = _judged(service, operation, values)
        if messages:
            raise ValueError(_text(messages))
        return create(logical_id, properties, *rest)

    return created


def _text(messages: list[str]) -> str:
    plural = "" if len(messages) == 1 else "s"
    return f"{len(messages)} validation error{plural} detected: {'; '.join(messages)}"


# --------------------------------------------------------------------------------------------------------- requests
def _request(
    service: str, method: str, path: str, headers: dict[str, str], body: bytes
) -> tuple[str | None, dict[str, Any]]:
    """Return the operation that a request names, None if the model has none, and the values of its parameters."""
    try:
        protocol = _model(service).metadata["protocol"]
        if protocol == "query":
            fields = {name: value[0] for name, value in parse_qs(body.decode(), keep_blank_values=True).items()}
            operation = fields.get("Action", "")
            return (operation if operation in _model(service).operation_names else None), fields
        if protocol == "json":
            operation = headers.get("x-amz-target", "").rpartition(".")[2]
            return (operation, _document(body)) if operation in _model(service).operation_names else (None, {})
        for name, verb, pattern in _routes(service):
            if verb == method and (found := pattern.fullmatch(path)):
                shape = _model(service).operation_model(name).input_shape
                # A payload is the caller's own document: an event for a function has no parameters in it.
                payload = shape is not None and "payload" in shape.serialization
                values = {} if payload else _document(body)
                return name, values | {key: unquote(value) for key, value in found.groupdict().items()}
    except (ValueError, UnicodeDecodeError):
        pass  # what is no document is for the service to refuse
    return None, {}


def _document(body: bytes) -> dict[str, Any]:
    document = json.loads(body) if body.strip() else {}
    return document if isinstance(document, dict) else {}


@cache
def _routes(service: str) -> list[tuple[str, str, re.Pattern[str]]]:
    model = _model(service)
    routes = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        members = operation.input_shape.members if operation.input_shape else {}
        location = {shape.serialization.get("name", member): member for member, shape in members.items()}
        uri = operation.http["requestUri"].partition("?")[0]
        parts = re.split(r"\{(\w+)\+?\}", uri)
        pattern = "".join(
            re.escape(part) if index % 2 == 0 else f"(?P<{location.get(part, part)}>[^/]+)"
            for index, part in enumerate(parts)
        )
        routes.append((name, operation.http["method"], re.compile(pattern + "/?")))
    return routes


@cache
def _model(service: str) -> ServiceModel:
    name = _SERVICES[service][0]
    return ServiceModel(loaders.Loader().load_service_model(name, "service-2"), name)


# ------------------------------------------------------------------------------------------------------- constraints
def _judged(service: str, operation: str, values: dict[str, Any]) -> list[str]:
    check = _check_of(service, operation)
    return [] if check is None else list(check("", values))


@cache
def _check_of(service: str, operation: str) -> Check | None:
    model: OperationModel = _model(service).operation_model(operation)
    return None if model.input_shape is None else _compiled(model.input_shape, operation, ())


def _compiled(shape: Shape, operation: str, within: tuple[str, ...]) -> Check | None:
    """Return what is to be checked of a shape; None if nothing is, so that large payloads cost nothing."""
    if shape.name in within:  # a shape that contains itself, like an attribute value
        return None
    within = (*within, shape.name)
    if isinstance(shape, StructureShape):
        members = {
            name: check
            for name, member in shape.members.items()
            if (operation, name) not in _ELSEWHERE and (check := _compiled(member, operation, within))
        }
        return _structure(members) if members else None
    if isinstance(shape, ListShape):
        return _list(shape, _compiled(shape.member, operation, within))
    if isinstance(shape, MapShape):
        return _map(_compiled(shape.key, operation, within), _compiled(shape.value, operation, within))
    return _scalar(shape)


def _structure(members: dict[str, Check]) -> Check:
    def check(where: str, value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for name, inner in members.items():
                if value.get(name) is not None:
                    yield from inner(_joined(where, name[0].lower() + name[1:]), value[name])

    return check


def _list(shape: ListShape, member: Check | None) -> Check | None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if member is None and low is None and high is None:
        return None

    def check(where: str, value: Any) -> Iterator[str]:
        if not isinstance(value, list):
            return
        yield from _size(where, value, low, high)
        for index, item in enumerate(value, 1):
            if member is not None:
                yield from member(_joined(where, f"{index}.member"), item)

    return check


def _map(key: Check | None, member: Check | None) -> Check | None:
    if key is None and member is None:
        return None

    def check(where: str, value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for name, item in value.items():
                if key is not None and any(True for _ in key(where, name)):
                    yield f"Value '{value}' at '{where}' failed to satisfy constraint: {_keys(key, name)}"
                if member is not None:
                    yield from member(_joined(where, f"{name}.member"), item)

    return check


def _keys(key: Check, name: str) -> str:
    said = " ".join(message.partition("constraint: ")[2] for message in key("", name))
    return f"Map keys must satisfy constraint: [{said}]"


def _scalar(shape: Shape) -> Check | None:
    low, high, enum = shape.metadata.get("min"), shape.metadata.get("max"), getattr(shape, "enum", [])
    pattern = _pattern(shape.metadata.get("pattern"))
    if shape.type_name == "string" and (low or high or enum or pattern):

        def check_text(where: str, value: Any) -> Iterator[str]:
            if isinstance(value, str):
                yield from _size(where, value, low, high)
                if enum and value not in enum:
                    yield _failed(where, value, f"Member must satisfy enum value set: [{', '.join(enum)}]")
                if pattern and not pattern.fullmatch(value):
                    yield _failed(where, value, f"Member must satisfy regular expression pattern: {pattern.pattern}")

        return check_text
    if shape.type_name in ("integer", "long") and (low is not None or high is not None):

        def check_number(where: str, value: Any) -> Iterator[str]:
            try:
                number = int(value)  # a template may write a number as text
            except (TypeError, ValueError):
                return
            if low is not None and number < low:
                yield _failed(where, value, f"Member must have value greater than or equal to {low}")
            if high is not None and number > high:
                yield _failed(where, value, f"Member must have value less than or equal to {high}")

        return check_number
    return None


def _size(where: str, value: Any, low: int | None, high: int | None) -> Iterator[str]:
    if low is not None and len(value) < low:
        yield _failed(where, value, f"Member must have length greater than or equal to {low}")
    if high is not None and len(value) > high:
        yield _failed(where, value, f"Member must have length less than or equal to {high}")


def _failed(where: str, value: Any, constraint: str) -> str:
    return f"Value '{value}' at '{where}' failed to satisfy constraint: {constraint}"


def _joined(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _pattern(pattern: str | None) -> re.Pattern[str] | None:
    """Return the model's pattern; None for one that is written for Java and means nothing to Python."""
    if pattern is None:
        return None
    try:
        return re.compile(pattern.replace(r"\p{IsAlphabetic}", r"\w").replace(r"\p{Digit}", r"\d"), re.DOTALL)
    except re.error:
        return None
