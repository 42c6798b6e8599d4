"""The resources of many stacks as few templates, for judges that take their time for each template."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from validation.expansion import Expansion

# Below the 80 % of CloudFormation's limit of 500 at which cfn-lint warns.
_MOST_RESOURCES = 400


@dataclass(frozen=True)
class Batch:
    """One template, and where its resources come from."""

    template: dict[str, Any]
    paths: dict[str, str]
    """{logical id: path of the resource}"""

    def origin(self, logical_id: str) -> tuple[str, str]:
        """Return the path and the type of a resource; both empty if no resource has that id."""
        resource = self.template["Resources"].get(logical_id, {})
        return self.paths.get(logical_id, ""), resource.get("Type", "")


def batches(expansions: Iterable[Expansion]) -> Iterator[Batch]:
    """Yield every resource once for each value that its declaration has in any deployment."""
    seen: set[str] = set()
    for expansion in expansions:
        fresh: list[tuple[str, dict[str, Any]]] = []
        for path, resource in expansion.declarations.items():
            text = json.dumps([path, resource], sort_keys=True)
            if text not in seen:
                seen.add(text)
                fresh.append((path, resource))
        for first in range(0, len(fresh), _MOST_RESOURCES):
            some = {f"R{number}": each for number, each in enumerate(fresh[first : first + _MOST_RESOURCES])}
            resources = {logical_id: resource for logical_id, (_, resource) in some.items()}
            template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}
            yield Batch(template, {logical_id: path for logical_id, (path, _) in some.items()})
