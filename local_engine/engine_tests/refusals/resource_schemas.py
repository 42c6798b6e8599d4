"""Writes the schemas that the engine validates resources with: python -m engine_tests.refusals.resource_schemas.

They are CloudFormation's own resource schemas, as cfn-lint carries them, of the types that our templates declare and
that SAM makes of them. cfn-lint is not in the engine's environment, so they are copied. A test checks them for drift.
"""

import json
import re
from pathlib import Path
from typing import Any

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from engine_tests.aws import REGION
from tests.template.application import ROOT, templates

FILE = ROOT / "local_engine" / "local_engine" / "strictness" / "resource_schemas.json"

_MADE_BY_SAM = {
    "AWS::CloudFormation::Stack",
    "AWS::IAM::Policy",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
}
_TOP = ("definitions", "properties", "required", "additionalProperties", "allOf", "anyOf", "oneOf")
_WITHOUT_MEANING = {
    "$comment",
    "default",
    "description",
    "examples",
    "format",
    "insertionOrder",
    "relationshipRef",
    "sourceUrl",
    "title",
}


def schemas() -> str:
    """Return the file's text: a schema a line, so that a change of one shows as one."""
    found = {kind: _schema(kind) for kind in sorted(_MADE_BY_SAM | _declared(templates()))}
    lines = (f"{json.dumps(kind)}: {json.dumps(schema, sort_keys=True)}" for kind, schema in found.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _declared(files: list[Path]) -> set[str]:
    types = {kind for file in files for kind in re.findall(r"Type: (AWS::\w+::\w+)\s", file.read_text("utf-8"))}
    return {kind for kind in types if not kind.startswith("AWS::Serverless::") and "::Parameter::" not in kind}


def _schema(kind: str) -> dict[str, Any]:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
    computed = {path.removeprefix("/properties/") for path in schema.get("readOnlyProperties", [])}
    kept = {key: schema[key] for key in _TOP if key in schema}
    kept["properties"] = {name: value for name, value in schema["properties"].items() if name not in computed}
    cleaned: dict[str, Any] = _cleaned(kept, names=False)
    return cleaned


def _cleaned(node: Any, *, names: bool) -> Any:
    """Drop what does not decide; `names` says that the keys are names of properties or definitions."""
    if isinstance(node, list):
        return [_cleaned(item, names=False) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {
        key: _cleaned(value, names=not names and key in ("properties", "definitions", "patternProperties"))
        for key, value in node.items()
        if names or key not in _WITHOUT_MEANING
    }
    if not names and "pattern" in kept and not _compiles(kept["pattern"]):
        del kept["pattern"]
    if not names and "patternProperties" in kept:
        kept["patternProperties"] = {
            name if _compiles(name) else ".*": value for name, value in kept["patternProperties"].items()
        }
    return kept


def _compiles(pattern: str) -> bool:
    """Whether Python understands a pattern that was written for Java."""
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


if __name__ == "__main__":
    FILE.write_text(schemas(), "utf-8")
