"""A resource whose condition turns false stays.

Symptom: an update that changes nothing but a parameter which switches resources on or off ends with
"No changes to deploy": what was switched off stays, what was switched on does not come.
Cause: `changesets._resolve_props_for_diff` keeps resources whose condition is false, so a resource looks
the same before and after.
Patch: what the condition leaves out is no part of the template that is compared.
It can go when upstream's change sets evaluate the conditions of resources.
"""

from typing import Any

from ministack.services.cloudformation import changesets

Template = dict[str, Any]


def apply() -> None:
    """Replace the function that prepares both templates for their comparison."""
    original = changesets._resolve_props_for_diff

    def resolve(template: Template, params: Template, stack_name: str, stack_id: str) -> Template:
        resolved: Template = original(template, params, stack_name, stack_id)
        if not resolved:
            return resolved
        conditions = changesets._evaluate_conditions(template, params)
        resources = resolved.get("Resources", {})
        there = {name: each for name, each in resources.items() if conditions.get(each.get("Condition"), True)}
        return {**resolved, "Resources": there}

    changesets._resolve_props_for_diff = resolve
