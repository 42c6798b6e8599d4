"""The contracts as documents that other languages and tools read: one AsyncAPI 3 file per use case.

Its component schemas are the JSON Schemas (2020-12) of the whole event, envelope included. Specification:
https://www.asyncapi.com/docs/reference/specification/v3.0.0; SNS binding 1.0.0: https://github.com/asyncapi/bindings.
`make generate` writes them to docs/contracts/; a test checks that what is committed is what the code says.
"""

import json
import sys
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec

from fanout import contracts
from fanout.event import Event


def asyncapi(use_case: str) -> dict[str, Any]:
    """Return a use case's AsyncAPI 3.0 document as plain JSON values. Raises KeyError for an unknown use case."""
    schemas = contracts.load(use_case)
    events = {name: Event[schema] for name, schema in schemas.items()}  # type: ignore[valid-type]
    bodies, components = msgspec.json.schema_components(events.values(), ref_template="#/components/schemas/{name}")
    topics: dict[str, list[str]] = {}
    messages: dict[str, Any] = {}
    for (name, schema), body in zip(schemas.items(), bodies, strict=True):
        contract = contracts.contract_of(schema)
        topics.setdefault(contract.topic, []).append(name)
        messages[name] = {
            "name": name,
            "title": schema.__name__,
            "summary": cleandoc(schema.__doc__ or "").splitlines()[0],
            "contentType": "application/cloudevents+json",
            "payload": {"allOf": [body, {"properties": {"type": {"const": name}}}]},
            "x-filterable": [f"data.{field}" for field in contract.filterable],
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": use_case,
            "version": "1.0.0",
            "description": cleandoc(contracts.module_of(use_case).__doc__ or ""),
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            topic: {
                "address": topic,
                "description": f"The SNS topic in the stack's output {topic}Arn",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
                "bindings": {"sns": {"name": topic, "bindingVersion": "1.0.0"}},
            }
            for topic, names in topics.items()
        },
        "operations": {
            f"publish{topic}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{topic}"},
                "messages": [{"$ref": f"#/channels/{topic}/messages/{name}"} for name in names],
            }
            for topic, names in topics.items()
        },
        "components": {"messages": messages, "schemas": components},
    }


def documents() -> dict[str, str]:
    """Return {file name: text} of every use case's document."""
    return {
        f"{use_case}.asyncapi.json": json.dumps(asyncapi(use_case), indent=2, ensure_ascii=False) + "\n"
        for use_case in contracts.use_cases()
    }


def main() -> None:
    """Write the documents into the folder named on the command line."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main()
