"""An empty AWS account in this process (moto), whose calls are checked against AWS's own models of its APIs first."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from validation.expansion import REGION, ExpandedResource
from validation.findings import Finding

MOTO, MODELS = "moto", "service models"


class Account:
    """Takes calls for resources. Use it inside `moto.mock_aws`."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.calls = 0
        self._ids: dict[str, str] = {}

    def call(self, resource: ExpandedResource, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Call an operation with CloudFormation's values. Returns the response; if it is refused, nothing.

        A refusal is a finding. Raises RuntimeError if moto itself fails, which says nothing about the resource.
        """
        client = _client(service)
        shape = client.meta.service_model.operation_model(operation).input_shape
        given = fitted(self._with_ids(parameters), shape)
        self.calls += 1
        self.findings += [
            Finding(MODELS, operation, resource.path, resource.type, problem) for problem in violations(given, shape)
        ]
        try:
            response: dict[str, Any] = getattr(client, xform_name(operation))(**given)
        except ParamValidationError as error:
            message = " ".join(str(error).split())
            self.findings.append(Finding(MODELS, operation, resource.path, resource.type, message))
            return {}
        except ClientError as error:
            message = f"{error.response['Error']['Code']}: {error.response['Error'].get('Message', '')}"
            self.findings.append(Finding(MOTO, operation, resource.path, resource.type, message))
            return {}
        except Exception as error:
            raise RuntimeError(f"moto fails at {operation} of {resource.path}: {error!r}") from error
        return response

    def identify(self, placeholder: str, actual: str) -> None:
        """Use what the account has made up in place of a placeholder, in all later calls."""
        self._ids[placeholder] = actual

    def _with_ids(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._with_ids(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._with_ids(inner) for inner in value]
        if isinstance(value, str):
            for placeholder, actual in self._ids.items():
                value = value.replace(placeholder, actual)
        return value


@cache
def _client(service: str) -> Any:
    session: Any = boto3.Session(region_name=REGION)  # its types know a client by its literal name only
    return session.client(
        service,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",  # noqa: S106 - no secret, moto takes any
        config=Config(retries={"total_max_attempts": 1}),
    )


def fitted(value: Any, shape: Shape) -> Any:
    """Return a value of a template in the types of an API, as CloudFormation passes it on.

    Names may differ in the case of their first letter; a document is passed as text. What the API does not know stays,
    for botocore to refuse.
    """
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        names = {_uncapitalized(name): name for name in shape.members}
        known = {names.get(_uncapitalized(key), key): inner for key, inner in value.items()}
        members = shape.members
        return {name: fitted(inner, members[name]) if name in members else inner for name, inner in known.items()}
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: fitted(inner, shape.value) for key, inner in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [fitted(inner, shape.member) for inner in value]
    return _scalar(value, shape.type_name)


def _uncapitalized(name: str) -> str:
    return name[:1].lower() + name[1:]


def _scalar(value: Any, kind: str) -> Any:
    match kind, value:
        case "string", dict() | list() | bool():
            return json.dumps(value)
        case "string", int() | float():
            return str(value)
        case "integer" | "long", str() if re.fullmatch(r"-?\d+", value):
            return int(value)
        case "boolean", "true" | "false":
            return value == "true"
    return value


def violations(value: Any, shape: Shape, where: str = "") -> Iterator[str]:
    """Yield what a model forbids and botocore does not check: enumerations, patterns and upper limits."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        for name, inner in value.items():
            if name in shape.members:
                yield from violations(inner, shape.members[name], f"{where}.{name}" if where else name)
    elif isinstance(shape, MapShape) and isinstance(value, Mapping):
        for name, inner in value.items():
            yield from violations(name, shape.key, f"the key {name} of {where}")
            yield from violations(inner, shape.value, f"{where}.{name}")
    elif isinstance(shape, ListShape) and isinstance(value, list):
        if len(value) > shape.metadata.get("max", len(value)):
            yield f"{where} has {len(value)} entries, the most are {shape.metadata['max']}"
        for index, inner in enumerate(value):
            yield from violations(inner, shape.member, f"{where}[{index}]")
    elif isinstance(shape, StringShape) and isinstance(value, str):
        yield from _of_text(value, shape, where)
    elif isinstance(value, int | float) and value > shape.metadata.get("max", value):
        yield f"{where} is {value}, the most is {shape.metadata['max']}"


def _of_text(value: str, shape: StringShape, where: str) -> Iterator[str]:
    if len(value) > shape.metadata.get("max", len(value)):
        yield f"{where} has {len(value)} characters, the most are {shape.metadata['max']}: {value}"
    if shape.enum and value not in shape.enum:
        yield f"{where} is {value}, and must be one of {', '.join(shape.enum)}"
    if "pattern" in shape.metadata and not _matches(shape.metadata["pattern"], value):
        yield f"{where} is {value}, and must match {shape.metadata['pattern']}"


def _matches(pattern: str, value: str) -> bool:
    # A few patterns, like \p{L}, are not valid in Python. They are not checked.
    try:
        return re.fullmatch(pattern, value, re.DOTALL) is not None
    except re.error:
        return True
