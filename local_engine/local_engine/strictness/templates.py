"""What CloudFormation refuses in a template and its parameters, before it touches any resource.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html
The sources of the error texts are in engine_tests/refusals/stacks.py.
"""

import graphlib
import re
from collections.abc import Iterator
from typing import Any

from ministack.services.cloudformation import changesets, engine, handlers

Template = dict[str, Any]
Conditions = dict[str, bool]

_SECTIONS = {
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Hooks",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
}
_NAMED = {"Resources": "Resource", "Outputs": "Output", "Parameters": "Parameter", "Mappings": "Mapping"}
_ATTRIBUTES = {
    "Condition",
    "CreationPolicy",
    "DeletionPolicy",
    "DependsOn",
    "Description",
    "Metadata",
    "Properties",
    "Type",
    "UpdatePolicy",
    "UpdateReplacePolicy",
}
_POLICIES = {
    "DeletionPolicy": {"Delete", "Retain", "RetainExceptOnCreate", "Snapshot"},
    "UpdateReplacePolicy": {"Delete", "Retain", "Snapshot"},
}
_WITH_SNAPSHOTS = {
    "AWS::DocDB::DBCluster",
    "AWS::EC2::Volume",
    "AWS::ElastiCache::CacheCluster",
    "AWS::ElastiCache::ReplicationGroup",
    "AWS::Neptune::DBCluster",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::Redshift::Cluster",
}
_PARAMETER_TYPE = re.compile(r"String|Number|List<Number>|CommaDelimitedList|AWS::.+|List<AWS::.+>")
_SUBSTITUTED = re.compile(r"\$\{([^!][^}]*)\}")


def apply() -> None:
    """Validate templates and parameters in CreateStack, UpdateStack, CreateChangeSet and ValidateTemplate."""
    support, resolve = engine.validate_template_support, engine._resolve_parameters

    def validate_support(template: Template, conditions: Conditions, params: dict[str, Any] | None = None) -> None:
        _validate_sections(template)
        support(template, conditions, params=params)
        # A transform writes resources of its own, so ValidateTemplate cannot follow references through one.
        if not template.get("Transform"):
            _validate_resources(template)
            _validate_references(template, conditions if params is not None else None)

    def resolve_parameters(template: Template, provided: list[dict[str, Any]], previous: Any = None) -> dict[str, Any]:
        _validate_parameter_names(template.get("Parameters") or {}, provided)
        try:
            resolved: dict[str, Any] = resolve(template, provided, previous)
        except ValueError as error:
            raise ValueError(_as_aws_says(str(error))) from error
        return resolved

    for module in (handlers, changesets):
        module.validate_template_support = validate_support
        module._resolve_parameters = resolve_parameters
    engine._constraint_error = _constraint_error


def _constraint_error(name: str, definition: dict[str, Any], reason: str) -> ValueError:
    description = definition.get("ConstraintDescription")
    if description:
        return ValueError(f"Parameter {name} failed to satisfy constraint: {description}")
    return ValueError(f"Parameter '{name}' {reason}")


def _as_aws_says(text: str) -> str:
    text = re.sub(r"^(Parameter '\w+') value .* is not in AllowedValues: .*", r"\1 must be one of AllowedValues", text)
    return re.sub(r"^(Parameter '\w+') value .* is not a valid Number$", r"\1 must be a number.", text)


def _validate_parameter_names(defined: dict[str, Any], provided: list[dict[str, Any]]) -> None:
    given = [entry["Key"] for entry in provided if "Key" in entry]
    unknown = [name for name in given if name not in defined]
    if unknown:
        raise ValueError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    missing = [name for name, definition in defined.items() if "Default" not in definition and name not in given]
    if missing:
        raise ValueError(f"Parameters: [{', '.join(missing)}] must have values")


def _validate_sections(template: Template) -> None:
    unknown = sorted(set(template) - _SECTIONS - ({"Globals"} if template.get("Transform") else set()))
    if unknown:
        raise ValueError(f"Invalid template property or properties [{', '.join(unknown)}]")
    if not template.get("Resources"):
        raise ValueError("Template format error: At least one Resources member must be defined.")
    for section, word in _NAMED.items():
        for name in template.get(section) or {}:
            if not re.fullmatch("[A-Za-z0-9]+", str(name)) and not str(name).startswith("Fn::ForEach::"):
                raise ValueError(f"Template format error: {word} name {name} is non alphanumeric.")
    for name, parameter in (template.get("Parameters") or {}).items():
        if not _PARAMETER_TYPE.fullmatch(str(parameter.get("Type"))):
            raise ValueError(
                f"Template format error: Parameter {name} has an unrecognized type: {parameter.get('Type')}"
            )


def _validate_resources(template: Template) -> None:
    for name, resource in template["Resources"].items():
        if not resource.get("Type"):
            raise ValueError(
                f"Template format error: [/Resources/{name}] Every Resources object must contain a Type member."
            )
        for attribute in resource:
            if attribute not in _ATTRIBUTES:
                raise ValueError(f"Invalid template resource property '{attribute}'")
        for attribute, accepted in _POLICIES.items():
            policy = resource.get(attribute, "Delete")
            if not isinstance(policy, str):
                raise ValueError(f"Template format error: Every {attribute} member must be a string.")  # noqa: TRY004
            if policy not in accepted:
                raise ValueError(f"Template format error: Unrecognized {attribute} {policy} for resource {name}")
        if resource.get("DeletionPolicy") == "Snapshot" and resource["Type"] not in _WITH_SNAPSHOTS:
            raise ValueError(
                f"Template error: resource type {resource['Type']} does not support deletion policy Snapshot"
            )


def _validate_references(template: Template, conditions: Conditions | None) -> None:
    resources = template["Resources"]
    parameters = set(template.get("Parameters") or {})
    present = {name for name, resource in resources.items() if _holds(resource, conditions)}
    for section in ("Resources", "Outputs"):
        unresolved = set()
        for member in (template.get(section) or {}).values():
            _require_condition(member.get("Condition"), template)
            known = parameters | set(resources)
            unresolved |= {name for name in _references(member, None) if name not in known}
            unresolved |= {name for name in _depends_on(member) if name not in resources}
            if _holds(member, conditions):
                unresolved |= {name for name in _references(member, conditions) if name not in parameters | present}
            for condition in _conditions_used(member):
                _require_condition(condition, template)
        if unresolved:
            raise ValueError(
                f"Template format error: Unresolved resource dependencies [{', '.join(sorted(unresolved))}] "
                f"in the {section} block of the template"
            )
    for name, output in (template.get("Outputs") or {}).items():
        if any(reference in resources for reference in _references(output.get("Export"), None)):
            raise ValueError(
                f"Template format error: Output {name} is malformed.  The Name field of Export must not depend on "
                "any resources, imported values, or Fn::GetAZs."
            )
    _require_no_circle({name: resources[name] for name in present}, conditions)


def _require_condition(name: str | None, template: Template) -> None:
    if name is not None and name not in (template.get("Conditions") or {}):
        raise ValueError(f"Template format error: Condition {name} is not defined in the Conditions block")


def _require_no_circle(resources: dict[str, Any], conditions: Conditions | None) -> None:
    needs = {
        name: {other for other in (*_references(resource, conditions), *_depends_on(resource)) if other in resources}
        for name, resource in resources.items()
    }
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        circle = ", ".join(sorted(set(error.args[1])))
        raise ValueError(f"Circular dependency between resources: [{circle}]") from None


def _holds(member: dict[str, Any], conditions: Conditions | None) -> bool:
    return conditions is None or "Condition" not in member or conditions.get(member["Condition"], True)


def _depends_on(member: dict[str, Any]) -> list[str]:
    named = member.get("DependsOn") or []
    return [named] if isinstance(named, str) else list(named)


def _references(node: Any, conditions: Conditions | None) -> Iterator[str]:
    """Yield the parameters and resources that a value refers to; with conditions, in the branches that they choose."""
    if isinstance(node, list):
        for item in node:
            yield from _references(item, conditions)
    if not isinstance(node, dict):
        return
    if len(node) == 1:
        ((function, value),) = node.items()
        if function == "Ref" and isinstance(value, str):
            if not value.startswith("AWS::"):
                yield value
            return
        if function == "Fn::GetAtt":
            yield (value if isinstance(value, str) else str(value[0])).split(".")[0]
            return
        if function == "Fn::Sub":
            yield from _substituted(value, conditions)
            return
        if function == "Fn::If" and conditions is not None and value[0] in conditions:
            yield from _references(value[1 if conditions[value[0]] else 2], conditions)
            return
    for value in node.values():
        yield from _references(value, conditions)


def _substituted(value: Any, conditions: Conditions | None) -> Iterator[str]:
    text, variables = (value, {}) if isinstance(value, str) else value
    for name in _SUBSTITUTED.findall(text):
        if name not in variables and not name.startswith("AWS::"):
            yield name.strip().split(".")[0]
    yield from _references(variables, conditions)


def _conditions_used(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if set(node) == {"Fn::If"}:
            yield node["Fn::If"][0]
        for value in node.values():
            yield from _conditions_used(value)
    elif isinstance(node, list):
        for item in node:
            yield from _conditions_used(item)
