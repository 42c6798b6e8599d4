"""A suppression of a rule must state its reason, so that a reader can check whether it still applies."""

from collections.abc import Iterator
from typing import Any

from fanout_wiring._graph import Graph
from fanout_wiring._rule import Finding, WiringRule, ignored
from fanout_wiring._stack import Resource
from fanout_wiring._values import as_dict

_OURS = "E91"


class SuppressionWithoutReason(WiringRule):
    """cfn-lint reads suppressions from Metadata, so the reason is there too."""

    id = "E9116"
    shortdesc = "A suppression of one of these rules has a reason"
    description = "Metadata: {cfn-lint: {config: {ignore_checks: [E9113]}, reasons: {E9113: why}}}"
    page = source_url = "https://github.com/aws-cloudformation/cfn-lint#metadata"

    def findings(self, graph: Graph) -> Iterator[Finding]:
        for stack in graph.composition.root.stacks():
            first = next(iter(stack.resource_ids))
            whole = Resource(stack.name(first), first, "", {}, stack.template, stack)
            yield from _silent(whole, stack.template, "the template")
        for resource in graph.resources:
            yield from _silent(resource, resource.declared, resource.logical_id)


def _silent(resource: Resource, holder: dict[str, Any], name: str) -> Iterator[Finding]:
    reasons = as_dict(as_dict(as_dict(holder.get("Metadata")).get("cfn-lint")).get("reasons"))
    for check in map(str, ignored(holder)):
        ours = check.startswith(_OURS) or _OURS.startswith(check)
        if ours and not str(reasons.get(check) or "").strip():
            message = f"{name} suppresses {check} and does not say why; add reasons: {{{check}: ...}} beside config"
            yield Finding(resource, ("Metadata",), message)
