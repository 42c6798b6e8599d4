"""SAM connectors: the policies that SAM generates from them.

Only those that decide about topics and queues; the statements are those of SAM's connector profiles.
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/reference-sam-connector.html
https://github.com/aws/serverless-application-model/blob/develop/samtranslator/model/connector_profiles/profiles.json
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fanout_wiring._stack import FUNCTION, Resource, Stack
from fanout_wiring._values import as_dict, as_list

CONNECTOR = "AWS::Serverless::Connector"
_QUEUE, _TOPIC, _RULE = "AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::Events::Rule"
# (source, destination): the service that a resource policy of the destination lets in, and the action
_RESOURCE_POLICIES = {
    (_TOPIC, _QUEUE): ("sns.amazonaws.com", "sqs:SendMessage"),
    (_RULE, _QUEUE): ("events.amazonaws.com", "sqs:SendMessage"),
    (_RULE, _TOPIC): ("events.amazonaws.com", "sns:Publish"),
}
_FUNCTIONS = (FUNCTION, "AWS::Lambda::Function")


@dataclass(frozen=True)
class _End:
    """A connector's source or destination."""

    type: Any
    arn: Any
    queue_url: Any
    role: Any


def generated_policies(resources: Iterable[Resource]) -> Iterator[Resource]:
    """Yield the queue policies, topic policies and managed policies that the connectors of a deployment become.

    Each stands where its connector stands in the template.
    """
    by_path = {resource.path: resource for resource in resources}
    for resource in by_path.values():
        if resource.type == CONNECTOR:
            own = resource.properties
            yield from _generated(resource, as_dict(own.get("Source")), own, by_path)
        for embedded in as_dict(resource.connectors).values():
            own = as_dict(as_dict(embedded).get("Properties"))
            yield from _generated(resource, {"Id": resource.logical_id}, own, by_path)


def _generated(
    holder: Resource, source: dict[str, Any], connector: dict[str, Any], by_path: Mapping[str, Resource]
) -> Iterator[Resource]:
    if "Write" not in as_list(connector.get("Permissions")):
        return
    start = _end(source, holder.stack, by_path)
    for destination in as_list(connector.get("Destination")):
        end = _end(as_dict(destination), holder.stack, by_path)
        if start is not None and end is not None:
            for kind, properties in _policies(start, end):
                yield Resource(holder.path, holder.logical_id, kind, properties, holder.declared, holder.stack)


def _end(given: dict[str, Any], stack: Stack, by_path: Mapping[str, Resource]) -> _End | None:
    """What a reference stands for: its Id, or else the values that it gives; None if no such resource is deployed."""
    if "Id" not in given:
        return _End(given.get("Type"), given.get("Arn"), given.get("QueueUrl"), given.get("RoleName"))
    found = by_path.get(stack.name(str(given["Id"])))
    if found is None:
        return None
    # These rules identify the role that SAM creates for a function with the function.
    return _End(found.type, found.arn, f"<{found.path}>", found.properties.get("Role", f"<{found.path}>"))


def _policies(start: _End, end: _End) -> Iterator[tuple[str, dict[str, Any]]]:
    if (start.type, end.type) in _RESOURCE_POLICIES:
        service, action = _RESOURCE_POLICIES[start.type, end.type]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": action,
            "Resource": end.arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": start.arn}},
        }
        document = {"PolicyDocument": {"Statement": [statement]}}
        if end.type == _QUEUE:
            yield "AWS::SQS::QueuePolicy", {"Queues": [end.queue_url], **document}
        else:
            yield "AWS::SNS::TopicPolicy", {"Topics": [end.arn], **document}
    elif start.type in _FUNCTIONS and end.type == _TOPIC:
        statement = {"Effect": "Allow", "Action": ["sns:Publish"], "Resource": [end.arn]}
        yield "AWS::IAM::ManagedPolicy", {"Roles": [start.role], "PolicyDocument": {"Statement": [statement]}}
