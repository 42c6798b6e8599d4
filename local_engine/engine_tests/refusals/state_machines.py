"""What Step Functions refuses."""

import json
from typing import Any

from engine_tests.aws import Aws
from engine_tests.refusals.refusal import Refusal

_SPECIFICATION = "https://states-language.net/spec.html"
_API = "https://docs.aws.amazon.com/step-functions/latest/apireference"
_INVOKE = "arn:aws:states:::lambda:invoke"
_DONE = {"Type": "Succeed"}


def _trusting(service: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _role(aws: Aws, service: str = "states.amazonaws.com") -> str:
    trust = json.dumps(_trusting(service))
    arn: str = aws.iam.create_role(RoleName=aws.name("role"), AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    return arn


def _machine(aws: Aws, definition: Any, role: str | None = None) -> str:
    text = definition if isinstance(definition, str) else json.dumps(definition)
    made: str = aws.stepfunctions.create_state_machine(
        name=aws.name("machine"), roleArn=role or _role(aws), definition=text
    )["stateMachineArn"]
    return made


def _rule(id: str, rule: str, text: str, *, source: str = _SPECIFICATION, start: str = "One", **states: Any) -> Refusal:
    definition = {"StartAt": start, "States": states}
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": _trusting("states.amazonaws.com")}}
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {"RoleArn": {"Fn::GetAtt": ["Role", "Arn"]}, "Definition": definition},
    }
    return Refusal(
        id=f"states-{id}",
        rule=rule,
        source=source,
        code="InvalidDefinition",
        text=text,
        held="strictness/state_machines.py",
        call=lambda aws: _machine(aws, definition),
        template={"Resources": {"Role": role, "Machine": machine}},
    )


def _called(id: str, rule: str, code: str, text: str, call: Any, *, source: str) -> Refusal:
    return Refusal(
        id=f"states-{id}",
        rule=rule,
        source=source,
        code=code,
        text=text,
        held="strictness/state_machines.py",
        call=call,
    )


def _start(aws: Aws, **request: Any) -> None:
    aws.stepfunctions.start_execution(
        stateMachineArn=_machine(aws, {"StartAt": "One", "States": {"One": _DONE}}), **request
    )


def _start_twice(aws: Aws) -> None:
    arn = _machine(aws, {"StartAt": "One", "States": {"One": {"Type": "Wait", "Seconds": 60, "End": True}}})
    aws.stepfunctions.start_execution(stateMachineArn=arn, name="planted", input="{}")
    aws.stepfunctions.start_execution(stateMachineArn=arn, name="planted", input='{"other": 1}')


REFUSALS = (
    _called(
        "a-definition-is-json",
        "A definition is JSON",
        "InvalidDefinition",
        "Invalid State Machine Definition: 'INVALID_JSON_DESCRIPTION",
        lambda aws: _machine(aws, "{"),
        source=f"{_API}/API_CreateStateMachine.html",
    ),
    _rule(
        "a-transition-leads-to-a-state",
        "Next names a state of the same machine",
        "MISSING_TRANSITION_TARGET: Missing 'Next' target: Two at /States/One/Next",
        source="https://github.com/localstack/localstack/issues/11978",
        One={"Type": "Pass", "Next": "Two"},
    ),
    _rule(
        "a-machine-starts-at-a-state",
        "StartAt names a state",
        "MISSING_TRANSITION_TARGET: Missing 'Next' target: Zero at /StartAt",
        source="https://github.com/aws-cloudformation/cfn-lint/issues/4074",
        start="Zero",
        One=_DONE,
    ),
    _rule(
        "a-state-is-reachable",
        "Every state can be reached",
        'MISSING_TRANSITION_TARGET: State "Two" is not reachable. at /States/Two',
        source="https://github.com/aws-cloudformation/cfn-lint/issues/4073",
        One=_DONE,
        Two=_DONE,
    ),
    _rule(
        "a-caught-error-leads-to-a-state",
        "Catch names states",
        "MISSING_TRANSITION_TARGET: Missing 'Next' target: Two at /States/One/Catch[0]/Next",
        source="https://github.com/floci-io/floci/pull/2786",
        One={
            "Type": "Task",
            "Resource": _INVOKE,
            "End": True,
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Two"}],
        },
    ),
    _rule("a-state-goes-on-or-ends", "A state has Next or End", "SCHEMA_VALIDATION_FAILED", One={"Type": "Pass"}),
    _rule(
        "a-state-type-exists",
        "A state's type is one of eight",
        "SCHEMA_VALIDATION_FAILED",
        One={"Type": "Job", "End": True},
    ),
    _rule(
        "a-state-has-the-fields-of-its-type",
        "A state has the fields of its type only",
        "SCHEMA_VALIDATION_FAILED: Field is not supported: Retries at /States/One/Retries",
        One={"Type": "Task", "Resource": _INVOKE, "End": True, "Retries": []},
    ),
    _rule(
        "a-task-has-a-resource",
        "A task names its resource",
        "SCHEMA_VALIDATION_FAILED",
        One={"Type": "Task", "End": True},
    ),
    _rule(
        "a-choice-has-choices",
        "A choice has at least one rule",
        "SCHEMA_VALIDATION_FAILED",
        One={"Type": "Choice", "Choices": []},
    ),
    _rule(
        "a-map-has-a-processor",
        "A map has states for its items",
        "SCHEMA_VALIDATION_FAILED",
        One={"Type": "Map", "End": True},
    ),
    _rule(
        "the-catch-all-comes-last",
        "States.ALL stands alone, in the last retrier or catcher",
        "SCHEMA_VALIDATION_FAILED",
        One={
            "Type": "Task",
            "Resource": _INVOKE,
            "End": True,
            "Retry": [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["States.Timeout"]}],
        },
    ),
    _rule(
        "a-heartbeat-is-shorter-than-the-timeout",
        "HeartbeatSeconds is smaller than TimeoutSeconds",
        "SCHEMA_VALIDATION_FAILED",
        One={"Type": "Task", "Resource": _INVOKE, "TimeoutSeconds": 10, "HeartbeatSeconds": 20, "End": True},
    ),
    _called(
        "a-role-trusts-step-functions",
        "A machine's role can be assumed by Step Functions",
        "AccessDeniedException",
        "states.amazonaws.com",
        lambda aws: _machine(aws, {"StartAt": "One", "States": {"One": _DONE}}, _role(aws, "lambda.amazonaws.com")),
        source="https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html",
    ),
    _called(
        "an-input-is-json",
        "An execution's input is JSON",
        "InvalidExecutionInput",
        "Invalid State Machine Execution Input",
        lambda aws: _start(aws, input="not JSON"),
        source=f"{_API}/API_StartExecution.html",
    ),
    _called(
        "an-input-has-256-kib-at-most",
        "An execution's input has 262,144 bytes at most",
        "ValidationException",
        "262144",
        lambda aws: _start(aws, input=json.dumps("x" * 262_144)),
        source="https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html",
    ),
    _called(
        "an-execution-name-has-no-spaces",
        "An execution's name has 80 characters at most, none of them a space or a bracket",
        "InvalidName",
        "Invalid Name: 'a name'",
        lambda aws: _start(aws, name="a name"),
        source=f"{_API}/API_StartExecution.html",
    ),
    Refusal(
        id="states-an-execution-name-is-used-once",
        rule="An execution's name is not used again with another input",
        source=f"{_API}/API_StartExecution.html",
        code="ExecutionAlreadyExists",
        text="Execution",
        held="ministack",
        call=_start_twice,
    ),
)
