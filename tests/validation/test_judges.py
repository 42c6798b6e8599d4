"""Each judge of `make validate` finds what is planted for it, so none of them can be silently dead."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fanout_wiring import load
from validation import cfn_lint, checkov, iam_policies, moto_apis, state_machines
from validation.expansion import Expansion
from validation.findings import Finding
from validation.templates import batches

HERE = Path(__file__).parent
Template = dict[str, Any]

JUDGES: dict[str, Callable[[Expansion], list[Finding]]] = {
    "cfn-lint": lambda expansion: cfn_lint.judge(batches([expansion])).findings,
    "service models": lambda expansion: moto_apis.judge([expansion])[0].findings,
    "moto": lambda expansion: moto_apis.judge([expansion])[1].findings,
    "iam-policy-validator": lambda expansion: iam_policies.judge([expansion]).findings,
    "statelint": lambda expansion: state_machines.judge([expansion]).findings,
    "checkov": lambda expansion: checkov.judge(batches([expansion])).findings,
}


def found(judge: str, change: Callable[[Template], Any] = lambda template: None) -> set[Finding]:
    """What a judge says of sound.yaml after a change."""
    file = HERE / "sound.yaml"
    template = copy.deepcopy(load(file))
    change(template)
    return set(JUDGES[judge](Expansion(file, {}, {file: template})))


def setting(place: str, value: Any) -> Callable[[Template], None]:
    """Return what sets one value: `Queue/VisibilityTimeout` is that property of that resource."""

    def change(template: Template) -> None:
        logical_id, *keys = place.split("/")
        inner = template["Resources"][logical_id]["Properties"]
        for key in keys[:-1]:
            inner = inner[int(key) if key.isdigit() else key]
        inner[keys[-1]] = value

    return change


def adding(logical_id: str, kind: str) -> Callable[[Template], None]:
    """Return what adds a resource without properties."""

    def change(template: Template) -> None:
        template["Resources"][logical_id] = {"Type": kind}

    return change


NOWHERE = "arn:aws:sqs:us-east-1:123456789012:nowhere"
LOST = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}})
GRANT = "Role/Policies/0/PolicyDocument/Statement/0"
SENDER = "Policy/PolicyDocument/Statement/0/Principal"
FAULTS = [
    # A limit, a name and a value of a schema; one of them in a nested stack, where only the parent says the value.
    ("cfn-lint", "E3034", "Queue", setting("Queue/VisibilityTimeout", 43_201)),
    ("cfn-lint", "E3034", "Nested/Queue", setting("Nested/Parameters/Visibility", 43_201)),
    ("cfn-lint", "E3002", "Table", setting("Table/Encrypted", True)),
    ("cfn-lint", "E3030", "Alarm", setting("Alarm/ComparisonOperator", "Greater")),
    # Upper limits, an enumeration, a pattern and a name of AWS's models of its APIs.
    ("service models", "PutMetricAlarm", "Alarm", setting("Alarm/AlarmDescription", "x" * 1_025)),
    ("service models", "PublishVersion", "FunctionVersion*", setting("Function/VersionDescription", "x" * 257)),
    ("service models", "CreateTable", "Table", setting("Table/BillingMode", "FREE")),
    ("service models", "CreateFunction", "Function", setting("Function/Handler", "a handler")),
    ("service models", "PutMetricAlarm", "Alarm", setting("Alarm/Periods", 1)),
    # Values that only a service knows.
    ("moto", "Subscribe", "Subscription", setting("Subscription/FilterPolicy", {"type": [{"starts": "a"}]})),
    ("moto", "SetQueueAttributes", "Queue", setting("Queue/RedrivePolicy/deadLetterTargetArn", NOWHERE)),
    ("moto", "PutRolePolicy", "Role", setting(f"{GRANT}/Effect", "Permit")),
    ("moto", "CreateTable", "Table", setting("Table/KeySchema/0/AttributeName", "sk")),
    ("moto", "CreateEventSourceMapping", "*Messages", setting("Function/Events/Messages/Properties/Queue", NOWHERE)),
    # What no call carries is not judged, and is a finding for that reason.
    ("moto", "unknown type", "Cluster", adding("Cluster", "AWS::DSQL::Cluster")),
    ("moto", "unknown property", "Bucket", setting("Bucket/AccelerateConfiguration", {"Status": "Enabled"})),
    # An action, a resource, a condition key and a principal that IAM does not know.
    ("iam-policy-validator", "action_validation", "Role", setting(f"{GRANT}/Action", "sqs:ReceiveMessages")),
    ("iam-policy-validator", "action_resource_matching", "Role", setting(f"{GRANT}/Resource", "arn:aws:s3:::bucket")),
    (
        "iam-policy-validator",
        "condition_key_validation",
        "Role",
        setting(f"{GRANT}/Condition", {"StringEquals": {"sqs:Queue": "q"}}),
    ),
    ("iam-policy-validator", "principal_validation", "Policy", setting(SENDER, {"Service": "*"})),
    ("statelint", "definition", "Machine", setting("Machine/DefinitionString", LOST)),
    ("checkov", "CKV_AWS_53", "Bucket", setting("Bucket/PublicAccessBlockConfiguration/BlockPublicAcls", False)),
]


@pytest.mark.parametrize("judge", JUDGES)
def test_a_sound_template_has_no_finding(judge: str) -> None:
    assert found(judge) == set()


@pytest.mark.parametrize(
    ("judge", "check", "path", "plant"), FAULTS, ids=[f"{judge} {check} {path}" for judge, check, path, _ in FAULTS]
)
def test_a_planted_fault_is_found(judge: str, check: str, path: str, plant: Callable[[Template], None]) -> None:
    findings = found(judge, plant)
    matching = [each for each in findings if each.check == check and Path(each.path).match(path)]
    assert matching, f"{judge} says only {findings}"
