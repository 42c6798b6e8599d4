"""Nested stacks are not real stacks.

Symptom: a nested stack gets no SAM transform; updating one fails ("Requested attribute X does not
exist"); one that fails to create leaves its resources behind; exports, dynamic references and
DeletionPolicy are ignored in it.
Cause: `provisioners._cfn_nested_stack_deploy` and `_cfn_nested_stack_delete` are a second, simpler
deployment beside the real one in `handlers` and `stacks`.
Patch: AWS::CloudFormation::Stack goes through CreateStack, UpdateStack and DeleteStack of the engine
itself, so a child is a stack like any other. The provisioner of this type runs on a worker thread: the
operation is scheduled on the event loop and the thread waits for it.
What rolls back a stack rolls back its children: a child's resources with RetainExceptOnCreate that the failed operation
made are deleted with it, as "the stack operation that initially creates the resource" is the parent's, too
(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html).
A child whose properties are unchanged never gets here (`provisioners._update_resource` compares them;
SAM CLI names templates after their content), which keeps an unchanged deployment fast.
It can go when upstream deploys nested stacks through its own stack operations.
"""

import asyncio
import concurrent.futures
import contextvars
import html
import re
from collections.abc import Callable, Coroutine
from typing import Any

from ministack import app
from ministack.core.responses import new_uuid
from ministack.services import cloudformation
from ministack.services.cloudformation import handlers, provisioners, stacks

Properties = dict[str, Any]
Stack = dict[str, Any]
Request = dict[str, list[str]]

_TYPE = "AWS::CloudFormation::Stack"
_STACK_NAME_LIMIT = 128
_SUFFIX_LENGTH = 12
_DEPLOYED = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
_NO_UPDATES = "No updates are to be performed."

# The operation that runs on a stack, by stack id; removed by the code that started it.
_operations: dict[str, "concurrent.futures.Future[None]"] = {}

# Set while an operation is rolled back; the operations on children that the rollback starts inherit it.
_ROLLS_BACK = contextvars.ContextVar("rolls_back", default=False)


class NestedStackError(ValueError):
    """A nested stack that could not be deployed or deleted: fails the resource in its parent."""


def apply() -> None:
    """Replace the handlers of AWS::CloudFormation::Stack."""
    _let_worker_threads_schedule()
    _roll_children_back()
    provisioners._RESOURCE_HANDLERS[_TYPE] = {
        "create": _create,
        "update": _update,
        "update_with_logical_id": True,
        "delete": _delete,
    }


def _let_worker_threads_schedule() -> None:
    original: Callable[..., None] = handlers._create_stack_task_in_region

    def schedule(coroutine: Coroutine[Any, Any, None], stack: Stack, stack_id: str) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # a worker thread: one of ours
            with stacks._stack_region_context(stack, stack_id):
                _operations[stack_id] = asyncio.run_coroutine_threadsafe(coroutine, app._MAIN_LOOP)
        else:
            original(coroutine, stack, stack_id)

    handlers._create_stack_task_in_region = schedule


def _roll_children_back() -> None:
    roll_back, policy_of = stacks._roll_back_operation, stacks._resource_policy

    async def roll_back_with_children(*arguments: Any, **named: Any) -> None:
        token = _ROLLS_BACK.set(True)
        try:
            await roll_back(*arguments, **named)
        finally:
            _ROLLS_BACK.reset(token)

    def policy_in_rollback(definition: Any, attribute: str, *rest: Any) -> str:
        policy: str = policy_of(definition, attribute, *rest)
        return "Delete" if policy == "RetainExceptOnCreate" and _ROLLS_BACK.get() else policy

    stacks._roll_back_operation = handlers._roll_back_operation = roll_back_with_children
    stacks._resource_policy = policy_in_rollback


def _create(logical_id: str, properties: Properties, parent_name: str) -> tuple[str, Properties]:
    name = _child_name(parent_name, logical_id)
    _call(handlers._create_stack, _request(name, properties, parent_name))
    stack = cloudformation._stacks[name]
    parent = cloudformation._stacks.get(parent_name) or {}
    stack["ParentId"] = parent.get("StackId", "")
    stack["RootId"] = parent.get("RootId") or parent.get("StackId", "")
    _wait(stack)
    if stack["StackStatus"] not in _DEPLOYED:
        reason = _first_failure(stack)
        # The parent has no record of a resource whose creation failed, so nothing else would delete it.
        _delete(stack["StackId"], properties)
        raise NestedStackError(f"Embedded stack {stack['StackId']} was not successfully created: {reason}")
    return stack["StackId"], _outputs(stack)


def _update(
    physical_id: str, _old: Properties, properties: Properties, parent_name: str, logical_id: str
) -> tuple[str, Properties]:
    name = provisioners._nested_stack_lookup_name(physical_id)
    stack = cloudformation._stacks.get(name)
    if stack is None or stack["StackStatus"] == "DELETE_COMPLETE":
        return _create(logical_id, properties, parent_name)
    try:
        _call(handlers._update_stack, _request(name, properties, parent_name))
    except NestedStackError as error:
        if str(error) != _NO_UPDATES:
            raise
        return physical_id, _outputs(stack)
    _wait(stack)
    if stack["StackStatus"] not in _DEPLOYED:
        raise NestedStackError(f"Embedded stack {physical_id} was not successfully updated: {_first_failure(stack)}")
    return physical_id, _outputs(stack)


def _delete(physical_id: str, _properties: Properties) -> None:
    stack = cloudformation._stacks.get(provisioners._nested_stack_lookup_name(physical_id))
    if stack is None or stack["StackStatus"] == "DELETE_COMPLETE":
        return
    _call(handlers._delete_stack, {"StackName": [physical_id]})
    _wait(stack)
    if stack["StackStatus"] != "DELETE_COMPLETE":
        raise NestedStackError(
            f"Embedded stack {physical_id} was not successfully deleted: {stack.get('StackStatusReason', '')}"
        )


def _child_name(parent_name: str, logical_id: str) -> str:
    """As AWS forms it: parent, logical id and a random part, cut to the limit of a stack's name."""
    suffix = new_uuid().replace("-", "")[:_SUFFIX_LENGTH].upper()
    return f"{parent_name}-{logical_id}"[: _STACK_NAME_LIMIT - _SUFFIX_LENGTH - 1] + f"-{suffix}"


def _request(name: str, properties: Properties, parent_name: str) -> Request:
    """Return the parameters of CreateStack and UpdateStack in the form of the Query protocol."""
    if not properties.get("TemplateURL"):
        raise NestedStackError("AWS::CloudFormation::Stack needs a TemplateURL.")
    request = {"StackName": [name], "TemplateURL": [str(properties["TemplateURL"])], "Tags": [""]}
    for number, (key, value) in enumerate((properties.get("Parameters") or {}).items(), start=1):
        if isinstance(value, list):
            raise NestedStackError(
                "Value of property Parameters must be an object with String (or simple type) properties"
            )
        request[f"Parameters.member.{number}.ParameterKey"] = [key]
        request[f"Parameters.member.{number}.ParameterValue"] = [_text(value)]
    own_tags = [tag for tag in properties.get("Tags") or [] if not tag["Key"].startswith("aws:")]
    for number, tag in enumerate(own_tags, start=1):
        request[f"Tags.member.{number}.Key"] = [tag["Key"]]
        request[f"Tags.member.{number}.Value"] = [str(tag["Value"])]
    for number, capability in enumerate(provisioners._parent_capabilities(parent_name), start=1):
        request[f"Capabilities.member.{number}"] = [capability]
    return request


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _call(operation: Callable[[Request], tuple[int, dict[str, str], bytes]], request: Request) -> None:
    status, _, body = operation(request)
    if status != 200:
        message = re.search(r"<Message>(.*?)</Message>", body.decode(), re.DOTALL)
        raise NestedStackError(html.unescape(message.group(1)) if message else body.decode())


def _wait(stack: Stack) -> None:
    operation = _operations.pop(stack["StackId"], None)
    if operation is not None:
        operation.result()


def _outputs(stack: Stack) -> Properties:
    return {f"Outputs.{output['OutputKey']}": output["OutputValue"] for output in stack["Outputs"]}


def _first_failure(stack: Stack) -> str:
    """Return the event that made the last operation of a stack fail, in words."""
    events: list[dict[str, str]] = cloudformation._stack_events.get(stack["StackId"], [])
    began = max(
        (
            index
            for index, event in enumerate(events)
            if event["LogicalResourceId"] == stack["StackName"]
            and event["ResourceStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")
        ),
        default=0,
    )
    for event in events[began:]:
        if event["ResourceStatus"].endswith("_FAILED") and event["ResourceStatusReason"]:
            return f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
    return str(stack.get("StackStatusReason") or stack["StackStatus"])
