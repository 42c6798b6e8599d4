"""CloudFormation's functions, as far as templates determine their results."""

import base64
import re
from collections.abc import Mapping
from typing import Any, Protocol

from fanout_wiring._loading import Template
from fanout_wiring._parameters import number, open_value

UNRESOLVED = "<unresolved: "
NOTHING = object()
"""The value of `AWS::NoValue`."""


class Scope(Protocol):
    """The scope of names: a stack."""

    template: Template

    def ref(self, name: str) -> Any:
        """Return the `!Ref` of a parameter or resource."""

    def reference(self, logical_id: str, attribute: str = "") -> Any:
        """Return the `!GetAtt` of a resource."""

    def condition(self, name: str) -> bool:
        """Whether a condition holds."""


def unresolved(what: str) -> str:
    """Return the text for a value that cannot be determined. It is a finding only where a rule needs it."""
    return f"{UNRESOLVED}{what}>"


def as_text(value: Any) -> str:
    """Return a value as CloudFormation writes it into texts."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def resolve(value: Any, scope: Scope) -> Any:
    """Return the value with everything in it decided."""
    if isinstance(value, list):
        return [item for inner in value if (item := resolve(inner, scope)) is not NOTHING]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((function, operand),) = value.items()
        if function == "Ref" and isinstance(operand, str):
            return scope.ref(operand)
        if str(function).startswith("Fn::"):
            return _apply(function, operand, scope)
    return {str(key): item for key, inner in value.items() if (item := resolve(inner, scope)) is not NOTHING}


def _apply(function: str, operand: Any, scope: Scope) -> Any:  # noqa: PLR0911, PLR0912 - one case for each function
    match function, operand:
        case "Fn::GetAtt", [str(logical_id), *attributes]:
            return scope.reference(logical_id, ".".join(str(resolve(part, scope)) for part in attributes))
        case "Fn::GetAtt", str(text):
            return scope.reference(*text.split(".", 1))
        case "Fn::If", [str(condition), yes, no]:
            return resolve(yes if scope.condition(condition) else no, scope)
        case "Fn::Sub", str(text):
            return _substituted(text, {}, scope)
        case "Fn::Sub", [str(text), dict(values)]:
            return _substituted(text, values, scope)
        case "Fn::Split", [str(separator), text]:
            return str(resolve(text, scope)).split(separator)
        case "Fn::Join", [separator, parts]:
            resolved = resolve(parts, scope)
            return str(separator).join(map(as_text, resolved)) if isinstance(resolved, list) else resolved
        case "Fn::Select", [index, items]:
            chosen, resolved = number(resolve(index, scope)), resolve(items, scope)
            if chosen is not None and isinstance(resolved, list) and chosen < len(resolved):
                return resolved[chosen]
        case "Fn::FindInMap", [name, first, second, *_]:
            found = scope.template.get("Mappings") or {}
            for key in (name, first, second):
                found = found.get(as_text(resolve(key, scope)), {}) if isinstance(found, dict) else {}
            if found != {}:
                return found
        case "Fn::ImportValue", name:
            return open_value(re.sub("[<>]", "", as_text(resolve(name, scope))), "import")
        case "Fn::ToJsonString", inner:
            return resolve(inner, scope)  # rules read a mapping as they read its text
        case "Fn::Length", items:
            resolved = resolve(items, scope)
            if isinstance(resolved, list):
                return len(resolved)
        case "Fn::Base64", inner:
            return base64.b64encode(as_text(resolve(inner, scope)).encode()).decode()
    return unresolved(f"{function} {operand}")


def _substituted(text: str, values: Mapping[str, Any], scope: Scope) -> str:
    def substitute(found: re.Match[str]) -> str:
        name = found[1]
        if name.startswith("!"):  # "${!x}" is written to mean "${x}"
            return found[0].replace("!", "", 1)
        if name in values:
            return as_text(resolve(values[name], scope))
        logical_id, dot, attribute = name.partition(".")
        return as_text(scope.reference(logical_id, attribute) if dot else scope.ref(name))

    return re.sub(r"\$\{([^}]+)\}", substitute, text)
