"""What CloudFormation refuses of a resource's properties: what the schema of its type does not permit.

https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html
resource_schemas.json holds the schemas (engine_tests/refusals/resource_schemas.py writes it). CloudFormation validates
with everit-org/json-schema, and the texts are that library's:
https://github.com/everit-org/json-schema/blob/master/core/src/main/java/org/everit/json/schema
"""

import functools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError
from ministack.services.cloudformation import provisioners, stacks

Schema = dict[str, Any]
Properties = dict[str, Any]

_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_FILE = Path(__file__).with_suffix(".json")
_TYPES = {
    bool: "Boolean",
    dict: "JSONObject",
    float: "BigDecimal",
    int: "Integer",
    list: "JSONArray",
    str: "String",
    type(None): "Null",
}
_TEXTS: dict[str, Callable[[Any, Any], str]] = {
    "anyOf": lambda _, schemas: f"no subschema matched out of the total {len(schemas)} subschemas",
    "const": lambda value, limit: f"{value} is not a valid value. {limit} is not a valid enum value",
    "enum": lambda value, _: f"{value} is not a valid enum value",
    "maxItems": lambda value, limit: f"expected maximum item count: {limit}, found: {len(value)}",
    "maxLength": lambda value, limit: f"expected maxLength: {limit}, actual: {len(value)}",
    "maximum": lambda value, limit: f"{value} is not less or equal to {limit}",
    "minItems": lambda value, limit: f"expected minimum item count: {limit}, found: {len(value)}",
    "minLength": lambda value, limit: f"expected minLength: {limit}, actual: {len(value)}",
    "minimum": lambda value, limit: f"{value} is not greater or equal to {limit}",
    "oneOf": lambda *_: "0 subschemas matched instead of one",
    "pattern": lambda value, pattern: f"string [{value}] does not match pattern {pattern}",
    "type": lambda value, kind: f"expected type: {_type_name(kind)}, found: {_TYPES[type(value)]}",
    "uniqueItems": lambda *_: "array items are not unique",
}


def apply() -> None:
    """Validate the properties of each resource that a stack creates or changes.

    Apply `request_shapes` after it: cfn-lint's schemas know limits of the services' own, too, about which AWS answers
    with the service's text.
    """
    for resource_type in _schemas():
        handler = provisioners._RESOURCE_HANDLERS[resource_type]
        handler["create"] = _creating(resource_type, handler["create"])
    update = stacks._update_resource

    def update_valid(resource_type: str, physical_id: str, old: Properties, new: Properties, *rest: Any) -> Any:
        if old != new:
            _, logical_id, *_ = rest
            _validate(resource_type, logical_id, new)
        return update(resource_type, physical_id, old, new, *rest)

    stacks._update_resource = update_valid


def _creating(resource_type: str, create: Callable[..., Any]) -> Callable[..., Any]:
    def create_valid(logical_id: str, properties: Properties, *rest: Any) -> Any:
        _validate(resource_type, logical_id, properties)
        return create(logical_id, properties, *rest)

    return create_valid


@functools.cache
def _schemas() -> dict[str, Schema]:
    read: dict[str, Schema] = json.loads(_FILE.read_text("utf-8"))
    return read


@functools.cache
def _validator(resource_type: str) -> Draft7Validator | None:
    schema = _schemas().get(resource_type)
    return None if schema is None else Draft7Validator(schema)


def _validate(resource_type: str, logical_id: str, properties: Properties) -> None:
    validator = _validator(resource_type)
    if validator is None:
        return
    schema = _schemas()[resource_type]
    value = _converted(_without_system_tags(properties), schema, schema.get("definitions", {}))
    texts = [text for error in validator.iter_errors(value) for text in _texts(error)]
    if texts:
        listed = "\n".join(sorted(texts))
        raise ValueError(f"Properties validation failed for resource {logical_id} with message:\n{listed}")


def _without_system_tags(properties: Properties) -> Properties:
    """Take away the tags that CloudFormation itself adds; schemas forbid their prefix to everybody else."""
    tags = properties.get("Tags")
    if isinstance(tags, list):
        own: Any = [tag for tag in tags if not str(tag.get("Key")).startswith("aws:")]
    elif isinstance(tags, dict):
        own = {key: value for key, value in tags.items() if not key.startswith("aws:")}
    else:
        return properties
    return {**properties, "Tags": own}


def _converted(value: Any, schema: Schema, definitions: dict[str, Schema]) -> Any:
    """Return the value with its scalars in the types of the schema: to CloudFormation "300" is a number, too."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].removeprefix("#/definitions/")]
    if isinstance(value, dict):
        members = schema.get("properties", {})
        return {name: _converted(item, members.get(name, {}), definitions) for name, item in value.items()}
    if isinstance(value, list):
        return [_converted(item, schema.get("items", {}), definitions) for item in value]
    kind = schema.get("type")
    if kind == "string" and isinstance(value, bool | int | float):
        return str(value).lower()
    if kind == "boolean" and isinstance(value, str):
        return {"true": True, "false": False}.get(value, value)
    if kind in ("integer", "number") and isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value) if "." in value else int(value)
    return value


def _texts(error: ValidationError) -> Iterator[str]:
    path = "/".join(("#", *map(str, error.absolute_path)))
    keyword = str(error.validator)
    if keyword == "required":
        # jsonschema reports each missing key by itself, in its text only.
        missing = [key for key in error.validator_value if key not in error.instance]
        if error.message.startswith(repr(missing[0])):
            yield from (f"{path}: required key [{key}] not found" for key in missing)
    elif keyword == "additionalProperties":
        known, patterns = error.schema.get("properties", {}), error.schema.get("patternProperties", {})
        for key in error.instance:
            if key not in known and not any(re.search(pattern, key) for pattern in patterns):
                yield f"{path}: extraneous key [{key}] is not permitted"
    elif keyword in _TEXTS:
        yield f"{path}: {_TEXTS[keyword](error.instance, error.validator_value)}"
    else:
        yield f"{path}: {error.message}"


def _type_name(kind: str | list[str]) -> str:
    names = {"array": "JSONArray", "integer": "Integer", "object": "JSONObject"}
    kinds = [kind] if isinstance(kind, str) else kind
    return " or ".join(names.get(each, each.capitalize()) for each in kinds)
