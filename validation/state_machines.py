"""statelint: every state machine's definition against the specification of the Amazon States Language."""

import json
from collections.abc import Iterable

from statelint.linter import Linter

from validation.expansion import Expansion
from validation.findings import Finding, Verdict

NAME = "statelint"


def judge(expansions: Iterable[Expansion]) -> Verdict:
    """Judge every distinct definition of the deployments."""
    distinct = {
        json.dumps([resource.path, resource.properties]): resource
        for expansion in expansions
        for resource in expansion.resources
        if resource.type == "AWS::StepFunctions::StateMachine"
    }
    findings = [
        Finding(NAME, "definition", resource.path, resource.type, problem)
        for resource in distinct.values()
        for problem in Linter.validate(resource.properties["DefinitionString"])
    ]
    return Verdict(NAME, f"{len(distinct)} state machines", findings)
