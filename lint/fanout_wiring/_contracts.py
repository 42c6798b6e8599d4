"""Event contracts, read from AsyncAPI documents: which fields and values an event can have."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fanout_wiring._values import as_dict, as_list

Schema = dict[str, Any]


@dataclass(frozen=True)
class Contract:
    """One event type."""

    type: str
    channel: str
    """the topic it is published to"""
    payload: Schema
    filterable: frozenset[str] | None
    """dotted paths that filters may use; None if the document lists none"""
    document: Schema

    def at(self, path: Sequence[str]) -> list[Schema]:
        """Return what a field may be, as schemas of which one holds; none if there is no such field."""
        found = [self.payload]
        for key in path:
            found = [inner for schema in found for inner in self._property(schema, key)]
        return [part for schema in found for part in self._alternatives(schema)]

    def _property(self, schema: Schema, key: str) -> Iterator[Schema]:
        for part in self._alternatives(schema):
            if key in as_dict(part.get("properties")):
                yield as_dict(part["properties"][key])
            elif part.get("type") == "object" and "properties" not in part and part.get("additionalProperties", True):
                yield as_dict(part.get("additionalProperties"))
            elif part.get("type") == "array":  # SNS looks into the items of a list
                yield from self._property(as_dict(part.get("items")), key)

    def _alternatives(self, schema: Schema) -> Iterator[Schema]:
        """A schema without references and combinations."""
        if "$ref" in schema:
            target: Any = self.document
            for key in str(schema["$ref"]).removeprefix("#/").split("/"):
                target = as_dict(target).get(key.replace("~1", "/").replace("~0", "~"))
            yield from self._alternatives(as_dict(target))
            return
        combined = [each for word in ("allOf", "anyOf", "oneOf") for each in as_list(schema.get(word))]
        for each in combined:
            yield from self._alternatives(as_dict(each))
        if not combined or "properties" in schema:
            yield schema


def search(start: Path, folder: str) -> Path | None:
    """Return the contracts' folder: in the folder to start from, or the nearest above it that has one."""
    return next((above / folder for above in (start, *start.parents) if any((above / folder).glob("*.json"))), None)


@cache
def read(folder: Path) -> tuple[Contract, ...]:
    """Return every contract of the AsyncAPI 3 documents in a folder."""
    found: list[Contract] = []
    for file in sorted(folder.glob("*.json")):
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(document, dict) and str(document.get("asyncapi", "")).startswith("3."):
            found += _of(document)
    return tuple(found)


def _of(document: Schema) -> Iterator[Contract]:
    messages = as_dict(as_dict(document.get("components")).get("messages"))
    for channel, about in as_dict(document.get("channels")).items():
        for name, message in as_dict(as_dict(about).get("messages")).items():
            reference = str(as_dict(message).get("$ref", "")).rpartition("/")[2]
            full = as_dict(messages.get(reference, message))
            filterable = full.get("x-filterable")
            yield Contract(
                type=str(full.get("name", name)),
                channel=str(as_dict(about).get("address", channel)),
                payload=as_dict(full.get("payload")),
                filterable=None if filterable is None else frozenset(map(str, filterable)),
                document=document,
            )


def admits(schemas: list[Schema], value: Any) -> bool:
    """Return whether a field may have a value: one of its schemas, or of an array's items, must allow it."""
    return any(_admits(schema, value) for schema in schemas)


def _admits(schema: Schema, value: Any) -> bool:
    if schema.get("type") == "array":
        return _admits(as_dict(schema.get("items")), value)
    if "const" in schema:
        return bool(schema["const"] == value)
    if "enum" in schema:
        return value in schema["enum"]
    types = as_list(schema.get("type"))
    return not types or any(type(value) in _TYPES.get(name, ()) for name in types)


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def literals(schemas: list[Schema]) -> list[Any] | None:
    """Return all values that a field may have; None if they are not listed."""
    found: list[Any] = []
    for schema in schemas:
        inner = as_dict(schema.get("items")) if schema.get("type") == "array" else schema
        if "const" not in inner and "enum" not in inner:
            return None
        found += as_list(inner.get("enum", inner.get("const")))
    return found
