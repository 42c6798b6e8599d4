"""Change sets do not see resources that a condition brings or takes away.

Symptom: a deployment that only switches a parameter (DeployTeamEvents=false) ends with "No changes to deploy".
Cause: `changesets._resolve_props_for_diff` resolves what stands in the templates before they are compared, but keeps
resources whose condition is false, so both sides have the same ones.
Patch: those are left out on both sides.
It can go when upstream leaves them out, which the test on the unpatched engine shows.
"""

from collections.abc import Callable
from typing import Any

from ministack.services.cloudformation import changesets


def apply() -> None:
    """Wrap the preparation of templates for comparison."""
    original: Callable[..., dict[str, Any]] = changesets._resolve_props_for_diff

    def resolve(template: dict[str, Any], params: dict[str, Any], *names: str) -> dict[str, Any]:
        resolved = original(template, params, *names)
        conditions = changesets._evaluate_conditions(template, params) if resolved else {}
        present = {
            logical_id: resource
            for logical_id, resource in resolved.get("Resources", {}).items()
            if conditions.get(resource.get("Condition"), True)
        }
        return {**resolved, "Resources": present} if resolved else resolved

    changesets._resolve_props_for_diff = resolve
