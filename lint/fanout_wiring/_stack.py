"""One stack of one deployment: parameters handed down, conditions decided, outputs passed up.

What a reference points to is written as text that names it wherever it is used: `<TeamEvents/TeamAInbox/Queue.Arn>` is
the ARN of that queue both inside the inbox and in the stack that subscribes it. So a rule compares plain values.
What cannot be told is text too, `<unresolved: ...>`, and a problem of the deployment.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fanout_wiring import _parameters
from fanout_wiring._loading import Template, UnreadableTemplateError, load

APPLICATION = "AWS::Serverless::Application"
NESTED = {APPLICATION: "Location", "AWS::CloudFormation::Stack": "TemplateURL"}
FUNCTION = "AWS::Serverless::Function"

UNRESOLVED = "<unresolved: "
PSEUDO = {
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}
_NOTHING = object()


@dataclass(frozen=True)
class Problem:
    """Something that does not fit together, or that cannot be followed from the templates."""

    path: str
    """the resource, as in `Resource.path`; an empty last part is the stack itself"""
    message: str


@dataclass
class Resource:
    """One resource of one deployment, with everything in it decided."""

    path: str
    logical_id: str
    type: str
    properties: dict[str, Any]
    declared: dict[str, Any]
    stack: "Stack"

    @property
    def arn(self) -> str:
        """What others see as its ARN."""
        return f"<{self.path}>" if self.type == "AWS::SNS::Topic" else f"<{self.path}.Arn>"


@dataclass
class Stack:
    """One stack of one deployment."""

    file: Path
    path: str
    parameters: dict[str, Any]
    sources: Mapping[Path, Template]
    problems: list[Problem]
    parent: "Stack | None" = None
    children: dict[str, "Stack | None"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises UnreadableTemplateError if there is no template."""
        self.template: Template = self.sources[self.file] if self.file in self.sources else load(self.file)
        self.resource_ids = self.template["Resources"]
        self._current = ""
        declared = self.template.get("Parameters") or {}
        for name in sorted(self.parameters.keys() - declared.keys() - PSEUDO.keys()):
            self._problem(f"it is given the parameter {name}, which {self.file.name} does not have")
        for name, about in declared.items():
            if name in self.parameters:
                self.parameters[name] = _parameters.given(self.parameters[name], about)
                continue
            self.parameters[name] = _parameters.free(name, about)
            if self.parent is not None:
                if "Default" not in about:
                    self._problem(f"it is not given the parameter {name}, which {self.file.name} has no default for")
                elif isinstance(self.parameters[name], _parameters.Bounded):
                    # Nobody but the parent can give it another value, and the parent does not.
                    self.parameters[name] = int(self.parameters[name])

    def _problem(self, message: str) -> None:
        # A stack's own parameters are the matter of the resource that nests it.
        path = self.name(self._current) if self._current else self.path
        problem = Problem(path, message)
        if problem not in self.problems:
            self.problems.append(problem)

    def unresolved(self, message: str) -> str:
        """Return the text that stands for a value which cannot be told. Only where a rule needs it is it a finding."""
        return f"{UNRESOLVED}{message}>"

    # --------------------------------------------------------------------------------------------------- conditions
    def condition(self, name: str) -> bool:
        """Whether a condition of this stack holds."""
        expression = (self.template.get("Conditions") or {}).get(name)
        return self._holds(expression)

    def _holds(self, expression: Any) -> bool:
        match expression:
            case {"Condition": str(name)}:
                return self.condition(name)
            case {"Fn::Equals": [left, right]}:
                return _text(self.resolve(left)) == _text(self.resolve(right))
            case {"Fn::Not": [inner]}:
                return not self._holds(inner)
            case {"Fn::And": list(parts)}:
                return all(self._holds(part) for part in parts)
            case {"Fn::Or": list(parts)}:
                return any(self._holds(part) for part in parts)
        self._problem(f"a condition that these rules cannot decide: {expression}")
        return True

    # ------------------------------------------------------------------------------------------------ nested stacks
    def name(self, logical_id: str) -> str:
        """The path of a resource of this stack: `TeamEvents/TeamAInbox/Queue`."""
        return f"{self.path}/{logical_id}" if self.path else logical_id

    def child(self, logical_id: str) -> "Stack | None":
        """The nested stack with that logical id; None, and a problem, if its template cannot be read."""
        if logical_id not in self.children:
            self.children[logical_id] = self._nest(logical_id)
        return self.children[logical_id]

    def _nest(self, logical_id: str) -> "Stack | None":
        declared = self.resource_ids[logical_id]
        properties = declared.get("Properties") or {}
        before, self._current = self._current, logical_id
        try:
            location = self.resolve(properties.get(NESTED[declared["Type"]]))
            if not isinstance(location, str) or re.match(r"[a-z][a-z0-9+.-]*://|<", location):
                self._problem("its template is no local file, so what is in it cannot be judged")
                return None
            file = (self.file.parent / location).resolve()
            if file in self._files():
                self._problem(f"{location} contains itself")
                return None
            parameters = self.resolve(properties.get("Parameters") or {})
            return Stack(
                file=file,
                path=self.name(logical_id),
                parameters=parameters if isinstance(parameters, dict) else {},
                sources=self.sources,
                problems=self.problems,
                parent=self,
            )
        except UnreadableTemplateError as error:
            self._problem(f"its template cannot be read: {error}")
            return None
        finally:
            self._current = before

    def _files(self) -> set[Path]:
        return {self.file} | (self.parent._files() if self.parent else set())

    # --------------------------------------------------------------------------------------------------- references
    def exists(self, logical_id: str) -> bool:
        """Whether the resource is part of this deployment."""
        declared = self.resource_ids.get(logical_id)
        return isinstance(declared, dict) and ("Condition" not in declared or self.condition(declared["Condition"]))

    def _reference(self, logical_id: str, attribute: str = "") -> Any:
        if not self.exists(logical_id) and not self._made_by_sam(logical_id):
            self._problem(f"it refers to {logical_id}, which is not there")
            return self.unresolved(f"{logical_id} is not there")
        declared = self.resource_ids.get(logical_id) or {}
        if attribute.startswith("Outputs.") and declared.get("Type") in NESTED:
            return self._output(logical_id, attribute.removeprefix("Outputs."))
        return f"<{self.name(logical_id)}{'.' if attribute else ''}{attribute}>"

    def _made_by_sam(self, logical_id: str) -> bool:
        """Whether SAM makes a resource of that id: `<Function>Role`, `<Function>Aliaslive`, `ServerlessRestApi`."""
        if "Transform" not in self.template:
            return False
        return logical_id.startswith("Serverless") or any(
            logical_id.startswith(name) and str(declared.get("Type", "")).startswith("AWS::Serverless::")
            for name, declared in self.resource_ids.items()
            if isinstance(declared, dict) and self.exists(name)
        )

    def _output(self, logical_id: str, name: str) -> Any:
        child = self.child(logical_id)
        if child is None:
            return self.unresolved(f"output {name} of {logical_id}, whose template cannot be read")
        output = (child.template.get("Outputs") or {}).get(name)
        if output is None or ("Condition" in output and not child.condition(output["Condition"])):
            self._problem(f"{logical_id} ({child.file.name}) has no output {name}")
            return self.unresolved(f"{logical_id} has no output {name}")
        return child.resolve(output.get("Value"))

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NOTHING
        if name == "AWS::StackName":
            return self.path or "fanout"
        if name == "AWS::StackId":
            name = self.path.replace("/", "-") or "fanout"
            return f"arn:aws:cloudformation:us-east-1:111122223333:stack/{name}/id-of-{name}"
        if name in PSEUDO:
            root = self
            while root.parent is not None:
                root = root.parent
            return root.parameters.get(name, PSEUDO[name])
        if name in self.parameters:
            return self.parameters[name]
        logical_id, _, attribute = name.partition(".")  # SAM's `Function.Alias`
        return self._reference(logical_id, attribute)

    # ------------------------------------------------------------------------------------------------------- values
    def resolve(self, value: Any) -> Any:
        """Return the value with everything in it decided."""
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not _NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, operand),) = value.items()
            if function == "Ref" and isinstance(operand, str):
                return self._ref(operand)
            if str(function).startswith("Fn::"):
                return self._apply(function, operand)
        return {str(key): item for key, inner in value.items() if (item := self.resolve(inner)) is not _NOTHING}

    def _apply(self, function: str, operand: Any) -> Any:  # noqa: PLR0911, PLR0912 - one case for each function
        match function, operand:
            case "Fn::GetAtt", [str(logical_id), *attributes]:
                return self._reference(logical_id, ".".join(str(self.resolve(part)) for part in attributes))
            case "Fn::GetAtt", str(text):
                return self._reference(*text.split(".", 1))
            case "Fn::If", [str(condition), yes, no]:
                return self.resolve(yes if self.condition(condition) else no)
            case "Fn::Sub", str(text):
                return self._substituted(text, {})
            case "Fn::Sub", [str(text), dict(values)]:
                return self._substituted(text, values)
            case "Fn::Split", [str(separator), text]:
                return str(self.resolve(text)).split(separator)
            case "Fn::Join", [separator, parts]:
                resolved = self.resolve(parts)
                return str(separator).join(map(_text, resolved)) if isinstance(resolved, list) else resolved
            case "Fn::Select", [index, items]:
                chosen, resolved = _parameters.number(self.resolve(index)), self.resolve(items)
                if chosen is not None and isinstance(resolved, list) and chosen < len(resolved):
                    return resolved[chosen]
            case "Fn::FindInMap", [name, first, second, *_]:
                found = self.template.get("Mappings") or {}
                for key in (name, first, second):
                    found = found.get(_text(self.resolve(key)), {}) if isinstance(found, dict) else {}
                if found != {}:
                    return found
            case "Fn::Base64", inner:
                return base64.b64encode(_text(self.resolve(inner)).encode()).decode()
        return self.unresolved(f"{function} {operand}")

    def _substituted(self, text: str, values: Mapping[str, Any]) -> str:
        return re.sub(
            r"\$\{([^}]+)\}",
            lambda found: found[0].replace("!", "") if found[1].startswith("!") else self._substitute(found[1], values),
            text,
        )

    def _substitute(self, name: str, values: Mapping[str, Any]) -> str:
        if name in values:
            return _text(self.resolve(values[name]))
        logical_id, dot, attribute = name.partition(".")
        return _text(self._reference(logical_id, attribute) if dot else self._ref(name))

    # ---------------------------------------------------------------------------------------------------- resources
    def resources(self) -> Iterator[Resource]:
        """Every resource of this stack and of those nested in it."""
        for logical_id, declared in self.resource_ids.items():
            if not isinstance(declared, dict) or "Type" not in declared:
                self._problem(f"{logical_id} cannot be followed, these rules know resources only")
                continue
            if not self.exists(logical_id):
                continue
            self._current = logical_id
            properties = declared.get("Properties") or {}
            if declared["Type"] == FUNCTION:
                properties = _merge((self.template.get("Globals") or {}).get("Function") or {}, properties)
            resolved = self.resolve(properties)
            self._current = ""
            yield Resource(
                path=self.name(logical_id),
                logical_id=logical_id,
                type=declared["Type"],
                properties=resolved if isinstance(resolved, dict) else {},
                declared=declared,
                stack=self,
            )
            if declared["Type"] in NESTED and (child := self.child(logical_id)) is not None:
                yield from child.resources()

    def stacks(self) -> Iterator["Stack"]:
        """This stack and all nested in it."""
        yield self
        for logical_id, declared in self.resource_ids.items():
            if isinstance(declared, dict) and declared.get("Type") in NESTED and self.exists(logical_id):
                child = self.child(logical_id)
                if child is not None:
                    yield from child.stacks()


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _merge(common: Any, own: Any) -> Any:
    """SAM's Globals: mappings are merged, everything else is replaced."""
    if isinstance(common, dict) and isinstance(own, dict):
        return {key: _merge(common.get(key), own[key]) if key in own else common[key] for key in common | own}
    return common if own is None else own


class Composition:
    """One deployment: a template with parameters, and everything nested in it."""

    def __init__(
        self, file: Path, parameters: Mapping[str, Any], sources: Mapping[Path, Template] | None = None
    ) -> None:
        """parameters: what whoever deploys gives; what has no default and is not given stays open. sources: templates
        to use in place of the files. Raises UnreadableTemplateError if `file` is no template."""
        self.problems: list[Problem] = []
        self.root = Stack(file, "", dict(parameters), sources or {}, self.problems)
        self.resources = list(self.root.resources())
        self._by_arn = {resource.arn: resource for resource in self.resources}
        self._by_type: dict[str, list[Resource]] = {}
        for resource in self.resources:
            self._by_type.setdefault(resource.type, []).append(resource)

    def of(self, *types: str) -> list[Resource]:
        """The resources of the given types."""
        return [resource for kind in types for resource in self._by_type.get(kind, [])]

    def by_arn(self, arn: Any) -> Resource | None:
        """The resource with that ARN, if it is part of the deployment."""
        return self._by_arn.get(arn) if isinstance(arn, str) else None
