"""What SNS refuses."""

import json
from collections.abc import Callable
from typing import Any

from engine_tests.aws import ACCOUNT, REGION, Aws
from engine_tests.refusals.refusal import Refusal, Template

_GUIDE = "https://docs.aws.amazon.com/sns/latest/dg"
_API = "https://docs.aws.amazon.com/sns/latest/api"
_TESTS = "https://github.com/localstack/localstack/blob/main/tests/aws/services/sns"
_RECORDED, _RECORDED_FILTERS = f"{_TESTS}/test_sns.snapshot.json", f"{_TESTS}/test_sns_filter_policy.snapshot.json"
_MODULE, _GRAMMAR = "strictness/topics.py", "strictness/topics.py, E9121"
_POLICIES = f"{_GUIDE}/sns-access-policy-language-api-permissions-reference.html"
_CODE = "InvalidParameter"
_FIFO = {"FifoTopic": "true"}
_QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:queue"
_FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:function"

Call = Callable[[Aws], object]


def _subscribe(
    protocol: str = "sqs", endpoint: str = _QUEUE, *, fifo: bool = False, **attributes: Any
) -> tuple[Call, Template]:
    """The call that subscribes an endpoint to a new topic, and the template that does."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in attributes.items()}

    def call(aws: Aws) -> None:
        aws.subscribe(aws.topic(**(_FIFO if fifo else {})), protocol, endpoint, **texts)

    topic = {"FifoTopic": True, "TopicName": "planted.fifo"} if fifo else {}
    subscription = {"TopicArn": {"Ref": "Topic"}, "Protocol": protocol, "Endpoint": endpoint, **attributes}
    template = {
        "Resources": {
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": topic},
            "Subscription": {"Type": "AWS::SNS::Subscription", "Properties": subscription},
        }
    }
    return call, template


def _change(name: str, value: str) -> Call:
    """The call that sets an attribute of a new subscription."""

    def call(aws: Aws) -> None:
        arn = aws.subscribe(aws.topic(), "sqs", _QUEUE)
        aws.sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName=name, AttributeValue=value)

    return call


def _again(aws: Aws) -> None:
    topic = aws.topic()
    aws.subscribe(topic, "sqs", _QUEUE)
    aws.subscribe(topic, "sqs", _QUEUE, RawMessageDelivery="true")


def _create(name: str, **attributes: Any) -> tuple[Call, Template]:
    texts = {key: str(value).lower() if isinstance(value, bool) else value for key, value in attributes.items()}
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name, **attributes}}}}
    return lambda aws: aws.sns.create_topic(Name=name, Attributes=texts), template


def _twice(first: dict[str, Any], second: dict[str, Any]) -> Call:
    def call(aws: Aws) -> None:
        name = aws.name("topic")
        aws.sns.create_topic(Name=name, **first)
        aws.sns.create_topic(Name=name, **second)

    return call


def _statement(**changes: Any) -> dict[str, Any]:
    """A statement of a topic's policy; a change to None removes an element."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", "Resource": "*", **changes}
    return {name: value for name, value in statement.items() if value is not None}


def _policy(document: Any) -> tuple[Call, Template]:
    def call(aws: Aws) -> None:
        text = document if isinstance(document, str) else json.dumps(document)
        aws.sns.set_topic_attributes(TopicArn=aws.topic(), AttributeName="Policy", AttributeValue=text)

    template = {
        "Resources": {
            "Topic": {"Type": "AWS::SNS::Topic"},
            "Policy": {
                "Type": "AWS::SNS::TopicPolicy",
                "Properties": {"Topics": [{"Ref": "Topic"}], "PolicyDocument": document},
            },
        }
    }
    return call, template


def _publish(*, fifo: bool = False, **message: Any) -> Call:
    def call(aws: Aws) -> None:
        topic = aws.topic(**(_FIFO if fifo else {}))
        aws.sns.publish(**{"TopicArn": topic, "Message": "hello", **message})

    return call


def _attribute(name: str = "a", kind: str = "String", **value: Any) -> Call:
    return _publish(MessageAttributes={name: {"DataType": kind, **(value or {"StringValue": "x"})}})


def _batch(*ids: str) -> Call:
    def call(aws: Aws) -> None:
        entries = [{"Id": each, "Message": "hello"} for each in ids]
        aws.sns.publish_batch(TopicArn=aws.topic(), PublishBatchRequestEntries=entries)

    return call


def _refused(  # noqa: PLR0917 - one row of the table
    name: str,
    rule: str,
    source: str,
    text: str,
    tried: Call | tuple[Call, Template],
    held: str = _MODULE,
    code: str = _CODE,
) -> Refusal:
    call, template = tried if isinstance(tried, tuple) else (tried, None)
    return Refusal(
        id=f"sns-{name}", rule=rule, source=source, code=code, text=text, held=held, call=call, template=template
    )


def _filter(name: str, rule: str, text: str, policy: Any, scope: str = "MessageBody") -> Refusal:
    tried = _subscribe(FilterPolicy=policy, FilterPolicyScope=scope)
    return _refused(f"a-filter-{name}", rule, _RECORDED_FILTERS, text, tried, _GRAMMAR)


_TOO_MANY = {"a": ["1", "2", "3", "4", "5", "6"], "b": ["1", "2", "3", "4", "5", "6"], "c": ["1", "2", "3", "4", "5"]}

REFUSALS = (
    # ------------------------------------------------------------------------------------------------------- topics
    _refused(
        "a-topic-name-has-letters-digits-hyphens-and-underscores",
        "The name of a topic has letters, digits, hyphens and underscores",
        _RECORDED,
        "Invalid parameter: Topic Name",
        _create("orders new"),
    ),
    _refused(
        "a-topic-name-has-256-characters",
        "The name of a topic has at most 256 characters",
        f"{_API}/API_CreateTopic.html",
        "Invalid parameter: Topic Name",
        _create("t" * 257)[0],  # a template's is refused by the schema
    ),
    _refused(
        "a-fifo-topic-name-ends-in-fifo",
        "The name of a FIFO topic ends in .fifo",
        "https://github.com/awsdocs/aws-cloudformation-user-guide/pull/860",
        "Invalid parameter: Topic Name",
        _create("orders", FifoTopic=True),
    ),
    _refused(
        "a-display-name-has-100-characters",
        "The display name of a topic has at most 100 characters",
        f"{_GUIDE}/sns-create-topic.html",
        "Invalid parameter: DisplayName",
        _create("orders", DisplayName="x" * 101),
    ),
    _refused(
        "a-topic-exists-with-other-attributes",
        "CreateTopic of a name that exists has the attributes of the topic that exists",
        _RECORDED,
        "Invalid parameter: Attributes Reason: Topic already exists with different attributes",
        _twice({}, {"Attributes": {"DisplayName": "other"}}),
    ),
    _refused(
        "a-topic-exists-with-other-tags",
        "CreateTopic of a name that exists has the tags of the topic that exists",
        _RECORDED,
        "Invalid parameter: Tags Reason: Topic already exists with different tags",
        _twice({}, {"Tags": [{"Key": "team", "Value": "orders"}]}),
    ),
    _refused(
        "a-tag-is-given-once",
        "The keys of tags are distinct",
        _RECORDED,
        "Invalid parameter: Duplicated keys are not allowed.",
        lambda aws: aws.sns.tag_resource(
            ResourceArn=aws.topic(), Tags=[{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
        ),
    ),
    # ----------------------------------------------------------------------------------------------------- policies
    _refused(
        "a-topic-policy-has-actions-of-topics",
        "A topic's policy names actions on topics, one by one: neither sns:* nor sns:CreateTopic",
        "https://github.com/hashicorp/terraform/issues/12740",
        "Invalid parameter: Policy statement action out of service scope!",
        _policy({"Version": "2012-10-17", "Statement": [_statement(Action="sns:*")]}),
    ),
    _refused(
        "a-topic-policy-has-principals",
        "A statement of a topic's policy has an effect, a principal and an action",
        "https://github.com/serverless/serverless/issues/5519",
        "Invalid parameter: Policy Error: null",
        _policy({"Version": "2012-10-17", "Statement": [_statement(Principal=None)]}),
    ),
    _refused(
        "a-topic-policy-statement-has-one-resource",
        "A statement of a topic's policy has exactly one resource",
        _POLICIES,
        "Invalid parameter: Policy statement must apply to a single resource!",
        _policy({"Version": "2012-10-17", "Statement": [_statement(Resource=["*", "arn:aws:sns:*:*:a"])]}),
    ),
    _refused(
        "a-topic-policy-covers-its-own-topic",
        "A topic's policy covers its own topic only",
        _POLICIES,
        "Invalid parameter: Policy statement must apply to a single resource!",
        _policy({"Version": "2012-10-17", "Statement": [_statement(Resource=f"arn:aws:sns:{REGION}:{ACCOUNT}:a")]}),
    ),
    _refused(
        "the-statements-of-a-topic-policy-have-distinct-ids",
        "The statements of a topic's policy have a Sid each",
        _POLICIES,
        "Every policy statement must have a unique ID",
        _policy({"Version": "2012-10-17", "Statement": [_statement(), _statement()]}),
    ),
    _refused(
        "a-topic-policy-is-json",
        "A topic's policy is a JSON object",
        f"{_API}/API_SetTopicAttributes.html",
        "Invalid parameter: Policy Error",
        _policy("{not JSON")[0],
    ),
    _refused(
        "a-topic-policy-is-not-empty",
        "A topic's policy cannot be removed",
        "https://github.com/aws-controllers-k8s/community/issues/1867",
        "Invalid parameter: Policy is empty",
        _policy("")[0],
    ),
    # ------------------------------------------------------------------------------------------------ subscriptions
    _refused(
        "a-protocol-is-known",
        "SNS supports the protocol of a subscription",
        _RECORDED,
        "Invalid parameter: Amazon SNS does not support this protocol string: pigeon",
        _subscribe("pigeon"),
    ),
    _refused(
        "a-queue-is-subscribed-by-its-arn",
        "A queue is subscribed by its ARN, not its URL",
        _RECORDED,
        "Invalid parameter: SQS endpoint ARN",
        _subscribe("sqs", f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/queue"),
    ),
    _refused(
        "an-https-endpoint-is-an-address",
        "The endpoint of an https subscription begins with https://",
        f"{_API}/API_Subscribe.html",
        "Invalid parameter: Endpoint must match the specified protocol",
        _subscribe("https", "http://example.com/hook"),
    ),
    _refused(
        "an-sms-endpoint-is-a-number",
        "The endpoint of an sms subscription is a phone number",
        _RECORDED,
        "Invalid SMS endpoint: home",
        _subscribe("sms", "home"),
    ),
    _refused(
        "an-email-endpoint-is-an-address",
        "The endpoint of an email subscription is an e-mail address",
        f"{_API}/API_Subscribe.html",
        "Invalid parameter: Email address",
        _subscribe("email", "oncall"),
    ),
    _refused(
        "a-fifo-queue-subscribes-to-a-fifo-topic",
        "A FIFO queue is subscribed to a FIFO topic only",
        _RECORDED,
        "FIFO SQS Queues can not be subscribed to standard SNS topics",
        _subscribe("sqs", f"{_QUEUE}.fifo"),
    ),
    _refused(
        "a-fifo-topic-delivers-to-queues",
        "Only queues are subscribed to a FIFO topic: no function, address or number",
        f"{_GUIDE}/fifo-message-delivery.html",
        "Invalid parameter",
        _subscribe("lambda", _FUNCTION, fifo=True),
    ),
    _refused(
        "an-endpoint-is-subscribed-once",
        "Subscribe of an endpoint that is subscribed has the attributes of its subscription",
        _RECORDED,
        "Invalid parameter: Attributes Reason: Subscription already exists with different attributes",
        _again,
    ),
    _refused(
        "a-subscription-has-known-attributes",
        "SetSubscriptionAttributes sets an attribute that SNS has",
        _RECORDED,
        "Invalid parameter: AttributeName",
        _change("Colour", "red"),
    ),
    _refused(
        "raw-delivery-is-true-or-false",
        "RawMessageDelivery is true or false",
        _RECORDED,
        "RawMessageDelivery: Invalid value [maybe]. Must be true or false.",
        _subscribe(RawMessageDelivery="maybe")[0],  # a template's is refused by the schema
    ),
    _refused(
        "raw-delivery-is-for-queues-and-addresses",
        "RawMessageDelivery is for queues, HTTP and Firehose",
        f"{_GUIDE}/sns-large-payload-raw-message-delivery.html",
        "Delivery protocol [lambda] does not support raw message delivery.",
        _subscribe("lambda", _FUNCTION, RawMessageDelivery=True),
    ),
    _refused(
        "a-redrive-policy-names-a-queue-by-its-arn",
        "The deadLetterTargetArn of a subscription is an ARN",
        _RECORDED,
        "RedrivePolicy: deadLetterTargetArn is an invalid arn",
        _subscribe(RedrivePolicy={"deadLetterTargetArn": "dead-letters"}),
    ),
    _refused(
        "a-redrive-policy-is-json",
        "The redrive policy of a subscription is JSON",
        _RECORDED,
        "Invalid parameter: RedrivePolicy: failed to parse JSON.",
        _change("RedrivePolicy", "{not JSON"),
    ),
    _refused(
        "a-dead-letter-queue-is-of-the-same-account-and-region",
        "The dead-letter queue of a subscription is in the same account and Region",
        f"{_GUIDE}/sns-dead-letter-queues.html",
        "RedrivePolicy: deadLetterTargetArn",
        _subscribe(RedrivePolicy={"deadLetterTargetArn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:dead"}),
    ),
    _refused(
        "the-dead-letter-queue-of-a-fifo-subscription-is-fifo",
        "The dead-letter queue of a FIFO queue's subscription to a FIFO topic is a FIFO queue",
        _RECORDED,
        "RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.",
        _subscribe("sqs", f"{_QUEUE}.fifo", fifo=True, RedrivePolicy={"deadLetterTargetArn": _QUEUE}),
    ),
    # ------------------------------------------------------------------------------------------------------ filters
    _refused(
        "a-filter-policy-is-json",
        "A filter policy is JSON",
        _RECORDED,
        "FilterPolicy: failed to parse JSON.",
        _subscribe(FilterPolicy="{not JSON"),
    ),
    _refused(
        "a-filter-policy-scope-is-attributes-or-body",
        "FilterPolicyScope is MessageAttributes or MessageBody",
        _RECORDED_FILTERS,
        "FilterPolicyScope: Invalid value [Body]. Please use either MessageBody or MessageAttributes",
        _subscribe(FilterPolicy={"a": ["b"]}, FilterPolicyScope="Body"),
    ),
    _filter(
        "policy-has-five-keys",
        "A filter policy has at most five keys",
        "FilterPolicy: Filter policy can not have more than 5 keys",
        {key: ["x"] for key in "abcdef"},
    ),
    _filter(
        "policy-has-150-combinations",
        "The values of a filter policy have at most 150 combinations",
        "FilterPolicy: Filter policy is too complex",
        _TOO_MANY,
    ),
    _filter(
        "on-attributes-is-flat",
        "A filter policy with the scope MessageAttributes has no nested keys",
        "Filter policy scope MessageAttributes does not support nested filter policy",
        {"data": {"channel": ["web"]}},
        "MessageAttributes",
    ),
    _filter(
        "key-has-an-object-or-an-array",
        "A key of a filter policy has an object or an array",
        'FilterPolicy: "channel" must be an object or an array',
        {"channel": "web"},
    ),
    _filter(
        "array-is-not-empty",
        "An array of a filter policy has a value",
        "FilterPolicy: Empty arrays are not allowed",
        {"channel": []},
    ),
    _filter(
        "value-is-a-scalar",
        "A value of a filter policy is a string, number, true, false, null or a match expression",
        "FilterPolicy: Match value must be String, number, true, false, or null",
        {"channel": [["web"]]},
    ),
    _filter(
        "operator-is-known",
        "SNS supports the operator of a match expression",
        "FilterPolicy: Unrecognized match type contains",
        {"channel": [{"contains": "web"}]},
    ),
    _filter(
        "expression-has-one-operator",
        "A match expression has one operator",
        "FilterPolicy: Only one key allowed in match expression",
        {"channel": [{"prefix": "w", "suffix": "b"}]},
    ),
    _filter(
        "prefix-is-a-string",
        "A prefix, suffix or equals-ignore-case is a string",
        "FilterPolicy: prefix match pattern must be a string",
        {"channel": [{"prefix": 1}]},
    ),
    _filter(
        "exists-is-true-or-false",
        "The operand of exists is true or false",
        "FilterPolicy: exists match pattern must be either true or false.",
        {"channel": [{"exists": "no"}]},
    ),
    _filter(
        "exclusion-has-values-or-a-prefix",
        "The operand of anything-but is a value, an array or a prefix",
        "FilterPolicy: Unsupported anything-but pattern: exists",
        {"channel": [{"anything-but": {"exists": False}}]},
    ),
    _filter(
        "range-has-a-known-operator",
        "A numeric range begins with =, <, <=, > or >=",
        "FilterPolicy: Unrecognized numeric range operator: ==",
        {"total": [{"numeric": ["==", 1]}]},
    ),
    _filter(
        "range-has-numbers",
        "The operands of a numeric range are numbers",
        "FilterPolicy: Value of > must be numeric",
        {"total": [{"numeric": [">", "100"]}]},
    ),
    _filter(
        "range-has-a-lower-bound-below-the-upper",
        "The lower bound of a numeric range is below the upper bound",
        "FilterPolicy: Bottom must be less than top",
        {"total": [{"numeric": [">", 3, "<", 1]}]},
    ),
    _filter(
        "range-has-the-lower-bound-first",
        "A numeric range has its lower bound first",
        "FilterPolicy: Too many elements in numeric expression",
        {"total": [{"numeric": ["<", 100, ">", 10]}]},
    ),
    _filter(
        "network-is-a-cidr-block",
        "The operand of cidr is an address, a slash and the length of a prefix",
        "FilterPolicy: Malformed CIDR, one '/' required",
        {"ip": [{"cidr": "10.0.0.1"}]},
    ),
    # ----------------------------------------------------------------------------------------------------- messages
    _refused(
        "a-message-is-not-empty",
        "A message is not empty",
        _RECORDED,
        "Invalid parameter: Empty message",
        _publish(Message=""),
    ),
    _refused(
        "a-message-has-256-kib",
        "A message has at most 262,144 bytes",
        _RECORDED,
        "Invalid parameter: Message too long",
        _publish(Message="x" * 262_145),
        "ministack",
    ),
    _refused(
        "a-subject-has-100-characters",
        "A subject has at most 100 characters",
        f"{_API}/API_Publish.html",
        "Invalid parameter: Subject",
        _publish(Subject="x" * 101),
    ),
    _refused(
        "a-subject-is-one-line",
        "A subject has neither line breaks nor control characters",
        f"{_API}/API_Publish.html",
        "Invalid parameter: Subject",
        _publish(Subject="one\ntwo"),
    ),
    _refused(
        "a-message-per-protocol-has-a-default",
        "A message with MessageStructure json has a key default",
        _RECORDED,
        "Invalid parameter: Message Structure - No default entry in JSON message body",
        _publish(MessageStructure="json", Message='{"sqs": "hello"}'),
    ),
    _refused(
        "a-message-per-protocol-is-json",
        "A message with MessageStructure json is JSON",
        _RECORDED,
        "Invalid parameter: Message Structure - JSON message body failed to parse",
        _publish(MessageStructure="json"),
    ),
    _refused(
        "a-message-goes-to-a-topic-that-exists",
        "A message goes to a topic that exists",
        _RECORDED,
        "Topic does not exist",
        lambda aws: aws.sns.publish(TopicArn=f"arn:aws:sns:{REGION}:{ACCOUNT}:missing", Message="hello"),
        "ministack",
        "NotFound",
    ),
    _refused(
        "a-topic-is-named-by-its-arn",
        "Publish names a topic by its ARN",
        _RECORDED,
        "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1",
        _publish(TopicArn="orders"),
    ),
    _refused(
        "a-topic-is-of-the-same-region",
        "Publish reaches topics of its own Region only",
        _RECORDED,
        "Invalid parameter: TopicArn",
        _publish(TopicArn=f"arn:aws:sns:eu-west-1:{ACCOUNT}:orders"),
    ),
    _refused(
        "a-phone-number-is-a-number",
        "A phone number has digits only",
        _RECORDED,
        "Invalid parameter: PhoneNumber Reason: +1a234 is not valid to publish to",
        lambda aws: aws.sns.publish(PhoneNumber="+1a234", Message="hello"),
    ),
    _refused(
        "a-fifo-message-has-a-group",
        "A message of a FIFO topic has a MessageGroupId",
        _RECORDED,
        "Invalid parameter: The MessageGroupId parameter is required for FIFO topics",
        _publish(fifo=True),
        "ministack",
    ),
    _refused(
        "a-fifo-message-has-a-deduplication-id",
        "A message of a FIFO topic without ContentBasedDeduplication has a MessageDeduplicationId",
        _RECORDED,
        "either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
        _publish(fifo=True, MessageGroupId="g"),
    ),
    _refused(
        "a-deduplication-id-is-for-fifo-topics",
        "A message of a standard topic has no MessageDeduplicationId",
        _RECORDED,
        "The request includes MessageDeduplicationId parameter that is not valid for this topic type",
        _publish(MessageDeduplicationId="d"),
    ),
    _refused(
        "a-message-attribute-has-a-value",
        "A message attribute is not empty",
        _RECORDED,
        "The message attribute 'a' must contain non-empty message attribute value",
        _attribute(StringValue=""),
        code="ParameterValueInvalid",
    ),
    _refused(
        "a-message-attribute-is-binary-number-or-string",
        "A message attribute is of the type Binary, Number or String",
        _RECORDED,
        "the set of supported type prefixes is Binary, Number, and String.",
        _attribute(kind="Text"),
        code="ParameterValueInvalid",
    ),
    _refused(
        "a-message-attribute-uses-the-field-of-its-type",
        "A binary attribute has a BinaryValue, any other a StringValue",
        _RECORDED,
        "The message attribute 'a' with type 'Binary' must use field 'Binary'.",
        _attribute(kind="Binary"),
        code="ParameterValueInvalid",
    ),
    _refused(
        "a-message-attribute-name-has-letters-digits-hyphens-underscores-and-dots",
        "The name of a message attribute has letters, digits, hyphens, underscores and dots",
        _RECORDED,
        "Invalid non-alphanumeric character '#x5E' was found in the message attribute name.",
        _attribute("a^b"),
        code="ParameterValueInvalid",
    ),
    _refused(
        "a-message-attribute-name-has-256-characters",
        "The name of a message attribute has at most 256 characters",
        _RECORDED,
        "Length of message attribute name must be less than 256 bytes.",
        _attribute("a" * 257),
        code="ParameterValueInvalid",
    ),
    _refused(
        "a-message-attribute-name-has-single-dots-inside",
        "The name of a message attribute has single dots, neither first nor last",
        _RECORDED,
        "Message attribute name can not have successive '.' character.",
        _attribute("a..b"),
        code="ParameterValueInvalid",
    ),
    _refused(
        "a-batch-has-ten-entries",
        "A batch has at most ten entries",
        _RECORDED,
        "The batch request contains more entries than permissible",
        _batch(*(str(number) for number in range(11))),
        "ministack",
        "TooManyEntriesInBatchRequest",
    ),
    _refused(
        "the-ids-of-a-batch-are-distinct",
        "The ids of a batch are distinct",
        _RECORDED,
        "",
        _batch("a", "a"),
        "ministack",
        "BatchEntryIdsNotDistinct",
    ),
    _refused(
        "the-id-of-a-batch-entry-has-letters-digits-hyphens-and-underscores",
        "The id of a batch entry has letters, digits, hyphens and underscores",
        _RECORDED,
        "The Id of a batch entry in the batch request contains an impermissible character: a.b",
        _batch("a.b"),
        code="InvalidBatchEntryId",
    ),
    _refused(
        "the-id-of-a-batch-entry-has-80-characters",
        "The id of a batch entry has at most 80 characters",
        _RECORDED,
        "The Id of a batch entry in the batch request is too long",
        _batch("a" * 81),
        code="InvalidBatchEntryId",
    ),
)
