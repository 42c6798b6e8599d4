"""Adapts the rules to cfn-lint: applies them to each deployment of a template, and locates the findings."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from cfnlint.rules import CloudFormationLintRule, RuleMatch

from fanout_wiring._composition import Composition
from fanout_wiring._deployments import Choice, Choices, combinations
from fanout_wiring._graph import Graph
from fanout_wiring._loading import line_of
from fanout_wiring._stack import Resource, Stack
from fanout_wiring._values import as_dict, as_list

PAGE = "https://docs.aws.amazon.com/"


@dataclass(frozen=True)
class Finding:
    """What is wrong with one resource, and how to fix it, in one sentence."""

    resource: Resource
    keys: tuple[str | int, ...]
    """where in the resource: ("Properties", "RedrivePolicy")"""
    message: str


class Deployments:
    """All deployments of one template, each built once for all rules."""

    def __init__(self, file: Path, template: dict[str, Any]) -> None:
        """template: what is in the file, as cfn-lint has read it: from an editor, it may not be saved yet."""
        self.file = file
        self._sources = {file: template}
        self.choices = combinations(Choices(self._sources).of(file))
        self._graphs: dict[str, Graph] = {}

    def graph(self, choice: Choice) -> Graph:
        """Return the deployment with these parameters."""
        name = repr(sorted(choice.items()))
        if name not in self._graphs:
            self._graphs[name] = Graph(Composition(self.file, choice, self._sources))
        return self._graphs[name]


_last: tuple[Any, Deployments] | None = None


def deployments(cfn: Any) -> Deployments:
    """Return the deployments of the template that cfn-lint is at; its rules come to it one after the other."""
    global _last  # noqa: PLW0603 - cfn-lint hands its rules nothing else to keep things in
    if _last is None or _last[0] is not cfn:
        file = Path(cfn.filename).resolve() if cfn.filename else Path.cwd() / "(standard input)"
        _last = (cfn, Deployments(file, cfn.template))
    return _last[1]


class WiringRule(CloudFormationLintRule):  # type: ignore[misc] # cfn-lint is not typed
    """A rule about deployments. A subclass gives id, texts and `findings`."""

    tags: ClassVar[list[str]] = ["wiring", "sns", "sqs", "lambda"]
    page: str = ""
    """the page of AWS's documentation behind the rule"""
    always = False
    """Whether it is a finding only if no deployment does it right: what a person may switch off is theirs to decide."""

    def findings(self, graph: Graph) -> Iterator[Finding]:
        """Yield what is wrong in one deployment."""
        raise NotImplementedError

    def match(self, cfn: Any) -> list[RuleMatch]:
        """Return what is wrong in any deployment, once, each with the parameters that show it."""
        template = cfn.template
        if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
            return []
        every = deployments(cfn)
        found: dict[tuple[str, tuple[str | int, ...], str], tuple[Finding, Choice]] = {}
        right: set[str] = set()
        for choice in every.choices:
            graph = every.graph(choice)
            wrong = set()
            for finding in self.findings(graph):
                wrong.add(finding.resource.path)
                found.setdefault((finding.resource.path, finding.keys, finding.message), (finding, choice))
            if self.always:
                right |= {resource.path for resource in graph.resources} - wrong
        return [
            self._match(every, finding, choice)
            for (path, _, _), (finding, choice) in found.items()
            if path not in right and not self._suppressed(finding)
        ]

    def _suppressed(self, finding: Finding) -> bool:
        """cfn-lint itself looks only at the template it lints; a nested one may say so too."""
        holders = [finding.resource.declared, finding.resource.stack.template]
        return any(self.id.startswith(str(check)) for holder in holders for check in ignored(holder))

    def _match(self, every: Deployments, finding: Finding, choice: Choice) -> RuleMatch:
        resource = finding.resource
        text = finding.message
        path: list[str | int] = ["Resources", *resource.path.split("/")[:1]]
        if resource.stack.parent is None:
            path += finding.keys
        else:
            file = resource.stack.file
            line = line_of(file, ["Resources", resource.logical_id, *finding.keys])
            text += f" [{resource.path}, {file.name} line {line}]"
        choice = self._shrunk(every, finding, choice)
        if choice:
            text += f" (with {', '.join(f'{name}={_shown(value)}' for name, value in sorted(choice.items()))})"
        return RuleMatch(path, text)

    def _shrunk(self, every: Deployments, finding: Finding, choice: Choice) -> Choice:
        """Remove the parameters that the finding does not depend on."""
        for name in sorted(choice):
            fewer = {other: value for other, value in choice.items() if other != name}
            if any(
                (found.resource.path, found.keys, found.message)
                == (finding.resource.path, finding.keys, finding.message)
                for found in self.findings(every.graph(fewer))
            ):
                choice = fewer
        return choice


def ignored(holder: dict[str, Any]) -> list[Any]:
    """Return the checks that a template or one of its resources asks cfn-lint to leave out."""
    config = as_dict(as_dict(as_dict(holder.get("Metadata")).get("cfn-lint")).get("config"))
    return as_list(config.get("ignore_checks"))


def nesting(stack: Stack, path: str) -> Resource | None:
    """Return the resource with that path as something to place a finding at: in the stack, or one nested in it.

    The path of the whole is empty: its first resource stands for it.
    """
    path = path or next(iter(stack.resource_ids), "")
    for each in stack.stacks():
        logical_id = path.removeprefix(f"{each.path}/" if each.path else "")
        declared = each.resource_ids.get(logical_id)
        if each.name(logical_id) == path and isinstance(declared, dict | list):
            kind = str(declared.get("Type", "")) if isinstance(declared, dict) else ""
            return Resource(path, logical_id, kind, {}, declared if isinstance(declared, dict) else {}, each)
    return None


def _shown(value: Any) -> str:
    text = str(value)
    return "..." if text.startswith("<parameter ") else text or '""'
