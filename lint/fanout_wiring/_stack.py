"""One stack of one deployment: parameters handed down, conditions decided, outputs passed up.

What a reference points to is written as text that names it everywhere: `<TeamEvents/TeamASubscriber/Queue.Arn>`
is the ARN of that queue both inside the subscriber and in the use case that nests it. So a rule compares plain values.
A value that cannot be determined is a text too, `<unresolved: ...>`, and a problem of the deployment.
"""

import base64
import hashlib
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fanout_wiring import _parameters
from fanout_wiring._intrinsics import NOTHING, UNRESOLVED, as_text, resolve, unresolved
from fanout_wiring._loading import Template, UnreadableTemplateError, load
from fanout_wiring._parameters import open_value
from fanout_wiring._values import as_list

APPLICATION = "AWS::Serverless::Application"
NESTED = {APPLICATION: "Location", "AWS::CloudFormation::Stack": "TemplateURL"}
FUNCTION = "AWS::Serverless::Function"
_KNOWN_TRANSFORMS = ("AWS::Serverless-2016-10-31", "AWS::LanguageExtensions")

PSEUDO = {
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}


@dataclass(frozen=True)
class Problem:
    """A mismatch, or a reference that the templates do not resolve."""

    path: str
    """the resource, as in `Resource.path`; an empty last part is the stack itself"""
    message: str
    outside: bool = False
    """Whether it is not a mistake: the templates end there"""


@dataclass
class Resource:
    """One resource of one deployment, with everything in it decided."""

    path: str
    logical_id: str
    type: str
    properties: dict[str, Any]
    declared: dict[str, Any]
    stack: "Stack"
    connectors: Any = None
    """the connectors embedded in it"""

    @property
    def arn(self) -> str:
        """Return its ARN."""
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
    _elsewhere: set[str] = field(default_factory=set)
    """the nested stacks whose template is not a local file"""

    def __post_init__(self) -> None:
        """Raises UnreadableTemplateError if the file is not a template."""
        self.template: Template = self.sources[self.file] if self.file in self.sources else load(self.file)
        self.resource_ids = self.template["Resources"]
        self._current = ""
        declared = self.template.get("Parameters") or {}
        for name in sorted(self.parameters.keys() - declared.keys() - PSEUDO.keys() - {"AWS::StackName"}):
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
                    # Only the parent can set it, and does not.
                    self.parameters[name] = int(self.parameters[name])

    def _problem(self, message: str, *, outside: bool = False) -> None:
        # A stack's own parameters are the matter of the resource that nests it.
        path = self.name(self._current) if self._current else self.path
        problem = Problem(path, message, outside)
        if problem not in self.problems:
            self.problems.append(problem)

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
                return as_text(self.resolve(left)) == as_text(self.resolve(right))
            case {"Fn::Not": [inner]}:
                return not self._holds(inner)
            case {"Fn::And": list(parts)}:
                return all(self._holds(part) for part in parts)
            case {"Fn::Or": list(parts)}:
                return any(self._holds(part) for part in parts)
        self._problem(f"a condition that these rules cannot decide: {expression}")
        return True

    # ------------------------------------------------------------------------------------------------ nested stacks
    @property
    def stack_name(self) -> str:
        """The name of the stack; that of a nested one ends in twelve characters that are always the same here."""
        if self.parent is None:
            return str(self.parameters.get("AWS::StackName", "fanout"))
        return f"{self.parent.stack_name}-{self.path.rsplit('/', 1)[-1]}-{random_suffix(self.path)}"

    def name(self, logical_id: str) -> str:
        """The path of a resource of this stack: `TeamEvents/TeamASubscriber/Queue`."""
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
                outside = not isinstance(location, str) or UNRESOLVED not in location
                if outside:
                    self._elsewhere.add(logical_id)
                self._problem("its template is not a local file, so what is in it cannot be judged", outside=outside)
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

    def reference(self, logical_id: str, attribute: str = "") -> Any:
        """Return the `!GetAtt` of a resource of this stack, or `!Ref` if no attribute is named."""
        if not self.exists(logical_id) and not self._made_by_sam(logical_id):
            if logical_id not in self.resource_ids and self._has_macro():
                return open_value(f"{logical_id}.{attribute}".rstrip("."), "macro")
            self._problem(f"it refers to {logical_id}, which is not there")
            return unresolved(f"{logical_id} is not there")
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

    def _has_macro(self) -> bool:
        """Whether a macro, which may be AWS::Include, adds to the template what only CloudFormation sees."""
        names = [
            each.get("Name") if isinstance(each, dict) else each for each in as_list(self.template.get("Transform"))
        ]
        return "Fn::Transform" in self.resource_ids or any(name not in _KNOWN_TRANSFORMS for name in names)

    def _output(self, logical_id: str, name: str) -> Any:
        child = self.child(logical_id)
        if logical_id in self._elsewhere:
            return open_value(f"{name} of {self.name(logical_id)}", "output")
        if child is None:
            return unresolved(f"output {name} of {logical_id}, whose template cannot be read")
        output = (child.template.get("Outputs") or {}).get(name)
        if output is None or ("Condition" in output and not child.condition(output["Condition"])):
            self._problem(f"{logical_id} ({child.file.name}) has no output {name}")
            return unresolved(f"{logical_id} has no output {name}")
        return child.resolve(output.get("Value"))

    def ref(self, name: str) -> Any:
        """Return the `!Ref` of a parameter or resource."""
        if name == "AWS::NoValue":
            return NOTHING
        if name == "AWS::StackName":
            return self.stack_name
        if name == "AWS::StackId":
            region, account = self.ref("AWS::Region"), self.ref("AWS::AccountId")
            unique = uuid.uuid5(uuid.NAMESPACE_URL, self.stack_name)
            return (
                f"arn:{self.ref('AWS::Partition')}:cloudformation:{region}:{account}:stack/{self.stack_name}/{unique}"
            )
        if name in PSEUDO:
            root = self
            while root.parent is not None:
                root = root.parent
            return root.parameters.get(name, PSEUDO[name])
        if name in self.parameters:
            return self.parameters[name]
        logical_id, _, attribute = name.partition(".")  # SAM's `Function.Alias`
        return self.reference(logical_id, attribute)

    def resolve(self, value: Any) -> Any:
        """Return the value with everything in it decided."""
        return resolve(value, self)

    # ---------------------------------------------------------------------------------------------------- resources
    def resources(self) -> Iterator[Resource]:
        """Every resource of this stack and of those nested in it."""
        for logical_id, declared in self.resource_ids.items():
            if logical_id == "Fn::Transform":
                self._problem("its macros add resources that cannot be judged", outside=True)
                continue
            if not isinstance(declared, dict) or "Type" not in declared:
                self._problem(f"{logical_id} cannot be followed, these rules know resources only")
                continue
            if not self.exists(logical_id):
                continue
            self._current = logical_id
            properties = declared.get("Properties") or {}
            if declared["Type"] == FUNCTION:
                properties = with_globals((self.template.get("Globals") or {}).get("Function") or {}, properties)
            resolved, connectors = self.resolve(properties), self.resolve(declared.get("Connectors"))
            self._current = ""
            yield Resource(
                path=self.name(logical_id),
                logical_id=logical_id,
                type=declared["Type"],
                properties=resolved if isinstance(resolved, dict) else {},
                declared=declared,
                stack=self,
                connectors=connectors,
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


def random_suffix(path: str) -> str:
    """Return a fixed text for the random suffix of a name that CloudFormation generates; the same for the same path."""
    return base64.b32encode(hashlib.sha256(path.encode()).digest())[:12].decode()


def with_globals(common: Any, own: Any) -> Any:
    """SAM's Globals: mappings are merged, everything else is replaced."""
    if isinstance(common, dict) and isinstance(own, dict):
        return {key: with_globals(common.get(key), own[key]) if key in own else common[key] for key in common | own}
    return common if own is None else own
