"""The application as one deployment sees it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fanout_wiring._connectors import generated_policies
from fanout_wiring._loading import Template
from fanout_wiring._stack import Problem, Resource, Stack


class Composition:
    """One deployment: a template with parameters, and everything nested in it."""

    def __init__(
        self, file: Path, parameters: Mapping[str, Any], sources: Mapping[Path, Template] | None = None
    ) -> None:
        """parameters: the deployment's; one without default and value stays open. sources: templates
        to use in place of the files. Raises UnreadableTemplateError if `file` is no template."""
        self.problems: list[Problem] = []
        self.root = Stack(file, "", dict(parameters), sources or {}, self.problems)
        self.resources = list(self.root.resources())
        self._by_arn = {resource.arn: resource for resource in self.resources}
        self._by_type: dict[str, list[Resource]] = {}
        for resource in (*self.resources, *generated_policies(self.resources)):
            self._by_type.setdefault(resource.type, []).append(resource)

    def of(self, *types: str) -> list[Resource]:
        """The resources of the given types, those that SAM generates from connectors included."""
        return [resource for kind in types for resource in self._by_type.get(kind, [])]

    def by_arn(self, arn: Any) -> Resource | None:
        """The resource with that ARN, if it is part of the deployment."""
        return self._by_arn.get(arn) if isinstance(arn, str) else None
