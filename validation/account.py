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
from botocore.model import Shape

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
        """Call an operation with CloudFormation's values. Returns the response; empty, with a finding, if it is refused.

        Raises RuntimeError if moto itself fails, which says nothing about the resource.
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
    return boto3.client(
        service,
        REGION,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",  # noqa: S106 - no secret, moto takes any
        config=Config(retries={"total_max_attempts": 1}),
    )


def fitted(value: Any, shape: Shape) -> Any:
    """Return a value of a template in the types of an API, as CloudFormation passes it on.

    Names differ in the case of their first letter only; a document is passed as text. What the API does not know stays,
    for botocore to refuse.
    """
    if shape.type_name == "structure" and isinstance(value, dict):
        members = {name[:1].lower() + name[1:]: name for name in shape.members}
        names = {key: members.get(key[:1].lower() + key[1:], key) for key in value}
        return {
            names[key]: fitted(inner, shape.members[names[key]]) if names[key] in shape.members else inner
            for key, inner in value.items()
        }
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: fitted(inner, shape.value) for key, inner in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [fitted(inner, shape.member) for inner in value]
    if shape.type_name == "string" and isinstance(value, dict | list):
        return json.dumps(value)
    if shape.type_name == "string" and isinstance(value, bool):
        return str(value).lower()
    if shape.type_name == "string" and isinstance(value, int | float):
        return str(value)
    if shape.type_name in ("integer", "long") and isinstance(value, str) and re.fullmatch(r"-?\d+", value):
        return int(value)
    if shape.type_name == "boolean" and value in ("true", "false"):
        return value == "true"
    return value


def violations(value: Any, shape: Shape, where: str = "") -> Iterator[str]:
    """Yield what a model forbids and botocore does not check: enumerations, patterns and upper limits."""
    if shape.type_name == "structure" and isinstance(value, Mapping):
        for name, inner in value.items():
            if name in shape.members:
                yield from violations(inner, shape.members[name], f"{where}.{name}" if where else name)
    elif shape.type_name == "map" and isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _of_scalar(str(name), shape.key, f"the key {name} of {where}")
            yield from violations(inner, shape.value, f"{where}.{name}")
    elif shape.type_name == "list" and isinstance(value, list):
        if len(value) > shape.metadata.get("max", len(value)):
            yield f"{where} has {len(value)} entries, the most are {shape.metadata['max']}"
        for index, inner in enumerate(value):
            yield from violations(inner, shape.member, f"{where}[{index}]")
    else:
        yield from _of_scalar(value, shape, where)


def _of_scalar(value: Any, shape: Shape, where: str) -> Iterator[str]:
    limits = shape.metadata
    if shape.type_name == "string" and isinstance(value, str):
        if len(value) > limits.get("max", len(value)):
            yield f"{where} has {len(value)} characters, the most are {limits['max']}: {value}"
        if shape.enum and value not in shape.enum:
            yield f"{where} is {value}, and must be one of {', '.join(shape.enum)}"
        if "pattern" in limits and not _matches(limits["pattern"], value):
            yield f"{where} is {value}, and must match {limits['pattern']}"
    elif isinstance(value, int | float) and not isinstance(value, bool) and value > limits.get("max", value):
        yield f"{where} is {value}, the most is {limits['max']}"


def _matches(pattern: str, value: str) -> bool:
    # Some models repeat a text's limit in its pattern, and some write patterns in Java's dialect.
    try:
        return re.fullmatch(pattern, value, re.DOTALL) is not None
    except re.error:
        return True
