"""What SQS refuses of queues and their policies.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-creating-custom-policies.html
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.services import sqs
from ministack.services.cloudformation import provisioners

Data = dict[str, Any]


def apply() -> None:
    """Validate queues and their policies, whether they come over the API or from CloudFormation."""
    _before_action("CreateQueue", lambda data: _validate_attributes(data.get("Attributes") or {}))
    _before_action("SetQueueAttributes", lambda data: _validate_attributes(data.get("Attributes") or {}))
    attach = provisioners._policy_attachment_create

    def attach_valid(logical_id: str, properties: Data, stack: str, members: str, store: Data) -> tuple[str, Data]:
        if members == "Queues":
            _validate_policy(properties.get("PolicyDocument"))
        result: tuple[str, Data] = attach(logical_id, properties, stack, members, store)
        return result

    provisioners._policy_attachment_create = attach_valid


def _before_action(action: str, validate: Callable[[Data], None]) -> None:
    original = sqs._HANDLERS[action]

    def handle(data: Data, url: str) -> Any:
        validate(data)
        return original(data, url)

    sqs._HANDLERS[action] = handle


def _validate_attributes(attributes: Data) -> None:
    if attributes.get("Policy"):
        _validate_policy(attributes["Policy"])


def _validate_policy(document: Any) -> None:
    try:
        policy = json.loads(document) if isinstance(document, str) else document
        statements = policy["Statement"]
        for statement in statements if isinstance(statements, list) else [statements]:
            resources = statement.get("Resource")
            if isinstance(resources, list) and len(resources) != 1:
                raise ValueError("two resources")
    except (ValueError, TypeError, KeyError, AttributeError):
        raise sqs._Err("InvalidAttributeValue", "Invalid value for the parameter Policy.", 400) from None
