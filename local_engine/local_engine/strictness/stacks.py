"""What CloudFormation refuses of stacks: operations in the wrong state, exports, and names that exist.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-exports.html
https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract.html
The sources of the error texts are in engine_tests/refusals/stacks.py.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import (
    cloudformation,
    cloudwatch,
    cloudwatch_logs,
    dynamodb,
    eventbridge,
    firehose,
    iam,
    lambda_svc,
    scheduler,
    secretsmanager,
    ses,
    ses_v2,
    sns,
    sqs,
    stepfunctions,
)
from ministack.services.cloudformation import handlers, helpers, stacks

Request = dict[str, list[str]]
Answer = tuple[int, dict[str, str], bytes]
Properties = dict[str, Any]

_UPDATABLE = {
    "CREATE_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
}

# type: the property that names it, and whether a resource of this name is there
_NAMED: dict[str, tuple[str, Callable[[str], bool]]] = {
    "AWS::CloudWatch::Alarm": ("AlarmName", lambda name: name in cloudwatch._alarms),
    "AWS::DynamoDB::Table": ("TableName", lambda name: name in dynamodb._tables),
    "AWS::Events::Rule": ("Name", lambda name: eventbridge._rule_key(name, "default") in eventbridge._rules),
    "AWS::IAM::Role": ("RoleName", lambda name: name in iam._roles),
    "AWS::KinesisFirehose::DeliveryStream": ("DeliveryStreamName", lambda name: name in firehose._streams),
    "AWS::Lambda::Function": ("FunctionName", lambda name: name in lambda_svc._functions),
    "AWS::Logs::LogGroup": ("LogGroupName", lambda name: name in cloudwatch_logs._log_groups),
    "AWS::SES::ConfigurationSet": ("Name", lambda name: name in ses_v2._config_sets),
    "AWS::SES::EmailIdentity": ("EmailIdentity", lambda name: name in ses_v2._identities or name in ses._identities),
    "AWS::SNS::Topic": ("TopicName", lambda name: _ends_with(sns._topics, name)),
    "AWS::SQS::Queue": ("QueueName", lambda name: name in sqs._queue_name_to_url),
    "AWS::Scheduler::Schedule": ("Name", lambda name: f"default/{name}" in scheduler._schedules),
    "AWS::SecretsManager::Secret": ("Name", lambda name: name in secretsmanager._secrets),
    "AWS::StepFunctions::StateMachine": (
        "StateMachineName",
        lambda name: _ends_with(stepfunctions._state_machines, name),
    ),
}


def apply() -> None:
    """Refuse what CloudFormation refuses in UpdateStack, CreateStack, the change sets, and when a resource is made."""
    _refuse_first("CreateStack", _refuse_create)
    _refuse_first("UpdateStack", _refuse_update)
    _refuse_first("CreateChangeSet", _refuse_change_set)
    _guard_exports()
    provision = stacks._provision_resource

    def provision_new(resource_type: str, logical_id: str, properties: Properties, stack: str) -> Any:
        _refuse_existing_name(resource_type, properties)
        return provision(resource_type, logical_id, properties, stack)

    stacks._provision_resource = provision_new


def _refuse_first(action: str, refuse: Callable[[Request], Answer | None]) -> None:
    original = handlers._ACTION_HANDLERS[action]

    def handle(request: Request) -> Answer:
        refused = refuse(request)
        answer: Answer = refused if refused is not None else original(request)
        return answer

    handlers._ACTION_HANDLERS[action] = handle
    # Nested stacks call the functions by their names.
    if getattr(handlers, original.__name__) is original:
        setattr(handlers, original.__name__, handle)


def _refuse_create(request: Request) -> Answer | None:
    name = helpers._p(request, "StackName")
    stack = cloudformation._stacks.get(name)
    if stack and stack["StackStatus"] != "DELETE_COMPLETE":
        return _error("AlreadyExistsException", f"Stack [{name}] already exists")
    return None


def _refuse_update(request: Request) -> Answer | None:
    stack = handlers._resolve_stack(helpers._p(request, "StackName"))
    status = stack["StackStatus"] if stack else "DELETE_COMPLETE"
    if status == "DELETE_COMPLETE" or status in _UPDATABLE:
        return None
    return _error("ValidationError", f"Stack:{stack['StackId']} is in {status} state and can not be updated.")


def _refuse_change_set(request: Request) -> Answer | None:
    kind = helpers._p(request, "ChangeSetType", "UPDATE")
    if kind == "UPDATE":
        return _refuse_update(request)
    name = helpers._p(request, "StackName")
    stack = handlers._resolve_stack(name)
    if kind == "CREATE" and stack and stack["StackStatus"] not in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE"):
        change_set = helpers._p(request, "ChangeSetName")
        return _error(
            "ValidationError",
            f"Stack [{name}] already exists and cannot be created again with the changeSet [{change_set}].",
        )
    return None


def _error(code: str, message: str) -> Answer:
    answer: Answer = helpers._error(code, message)
    return answer


def _guard_exports() -> None:
    resolve = stacks._resolve_stack_outputs

    def resolve_outputs(*arguments: Any) -> tuple[list[Any], dict[str, Any]]:
        outputs, exports = resolve(*arguments)
        name, stack_id = arguments[-2:]
        for export in exports:
            owner = cloudformation._exports.get(export)
            if owner and owner["StackId"] != stack_id:
                other = owner["StackId"].split("/")[1]
                raise ValueError(f"Export with name {export} is already exported by stack {other}")
        for export, known in list(cloudformation._exports.items()):
            changed = exports.get(export, {}).get("Value") != known["Value"]
            importers = _importers(export, name) if known["StackId"] == stack_id and changed else []
            if importers:
                verb = "updated" if export in exports else "deleted"
                raise ValueError(f"Export {export} cannot be {verb} as it is in use by {' and '.join(importers)}")
        return outputs, exports

    stacks._resolve_stack_outputs = resolve_outputs


def _importers(export: str, exporter: str) -> list[str]:
    return [
        name
        for name, stack in cloudformation._stacks.items()
        if name != exporter
        and stack["StackStatus"] != "DELETE_COMPLETE"
        and export in handlers._imported_export_names(stack, name)
    ]


def _refuse_existing_name(resource_type: str, properties: Properties) -> None:
    name_property, exists = _NAMED.get(resource_type, ("", lambda _: False))
    name = properties.get(name_property)
    if not isinstance(name, str) or not exists(name):
        return
    for stack in cloudformation._stacks.values():
        for resource in stack.get("_resources", {}).values():
            if resource["ResourceType"] == resource_type and resource["Properties"].get(name_property) == name:
                raise ValueError(f"{name} already exists in stack {stack['StackId']}")
    raise ValueError(f"Resource of type '{resource_type}' with identifier '{name}' already exists.")


def _ends_with(arns: Any, name: str) -> bool:
    return any(arn.endswith(f":{name}") for arn in arns)
