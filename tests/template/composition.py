"""The application as one deployment sees it: nested templates loaded, parameters handed down, conditions decided.

What a reference points to is written as text that names it wherever it is used: `<TeamEvents/TeamAInbox/Queue.Arn>` is
the ARN of that queue both inside the inbox and in the stack that subscribes it. So a rule compares plain values.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
APPLICATION = "AWS::Serverless::Application"
FUNCTION = "AWS::Serverless::Function"
_PSEUDO = {
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}
_NOTHING = object()


class BrokenTemplateError(Exception):
    """A template refers to what is not there under the given parameters. The message names stack and reference."""


class _Loader(yaml.CSafeLoader):
    """Reads CloudFormation's short forms (`!Ref X`) as the long ones."""


def _short_form(loader: yaml.CSafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


@cache
def load(file: Path) -> dict[str, Any]:
    """Return a template. It is loaded once for all: change a copy."""
    template: dict[str, Any] = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    return template


def templates() -> list[Path]:
    """Return every template of the application."""
    return [
        ROOT / "template.yaml",
        *sorted(ROOT.glob("platform/*.yaml")),
        *sorted(ROOT.glob("usecases/*/template.yaml")),
    ]


@dataclass
class Resource:
    """One resource of one deployment, with everything in it decided."""

    path: str
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
    sources: Mapping[Path, dict[str, Any]]
    children: dict[str, "Stack"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.template = self.sources[self.file] if self.file in self.sources else load(self.file)
        declared = self.template.get("Parameters", {})
        if unknown := self.parameters.keys() - declared.keys():
            raise BrokenTemplateError(f"{self.path or 'root'} is given parameters it does not have: {sorted(unknown)}")
        for name, about in declared.items():
            if name not in self.parameters:
                if "Default" not in about:
                    raise BrokenTemplateError(f"{self.path or 'root'} is not given its parameter {name}")
                self.parameters[name] = about["Default"]
            if about["Type"] == "Number":
                self.parameters[name] = int(self.parameters[name])

    def condition(self, name: str) -> bool:
        """Whether a condition of this stack holds."""
        return self._holds(self.template["Conditions"][name])

    def _holds(self, expression: Any) -> bool:
        ((function, operands),) = expression.items()
        match function:
            case "Condition":
                return self.condition(operands)
            case "Fn::Equals":
                left, right = (str(self.resolve(operand)) for operand in operands)
                return left == right
            case "Fn::Not":
                return not self._holds(operands[0])
            case "Fn::And":
                return all(self._holds(operand) for operand in operands)
            case "Fn::Or":
                return any(self._holds(operand) for operand in operands)
        raise BrokenTemplateError(f"{self.path}: no such condition function: {function}")

    def name(self, logical_id: str) -> str:
        """The path of a resource of this stack: `TeamEvents/TeamAInbox/Queue`."""
        return f"{self.path}/{logical_id}" if self.path else logical_id

    def child(self, logical_id: str) -> "Stack":
        """The nested stack with that logical id."""
        if logical_id not in self.children:
            properties = self.template["Resources"][logical_id]["Properties"]
            self.children[logical_id] = Stack(
                file=(self.file.parent / properties["Location"]).resolve(),
                path=self.name(logical_id),
                parameters=self.resolve(properties.get("Parameters", {})),
                sources=self.sources,
            )
        return self.children[logical_id]

    def exists(self, logical_id: str) -> bool:
        """Whether the resource is part of this deployment."""
        declared = self.template["Resources"].get(logical_id)
        return declared is not None and ("Condition" not in declared or self.condition(declared["Condition"]))

    def _is_mapping(self, logical_id: str) -> bool:
        """Whether SAM makes the resource of a function's event: `CaptureFunction` + `Changes`."""
        return any(
            self.exists(name) and logical_id == f"{name}{event}"
            for name, declared in self.template["Resources"].items()
            if declared["Type"] == FUNCTION
            for event in declared["Properties"].get("Events", {})
        )

    def _reference(self, logical_id: str, attribute: str = "") -> Any:
        if not self.exists(logical_id) and not self._is_mapping(logical_id):
            raise BrokenTemplateError(f"{self.path or 'root'} refers to {logical_id}, which is not there")
        if attribute.startswith("Outputs."):
            child = self.child(logical_id)
            output = child.template.get("Outputs", {}).get(attribute.removeprefix("Outputs."))
            if output is None or ("Condition" in output and not child.condition(output["Condition"])):
                raise BrokenTemplateError(f"{child.path} has no output {attribute.removeprefix('Outputs.')}")
            return child.resolve(output["Value"])
        return f"<{self.name(logical_id)}{'.' if attribute else ''}{attribute}>"

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NOTHING
        if name == "AWS::StackName":
            return self.path or "fanout"
        if name == "AWS::StackId":
            name = self.path.replace("/", "-") or "fanout"
            return f"arn:aws:cloudformation:us-east-1:111122223333:stack/{name}/id-of-{name}"
        if name in _PSEUDO:
            return _PSEUDO[name]
        if name in self.parameters:
            return self.parameters[name]
        logical_id, _, attribute = name.partition(".")  # SAM's `Function.Alias`
        return self._reference(logical_id, attribute)

    def resolve(self, value: Any) -> Any:
        """Return the value with everything in it decided."""
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not _NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, operand),) = value.items()
            if function == "Ref":
                return self._ref(operand)
            if function.startswith("Fn::"):
                return self._apply(function, operand)
        return {key: item for key, inner in value.items() if (item := self.resolve(inner)) is not _NOTHING}

    def _apply(self, function: str, operand: Any) -> Any:  # noqa: PLR0911 - one per function
        match function:
            case "Fn::GetAtt":
                return self._reference(*operand)
            case "Fn::If":
                return self.resolve(operand[1] if self.condition(operand[0]) else operand[2])
            case "Fn::Sub":
                text, values = operand if isinstance(operand, list) else (operand, {})
                text = re.sub(r"\$\{([^!}][^}]*)\}", lambda found: self._substitute(found[1], values), text)
                return text.replace("${!", "${")  # what is to stand there as it is
            case "Fn::Split":
                return str(self.resolve(operand[1])).split(operand[0])
            case "Fn::Join":
                return str(operand[0]).join(map(str, self.resolve(operand[1])))
            case "Fn::Select":
                return self.resolve(operand[1])[int(operand[0])]
            case "Fn::Base64":
                return base64.b64encode(str(self.resolve(operand)).encode()).decode()
        raise BrokenTemplateError(f"{self.path}: the tests do not know {function}; teach tests/template/composition.py")

    def _substitute(self, name: str, values: Mapping[str, Any]) -> str:
        if name in values:
            return str(self.resolve(values[name]))
        logical_id, dot, attribute = name.partition(".")
        return str(self._reference(logical_id, attribute) if dot else self._ref(name))

    def resources(self) -> Iterator[Resource]:
        """Every resource of this stack and of those nested in it."""
        for logical_id, declared in self.template["Resources"].items():
            if not self.exists(logical_id):
                continue
            properties = declared.get("Properties", {})
            if declared["Type"] == FUNCTION:
                properties = _merge(self.template.get("Globals", {}).get("Function", {}), properties)
            yield Resource(self.name(logical_id), declared["Type"], self.resolve(properties), declared, self)
            if declared["Type"] == APPLICATION:
                yield from self.child(logical_id).resources()

    def stacks(self) -> Iterator["Stack"]:
        """This stack and all nested in it."""
        yield self
        for logical_id, declared in self.template["Resources"].items():
            if declared["Type"] == APPLICATION and self.exists(logical_id):
                yield from self.child(logical_id).stacks()


def _merge(common: Any, own: Any) -> Any:
    """SAM's Globals: mappings are merged, everything else is replaced."""
    if isinstance(common, dict) and isinstance(own, dict):
        return {key: _merge(common.get(key), own[key]) if key in own else common[key] for key in common | own}
    return common if own is None else own


class Composition:
    """One deployment: a template with parameters, and everything nested in it."""

    def __init__(
        self, file: Path, parameters: Mapping[str, Any], sources: Mapping[Path, dict[str, Any]] | None = None
    ) -> None:
        self.root = Stack(file, "", dict(parameters), sources or {})
        self.resources = list(self.root.resources())

    def of(self, *types: str) -> list[Resource]:
        """The resources of the given types."""
        return [resource for resource in self.resources if resource.type in types]

    def by_arn(self, arn: Any) -> Resource | None:
        """The resource with that ARN, if it is part of the deployment."""
        return next((resource for resource in self.resources if resource.arn == arn), None)
