"""What SQS refuses of queues, their policies and messages.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-creating-custom-policies.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-quotas.html
Texts as AWS was recorded to answer:
https://github.com/localstack/localstack/blob/main/tests/aws/services/sqs/test_sqs.snapshot.json
"""

import inspect
import json
import re
from collections.abc import Callable
from typing import Any, NoReturn

from ministack.services import sqs
from ministack.services.cloudformation import provisioners

from local_engine.strictness._refusing import before_provisioning

Data = dict[str, Any]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_FIFO_NAME = re.compile(r"[A-Za-z0-9_-]{1,75}\.fifo")
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_TOKEN = re.compile(r"[A-Za-z0-9!-/:-@\[-`{-~]{1,128}")
_SETTABLE = {
    *sqs._NUMERIC_ATTR_RANGES,
    "Policy",
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "KmsMasterKeyId",
    "SqsManagedSseEnabled",
    "FifoQueue",
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
}
_HIGH_THROUGHPUT = ("DeduplicationScope", "FifoThroughputLimit")
_MAX_ATTRIBUTES, _MAX_DELAY, _MAX_VISIBILITY, _MAX_WAIT = 10, 900, 43_200, 20
_MAX_SOURCES, _MAX_POLICY_BYTES = 10, 8_192
_MAX_ACTIONS = 7


def apply() -> None:
    """Validate queues, policies and messages, whether they come over the API or from CloudFormation."""
    for action, validate in {
        "CreateQueue": _validate_new,
        "SetQueueAttributes": _validate_changes,
        "SendMessage": _validate_message,
        "ReceiveMessage": _validate_receive,
        "ChangeMessageVisibility": _validate_visibility,
        "ChangeMessageVisibilityBatch": _validate_visibilities,
        "AddPermission": _validate_permission,
    }.items():
        _before_action(action, validate)
    # SendMessageBatch calls this function for each entry and reports what it raises as the entry's failure.
    sqs._act_send_message = sqs._HANDLERS["SendMessage"]
    _validate_deployed_queues()
    _validate_deployed_policies()


def _before_action(action: str, validate: Callable[[Data, str], None]) -> None:
    original = sqs._HANDLERS[action]

    def handle(data: Data, url: str) -> Any:
        validate(data, data.get("QueueUrl", url))
        return original(data, url)

    async def wait(data: Data, url: str) -> Any:
        validate(data, data.get("QueueUrl", url))
        return await original(data, url)

    sqs._HANDLERS[action] = wait if inspect.iscoroutinefunction(original) else handle


def _refuse(code: str, text: str) -> NoReturn:
    raise sqs._Err(code, text, 400)


def _invalid(parameter: str, value: Any, reason: str) -> NoReturn:
    _refuse("InvalidParameterValue", f"Value {value} for parameter {parameter} is invalid. Reason: {reason}")


# ------------------------------------------------------------------------------------------------------------ queues
def _validate_new(data: Data, _url: str) -> None:
    attributes = data.get("Attributes") or {}
    name = str(data.get("QueueName", ""))
    is_fifo = _is_true(attributes.get("FifoQueue"))
    _validate_name(name, is_fifo=is_fifo)
    _validate_attributes(attributes, is_fifo=is_fifo, arn=None)


def _validate_changes(data: Data, url: str) -> None:
    queue = sqs._get_q(url)
    attributes = data.get("Attributes") or {}
    if "FifoQueue" in attributes and not queue["is_fifo"]:
        _refuse("InvalidAttributeName", "Unknown Attribute FifoQueue.")
    if "FifoQueue" in attributes and not _is_true(attributes["FifoQueue"]):
        reason = "Modifying queue type is not supported."
        _refuse("InvalidAttributeValue", f"Invalid value for the parameter FifoQueue. Reason: {reason}")
    _validate_attributes(attributes, is_fifo=queue["is_fifo"], arn=queue["attributes"]["QueueArn"])


def _validate_name(name: str, *, is_fifo: bool) -> None:
    if is_fifo and not _FIFO_NAME.fullmatch(name):
        rule = "can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix"
        _refuse("InvalidParameterValue", f"The name of a FIFO queue {rule} and be 1 to 80 in length.")
    if not is_fifo and name and not _NAME.fullmatch(name):
        rule = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        _refuse("InvalidParameterValue", rule)


def _validate_attributes(attributes: Data, *, is_fifo: bool, arn: str | None) -> None:
    """arn: the queue's, None before it has one."""
    for name in attributes:
        if name not in _SETTABLE or (name == "ContentBasedDeduplication" and not is_fifo):
            _refuse("InvalidAttributeName", f"Unknown Attribute {name}.")
        if name in _HIGH_THROUGHPUT and not is_fifo:
            _refuse("InvalidAttributeName", f"You can specify the {name} only when FifoQueue is set to true.")
    if attributes.get("Policy"):
        _validate_policy(attributes["Policy"], arn)
    if attributes.get("RedrivePolicy"):
        _validate_redrive(attributes["RedrivePolicy"], is_fifo=is_fifo)
    if attributes.get("RedriveAllowPolicy"):
        _validate_redrive_allow(attributes["RedriveAllowPolicy"])


def _validate_redrive(document: Any, *, is_fifo: bool) -> None:
    policy = _object(document)
    if policy is None:
        return  # the engine refuses it
    document = json.dumps(policy, separators=(",", ":"))
    for name in ("maxReceiveCount", "deadLetterTargetArn"):
        if name not in policy:
            _invalid("RedrivePolicy", document, f"Redrive policy does not contain mandatory attribute: {name}.")
    target = str(policy["deadLetterTargetArn"])
    if target.endswith(".fifo") != is_fifo:
        _invalid("RedrivePolicy", document, "Dead-letter queue must be same type of queue as the source..")
    if target.startswith("arn:") and sqs._queue_by_arn(target) is None:
        _invalid("RedrivePolicy", document, "Dead letter target does not exist.")


def _validate_redrive_allow(document: Any) -> None:
    policy = _object(document) or {}
    permission, sources = policy.get("redrivePermission"), policy.get("sourceQueueArns")
    named = isinstance(sources, list) and 0 < len(sources) <= _MAX_SOURCES
    if permission not in ("allowAll", "denyAll", "byQueue") or (named if permission != "byQueue" else not named):
        _refuse("InvalidAttributeValue", "Invalid value for the parameter RedriveAllowPolicy.")


def _validate_policy(document: Any, arn: str | None) -> None:
    policy = _object(document)
    statements = (policy or {}).get("Statement")
    listed = statements if isinstance(statements, list) else [statements]
    text = document if isinstance(document, str) else json.dumps(document)
    if len(text.encode()) > _MAX_POLICY_BYTES or not all(_is_statement(each, arn) for each in listed):
        _refuse("InvalidAttributeValue", "Invalid value for the parameter Policy.")


def _is_statement(statement: Any, arn: str | None) -> bool:
    if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
        return False
    actions, resources = _listed(statement.get("Action")), _listed(statement.get("Resource"))
    return ("Principal" in statement or "NotPrincipal" in statement) and (
        len(resources) == 1
        and ("NotAction" in statement or bool(actions))
        and all(str(action) == "*" or str(action).lower().startswith("sqs:") for action in actions)
        and _covers(str(resources[0]), arn)
    )


def _covers(resource: str, arn: str | None) -> bool:
    """Return whether a statement's resource is the queue itself; one with a wildcard may be."""
    return arn is None or resource == arn or "*" in resource or "?" in resource


def _validate_permission(data: Data, url: str) -> None:
    if len(data.get("Actions") or []) > _MAX_ACTIONS:
        sqs._get_q(url)
        _refuse("OverLimit", f"{len(data['Actions'])} Actions were found, maximum allowed is {_MAX_ACTIONS}.")


# ---------------------------------------------------------------------------------------------------------- messages
def _validate_message(data: Data, _url: str) -> None:
    _within("DelaySeconds", data.get("DelaySeconds"), _MAX_DELAY)
    for name in ("MessageGroupId", "MessageDeduplicationId"):
        if data.get(name) is not None and not _TOKEN.fullmatch(data[name]):
            rule = "can only include alphanumeric and punctuation characters. 1 to 128 in length"
            _invalid(name, data[name], f"{name} {rule}.")
    attributes = data.get("MessageAttributes") or {}
    if len(attributes) > _MAX_ATTRIBUTES:
        text = f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [{_MAX_ATTRIBUTES}]."
        _refuse("InvalidParameterValue", text)
    for name, attribute in attributes.items():
        kind = str(attribute.get("DataType", ""))
        if kind.partition(".")[0] not in ("String", "Number", "Binary"):
            text = f"The message attribute '{name}' has an invalid message attribute type"
            _refuse(
                "InvalidParameterValue", f"{text}, the set of supported type prefixes is Binary, Number, and String."
            )
        if not attribute.get("StringValue") and not attribute.get("BinaryValue"):
            text = f"Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'."
            _refuse("InvalidParameterValue", text)


def _validate_receive(data: Data, _url: str) -> None:
    wait = data.get("WaitTimeSeconds")
    if wait is not None and not 0 <= int(wait) <= _MAX_WAIT:
        _invalid("WaitTimeSeconds", wait, "Must be >= 0 and <= 20, if provided.")
    _within("VisibilityTimeout", data.get("VisibilityTimeout"), _MAX_VISIBILITY)


def _validate_visibility(data: Data, _url: str) -> None:
    _within("VisibilityTimeout", data.get("VisibilityTimeout"), _MAX_VISIBILITY)


def _validate_visibilities(data: Data, _url: str) -> None:
    for entry in data.get("Entries") or []:
        _validate_visibility(entry, "")


def _within(parameter: str, value: Any, maximum: int) -> None:
    if value is not None and not 0 <= int(value) <= maximum:
        _invalid(parameter, value, f"{parameter} must be >= 0 and <= {maximum}.")


# ---------------------------------------------------------------------------------------------------- CloudFormation
def _validate_deployed_queues() -> None:
    fields = provisioners._sqs_queue_fields

    def valid_fields(properties: Data, is_fifo: bool) -> Data:
        declared = {name: properties[name] for name in _SETTABLE & properties.keys()}
        _validate_attributes(declared, is_fifo=is_fifo, arn=None)
        result: Data = fields(properties, is_fifo)
        return result

    def named(properties: Data, stack: str, logical_id: str) -> tuple[str, bool]:
        is_fifo = _is_true(properties.get("FifoQueue"))
        # CloudFormation cuts what it generates to 80 characters before it adds the suffix: aws-cdk issue 5860.
        generated = provisioners._physical_name(stack, logical_id, max_len=80) + (".fifo" if is_fifo else "")
        name = properties.get("QueueName") or generated
        _validate_name(name, is_fifo=is_fifo)
        return name, is_fifo

    provisioners._sqs_queue_fields = valid_fields
    provisioners._sqs_queue_name = named


def _validate_deployed_policies() -> None:
    def validate(properties: Data) -> None:
        for url in properties.get("Queues", []):
            queue = sqs._queues.get(url)
            _validate_policy(properties.get("PolicyDocument"), queue["attributes"]["QueueArn"] if queue else None)

    before_provisioning("AWS::SQS::QueuePolicy", validate)


def _object(document: Any) -> Data | None:
    """Return the JSON object that an attribute holds, None if it holds none."""
    try:
        found = json.loads(document) if isinstance(document, str) else document
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _is_true(value: Any) -> bool:
    return str(value).lower() == "true"
