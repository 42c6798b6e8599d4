"""What SNS refuses of topics, their policies, subscriptions and messages.

https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
https://docs.aws.amazon.com/sns/latest/dg/fifo-message-delivery.html
Texts as AWS was recorded to answer:
https://github.com/localstack/localstack/blob/main/tests/aws/services/sns/test_sns.snapshot.json
"""

import json
import re
from collections.abc import Callable
from typing import Any, NoReturn

from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.responses import get_account_id, get_region
from ministack.services import sns

from local_engine import filter_grammar
from local_engine.strictness._refusing import Refused, before_provisioning

Data = dict[str, Any]

_CODE = "InvalidParameter"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_FIFO_NAME = re.compile(r"[A-Za-z0-9_-]{1,251}\.fifo")
_PROTOCOLS = ("application", "email", "email-json", "firehose", "http", "https", "lambda", "sms", "sqs")
_RAW = ("firehose", "http", "https", "sqs")
_PHONE = re.compile(r"\+?[0-9]{1,15}(-?[0-9]+)*")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ATTRIBUTE_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_ATTRIBUTES = {
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "ReplayPolicy",
    "SubscriptionRoleArn",
}
# https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-language-api-permissions-reference.html
_ACTIONS = {
    "sns:addpermission",
    "sns:deletetopic",
    "sns:getdataprotectionpolicy",
    "sns:gettopicattributes",
    "sns:listsubscriptionsbytopic",
    "sns:listtagsforresource",
    "sns:publish",
    "sns:putdataprotectionpolicy",
    "sns:receive",
    "sns:removepermission",
    "sns:settopicattributes",
    "sns:subscribe",
}
_MAX_STATEMENTS, _MAX_POLICY_BYTES = 100, 30 * 1024
_MAX_SUBJECT, _MAX_DISPLAY_NAME, _MAX_ATTRIBUTE_NAME = 100, 100, 256


def apply() -> None:
    """Validate topics, subscriptions and messages, whether they come over the API or from CloudFormation."""
    _name_errors_as_aws_does()
    for handler, validate in {
        "_create_topic": _validate_new_topic,
        "_set_topic_attributes": _validate_topic_attribute,
        "_tag_resource": _validate_tags,
        "_subscribe": _validate_subscribe,
        "_set_subscription_attributes": _validate_subscription_attribute,
        "_publish": _validate_publish,
        "_publish_batch": _validate_publish_batch,
    }.items():
        _before(handler, validate)
    before_provisioning("AWS::SNS::Topic", _validate_deployed_topic)
    before_provisioning("AWS::SNS::Subscription", _validate_deployed_subscription)
    before_provisioning("AWS::SNS::TopicPolicy", _validate_deployed_policy)


def _name_errors_as_aws_does() -> None:
    """Return the code InvalidParameter to clients; InvalidParameterException is the name of its class in SDKs."""
    original = sns._error

    def error(code: str, message: str, status: int) -> Any:
        return original(_CODE if code == "InvalidParameterException" else code, message, status)

    sns._error = error


def _before(handler: str, validate: Callable[[Data], None]) -> None:
    original = getattr(sns, handler)

    def handle(params: Data) -> Any:
        try:
            validate(params)
        except Refused as refused:
            return sns._error(refused.code, str(refused), 400)
        return original(params)

    setattr(sns, handler, handle)


def _invalid(text: str) -> NoReturn:
    raise Refused(_CODE, f"Invalid parameter: {text}")


# ------------------------------------------------------------------------------------------------------------ topics
def _validate_new_topic(params: Data) -> None:
    name, attributes = sns._p(params, "Name"), _entries(params, "Attributes")
    _validate_topic(name, attributes)
    topic = sns._topics.get(f"arn:aws:sns:{get_region()}:{get_account_id()}:{name}")
    if topic is not None:
        if any(topic["attributes"].get(key) != value for key, value in attributes.items()):
            _invalid("Attributes Reason: Topic already exists with different attributes")
        tags = sns._param_tags(params)
        if tags and tags != topic["tags"]:
            _invalid("Tags Reason: Topic already exists with different tags")


def _validate_topic(name: str, attributes: Data) -> None:
    is_fifo = str(attributes.get("FifoTopic", "")).lower() == "true"
    if not (_FIFO_NAME if is_fifo else _NAME).fullmatch(name):
        _invalid("Topic Name")
    if len(str(attributes.get("DisplayName", ""))) > _MAX_DISPLAY_NAME:
        _invalid("DisplayName")
    if attributes.get("Policy"):
        _validate_policy(attributes["Policy"], f"arn:aws:sns:{get_region()}:{get_account_id()}:{name}")


def _validate_topic_attribute(params: Data) -> None:
    name, value = sns._p(params, "AttributeName"), sns._p(params, "AttributeValue")
    if name == "Policy":
        _validate_policy(value, sns._normalize_arn(sns._p(params, "TopicArn")))
    elif name == "FifoTopic":
        _invalid("AttributeName")
    elif name == "DisplayName" and len(value) > _MAX_DISPLAY_NAME:
        _invalid("DisplayName")


def _validate_tags(params: Data) -> None:
    keys = [value for name, value in params.items() if re.fullmatch(r"Tags\.member\.\d+\.Key", name)]
    if len({str(key) for key in keys}) < len(keys):
        _invalid("Duplicated keys are not allowed.")


def _validate_policy(document: Any, topic: str) -> None:
    """topic: the ARN; the quotas and actions are those of _ACTIONS' page."""
    if not document:
        _invalid("Policy is empty")
    try:
        policy = json.loads(document) if isinstance(document, str) else document
        statements = _listed(policy["Statement"])
    except (ValueError, TypeError, KeyError):
        _invalid("Policy Error: null")
    for statement in statements:
        if not isinstance(statement, dict) or not (
            statement.get("Effect") in ("Allow", "Deny")
            and ("Principal" in statement or "NotPrincipal" in statement)
            and ("Action" in statement or "NotAction" in statement)
        ):
            _invalid("Policy Error: null")
        if any(str(action).lower() not in _ACTIONS for action in _listed(statement.get("Action"))):
            _invalid("Policy statement action out of service scope!")
        resources = _listed(statement.get("Resource"))
        if len(resources) != 1 or not _covers(str(resources[0]), topic):
            _invalid("Policy statement must apply to a single resource!")
    if len({statement.get("Sid") for statement in statements}) < len(statements):
        _invalid("Every policy statement must have a unique ID")
    text = document if isinstance(document, str) else json.dumps(document)
    if len(statements) > _MAX_STATEMENTS or len(text.encode()) > _MAX_POLICY_BYTES:
        _invalid("Policy Error: null")


def _covers(resource: str, topic: str) -> bool:
    """Return whether a statement's resource is the topic itself; one with a wildcard may be."""
    return resource == topic or "*" in resource or "?" in resource


# ----------------------------------------------------------------------------------------------------- subscriptions
def _validate_subscribe(params: Data) -> None:
    topic, err = sns._get_topic(sns._p(params, "TopicArn"))
    if err is not None:
        return  # the engine refuses it
    protocol, endpoint = sns._p(params, "Protocol"), sns._p(params, "Endpoint")
    attributes = _entries(params, "Attributes")
    _validate_subscription(topic["arn"], protocol, endpoint, attributes)
    for existing in topic["subscriptions"]:
        if (existing["protocol"], existing["endpoint"]) == (protocol, endpoint) and any(
            existing["attributes"].get(name) != value for name, value in attributes.items()
        ):
            _invalid("Attributes Reason: Subscription already exists with different attributes")


def _validate_subscription(topic: str, protocol: str, endpoint: str, attributes: Data) -> None:
    if protocol not in _PROTOCOLS:
        _invalid(f"Amazon SNS does not support this protocol string: {protocol}")
    if protocol in ("http", "https") and not endpoint.startswith(f"{protocol}://"):
        _invalid("Endpoint must match the specified protocol")
    if protocol == "sms" and not _PHONE.fullmatch(endpoint):
        raise Refused(_CODE, f"Invalid SMS endpoint: {endpoint}")
    if protocol.startswith("email") and not _MAIL.fullmatch(endpoint):
        _invalid("Email address")
    if protocol == "sqs" and not endpoint.startswith("arn:"):
        _invalid("SQS endpoint ARN")
    if protocol == "sqs" and endpoint.endswith(".fifo") and not topic.endswith(".fifo"):
        _invalid("Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics")
    if protocol != "sqs" and topic.endswith(".fifo"):
        _invalid("Invalid parameter: Endpoint Reason: Please use FIFO SQS queue")
    reason = "Attributes Reason: "
    _validate_delivery(attributes, protocol, reason)
    _validate_filter(attributes, reason)
    if attributes.get("RedrivePolicy"):
        _validate_redrive(attributes["RedrivePolicy"], topic, endpoint, reason)


def _validate_delivery(attributes: Data, protocol: str, reason: str) -> None:
    raw = attributes.get("RawMessageDelivery")
    if raw is not None and str(raw).lower() not in ("true", "false"):
        _invalid(f"{reason}RawMessageDelivery: Invalid value [{raw}]. Must be true or false.")
    if str(raw).lower() == "true" and protocol not in _RAW:
        _invalid(f"{reason}Delivery protocol [{protocol}] does not support raw message delivery.")


def _validate_filter(attributes: Data, reason: str) -> None:
    scope = attributes.get("FilterPolicyScope") or "MessageAttributes"
    if scope not in ("MessageAttributes", "MessageBody"):
        rule = "Please use either MessageBody or MessageAttributes"
        _invalid(f"{reason}FilterPolicyScope: Invalid value [{scope}]. {rule}")
    document = attributes.get("FilterPolicy")
    if document:
        policy = _object(document)
        if policy is None:
            _invalid(f"{reason}FilterPolicy: failed to parse JSON.")
        try:
            filter_grammar.validate(policy, scope)
        except filter_grammar.InvalidFilterPolicyError as invalid:
            _invalid(f"{reason}{invalid}")


def _validate_redrive(document: Any, topic: str, endpoint: str, reason: str) -> None:
    policy = _object(document)
    if policy is None:
        _invalid(f"{reason}RedrivePolicy: failed to parse JSON.")
    target = str(policy.get("deadLetterTargetArn", ""))
    try:
        queue, source = parse_arn(target), parse_arn(topic)
    except ArnParseError:
        _invalid(f"{reason}RedrivePolicy: deadLetterTargetArn is an invalid arn")
    # https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html: same account and Region
    if queue.service != "sqs" or (queue.account_id, queue.region) != (source.account_id, source.region):
        _invalid(f"{reason}RedrivePolicy: deadLetterTargetArn must be a queue of the subscription's account and Region")
    if topic.endswith(".fifo") and endpoint.endswith(".fifo") and not target.endswith(".fifo"):
        _invalid(f"{reason}RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.")


def _validate_subscription_attribute(params: Data) -> None:
    arn = sns._p(params, "SubscriptionArn")
    topic = sns._sub_arn_to_topic.get(arn)
    found = sns._find_subscription(topic, arn) if topic else None
    if found is None:
        return  # the engine refuses it
    name, value = sns._p(params, "AttributeName"), sns._p(params, "AttributeValue")
    if name not in _ATTRIBUTES:
        _invalid("AttributeName")
    if name == "RawMessageDelivery":
        _validate_delivery({name: value}, found["protocol"], "")
    elif name in ("FilterPolicy", "FilterPolicyScope"):
        known = {key: found["attributes"].get(key) for key in ("FilterPolicy", "FilterPolicyScope")}
        _validate_filter(known | {name: value}, "")
    elif name == "RedrivePolicy" and value:
        _validate_redrive(value, str(topic), found["endpoint"], "")


# ---------------------------------------------------------------------------------------------------------- messages
def _validate_publish(params: Data) -> None:
    message, subject = sns._p(params, "Message"), sns._p(params, "Subject")
    phone = sns._p(params, "PhoneNumber")
    if not message:
        _invalid("Empty message")
    if len(subject) > _MAX_SUBJECT or _CONTROL.search(subject):
        _invalid("Subject")
    if phone and not _PHONE.fullmatch(phone):
        _invalid(f"PhoneNumber Reason: {phone} is not valid to publish to")
    if sns._p(params, "MessageStructure") == "json":
        _validate_structure(message)
    _validate_message_attributes(sns._parse_message_attributes(params))
    arn = sns._p(params, "TopicArn") or sns._p(params, "TargetArn")
    if arn:
        _validate_target(arn)
        _validate_order(arn, sns._p(params, "MessageGroupId"), sns._p(params, "MessageDeduplicationId"))


def _validate_publish_batch(params: Data) -> None:
    for entry in sns._parse_batch_entries(params):
        identity = entry.get("id", "")
        if not re.fullmatch(r"[A-Za-z0-9_-]*", identity):
            text = f"The Id of a batch entry in the batch request contains an impermissible character: {identity}"
            raise Refused("InvalidBatchEntryId", text)
        if len(identity) > 80:
            text = f"The Id of a batch entry in the batch request is too long: {identity}"
            raise Refused("InvalidBatchEntryId", text)


def _validate_structure(message: str) -> None:
    found = _object(message)
    if found is None:
        _invalid("Message Structure - JSON message body failed to parse")
    if not isinstance(found.get("default"), str):
        _invalid("Message Structure - No default entry in JSON message body")


def _validate_message_attributes(attributes: Data) -> None:
    for name, attribute in attributes.items():
        kind = str(attribute.get("DataType", ""))
        prefix = kind.partition(".")[0]
        field = "BinaryValue" if prefix == "Binary" else "StringValue"
        rule = ""
        if len(name) > _MAX_ATTRIBUTE_NAME:
            rule = "Length of message attribute name must be less than 256 bytes."
        elif not _ATTRIBUTE_NAME.fullmatch(name):
            bad = next(each for each in name if not _ATTRIBUTE_NAME.fullmatch(each))
            rule = (
                f"Invalid non-alphanumeric character '#x{ord(bad):X}' was found in the message attribute name. "
                "Can only include alphanumeric characters, hyphens, underscores, or dots."
            )
        elif name.startswith("."):
            rule = "Invalid message attribute name starting with character '.' was found."
        elif name.endswith("."):
            rule = "Invalid message attribute name ending with character '.' was found."
        elif ".." in name:
            rule = "Message attribute name can not have successive '.' character."
        elif prefix not in ("Binary", "Number", "String"):
            rule = (
                f"The message attribute '{name}' has an invalid message attribute type, "
                "the set of supported type prefixes is Binary, Number, and String."
            )
        elif not attribute.get("StringValue") and not attribute.get("BinaryValue"):
            rule = (
                f"The message attribute '{name}' must contain non-empty message attribute value "
                f"for message attribute type '{kind}'."
            )
        elif not attribute.get(field):
            rule = f"The message attribute '{name}' with type '{kind}' must use field '{field.removesuffix('Value')}'."
        if rule:
            raise Refused("ParameterValueInvalid", rule)


def _validate_target(arn: str) -> None:
    elements = len(arn.split(":"))
    if elements < 6:
        _invalid(f"TopicArn Reason: An ARN must have at least 6 elements, not {elements}")
    if arn.split(":")[3] != get_region():
        _invalid("TopicArn")


def _validate_order(arn: str, group: str, deduplication: str) -> None:
    topic = sns._topic_by_arn_any_scope(sns._normalize_arn(arn))
    if topic is None:
        return  # the engine refuses it
    if not sns._is_fifo_topic(topic):
        if deduplication:
            rule = "The request includes MessageDeduplicationId parameter that is not valid for this topic type"
            _invalid(f"MessageDeduplicationId Reason: {rule}")
    elif group and not deduplication and topic["attributes"].get("ContentBasedDeduplication") != "true":
        rule = "should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
        _invalid(f"The topic {rule}")


# ---------------------------------------------------------------------------------------------------- CloudFormation
def _validate_deployed_topic(properties: Data) -> None:
    if properties.get("TopicName"):
        _validate_topic(properties["TopicName"], properties)
    elif len(str(properties.get("DisplayName", ""))) > _MAX_DISPLAY_NAME:
        _invalid("DisplayName")
    topic = str(properties.get("TopicName", "")) or (".fifo" if properties.get("FifoTopic") else "")
    for each in properties.get("Subscription", []):
        _validate_subscription(topic, each.get("Protocol", ""), str(each.get("Endpoint", "")), {})


def _validate_deployed_subscription(properties: Data) -> None:
    topic = str(properties.get("TopicArn", ""))
    if sns._topic_by_arn_any_scope(topic) is None:
        raise Refused("NotFound", "Topic does not exist")
    attributes = {name: properties[name] for name in _ATTRIBUTES & properties.keys()}
    _validate_subscription(topic, properties.get("Protocol", ""), str(properties.get("Endpoint", "")), attributes)


def _validate_deployed_policy(properties: Data) -> None:
    for topic in properties.get("Topics", []):
        _validate_policy(properties.get("PolicyDocument"), str(topic))


def _entries(params: Data, key: str) -> dict[str, str]:
    """Return the map that a request of the query protocol holds as KEY.entry.N.key and KEY.entry.N.value."""
    found = {}
    number = 1
    while name := sns._p(params, f"{key}.entry.{number}.key"):
        found[name] = sns._p(params, f"{key}.entry.{number}.value")
        number += 1
    return found


def _object(document: Any) -> Data | None:
    """Return the JSON object that an attribute holds, None if it holds none."""
    try:
        found = json.loads(document) if isinstance(document, str) else document
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
