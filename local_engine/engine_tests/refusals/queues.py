"""What SQS refuses."""

import json
from typing import Any

from engine_tests.aws import ACCOUNT, REGION, Aws
from engine_tests.refusals.refusal import Refusal, Template

_GUIDE = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide"
_API = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference"
_RECORDED = "https://github.com/localstack/localstack/blob/main/tests/aws/services/sqs/test_sqs.snapshot.json"
_MOVES = "https://github.com/localstack/localstack/blob/main/tests/aws/services/sqs/test_sqs_move_task.snapshot.json"
_MODULE = "strictness/queues.py"
_POLICY = "Invalid value for the parameter Policy."


def _policy(*resources: Any, **changes: Any) -> dict[str, Any]:
    """A policy with one statement; a change to None removes an element."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": list(resources),
        **changes,
    }
    given = {name: value for name, value in statement.items() if value is not None}
    return {"Version": "2012-10-17", "Statement": [given]}


def _set(aws: Aws, name: str, value: Any) -> None:
    url, _ = aws.queue()
    text = value if isinstance(value, str) else json.dumps(value)
    aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={name: text})


def _create(aws: Aws, name: str, **attributes: str) -> None:
    aws.sqs.create_queue(QueueName=name, Attributes=attributes)


def _twice(aws: Aws) -> None:
    name = aws.name("queue")
    _create(aws, name, DelaySeconds="1")
    _create(aws, name, DelaySeconds="2")


def _with_dead_letters(aws: Aws, *, fifo: bool) -> None:
    """A queue whose dead-letter queue is of the other kind."""
    _, arn = aws.queue(**({} if fifo else {"FifoQueue": "true"}))
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    aws.queue(RedrivePolicy=policy, **({"FifoQueue": "true"} if fifo else {}))


def _send(aws: Aws, *, fifo: bool = False, **message: Any) -> None:
    url, _ = aws.queue(**({"FifoQueue": "true"} if fifo else {}))
    aws.sqs.send_message(QueueUrl=url, **{"MessageBody": "hello", **message})


def _send_batch(aws: Aws, *ids: str, body: str = "hello") -> None:
    url, _ = aws.queue()
    aws.sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": each, "MessageBody": body} for each in ids])


def _receive(aws: Aws, **parameters: int) -> None:
    url, _ = aws.queue()
    aws.sqs.receive_message(QueueUrl=url, **parameters)


def _hide(aws: Aws, *, seconds: int, handle: str | None = None) -> None:
    url, _ = aws.queue()
    aws.sqs.send_message(QueueUrl=url, MessageBody="hello")
    known = aws.sqs.receive_message(QueueUrl=url)["Messages"][0]["ReceiptHandle"]
    aws.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle or known, VisibilityTimeout=seconds)


def _move(aws: Aws, *, dead_letters: bool) -> None:
    """Start a move from a queue that is not a dead-letter queue, or to a queue that does not exist."""
    _, source = aws.queue()
    destination = {}
    if dead_letters:
        aws.queue(RedrivePolicy=json.dumps({"deadLetterTargetArn": source, "maxReceiveCount": 3}))
        destination = {"DestinationArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:missing"}
    aws.sqs.start_message_move_task(SourceArn=source, **destination)


def _permit(aws: Aws) -> None:
    url, _ = aws.queue()
    actions = ["SendMessage", "ReceiveMessage", "DeleteMessage", "PurgeQueue", "GetQueueUrl", "GetQueueAttributes"]
    actions += ["ChangeMessageVisibility", "ListDeadLetterSourceQueues"]
    aws.sqs.add_permission(QueueUrl=url, Label="one", AWSAccountIds=[ACCOUNT], Actions=actions)


def _queue(name: str = "Queue", **properties: Any) -> Template:
    return {"Resources": {name: {"Type": "AWS::SQS::Queue", "Properties": properties}}}


def _queues(policy: dict[str, Any]) -> Template:
    """Two queues, and a policy of the first."""
    return {
        "Resources": {
            "One": {"Type": "AWS::SQS::Queue"},
            "Other": {"Type": "AWS::SQS::Queue"},
            "Policy": {
                "Type": "AWS::SQS::QueuePolicy",
                "Properties": {"Queues": [{"Ref": "One"}], "PolicyDocument": policy},
            },
        }
    }


def _dead_letter_template(*, fifo: bool) -> Template:
    kind, other = ({"FifoQueue": True}, {}) if fifo else ({}, {"FifoQueue": True})
    redrive = {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 3}
    return {
        "Resources": {
            "Dead": {"Type": "AWS::SQS::Queue", "Properties": other},
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {**kind, "RedrivePolicy": redrive}},
        }
    }


_ONE, _OTHER = {"Fn::GetAtt": ["One", "Arn"]}, {"Fn::GetAtt": ["Other", "Arn"]}
_MISSING = {"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:missing", "maxReceiveCount": 3}
_TEXT = {"DataType": "String", "StringValue": "x"}

REFUSALS = (
    # ----------------------------------------------------------------------------------------------------- policies
    Refusal(
        id="sqs-a-policy-statement-has-one-resource",
        rule="A statement of a queue policy has exactly one resource",
        source="https://github.com/remind101/stacker_blueprints/pull/71",
        code="InvalidAttributeValue",
        text=_POLICY,
        held=_MODULE,
        call=lambda aws: _set(aws, "Policy", _policy("arn:aws:sqs:*:*:a", "arn:aws:sqs:*:*:b")),
        template=_queues(_policy(_ONE, _OTHER)),
    ),
    Refusal(
        id="sqs-a-policy-covers-its-own-queue",
        rule="A queue policy covers its own queue only",
        source=f"{_GUIDE}/sqs-creating-custom-policies.html",
        code="InvalidAttributeValue",
        text=_POLICY,
        held=_MODULE,
        call=lambda aws: _set(aws, "Policy", _policy(f"arn:aws:sqs:{REGION}:{ACCOUNT}:other")),
        template=_queues(_policy(_OTHER)),
    ),
    Refusal(
        id="sqs-a-policy-is-json",
        rule="A queue policy is a JSON object",
        source=f"{_API}/API_SetQueueAttributes.html",
        code="InvalidAttributeValue",
        text=_POLICY,
        held=_MODULE,
        call=lambda aws: _set(aws, "Policy", "{not JSON"),
    ),
    Refusal(
        id="sqs-a-policy-statement-has-a-principal",
        rule="A statement of a queue policy has an effect, a principal and an action",
        source=f"{_GUIDE}/sqs-creating-custom-policies.html",
        code="InvalidAttributeValue",
        text=_POLICY,
        held=_MODULE,
        call=lambda aws: _set(aws, "Policy", _policy("*", Principal=None)),
        template=_queues(_policy(_ONE, Principal=None)),
    ),
    Refusal(
        id="sqs-a-policy-statement-allows-or-denies",
        rule="The effect of a statement is Allow or Deny",
        source=f"{_GUIDE}/sqs-creating-custom-policies.html",
        code="InvalidAttributeValue",
        text=_POLICY,
        held=_MODULE,
        template=_queues(_policy(_ONE, Effect="Permit")),
    ),
    Refusal(
        id="sqs-a-policy-has-actions-of-sqs",
        rule="The actions of a queue policy are actions of SQS",
        source=f"{_GUIDE}/sqs-using-identity-based-policies.html",
        code="InvalidAttributeValue",
        text=_POLICY,
        held=_MODULE,
        call=lambda aws: _set(aws, "Policy", _policy("*", Action="sns:Publish")),
        template=_queues(_policy(_ONE, Action="sns:Publish")),
    ),
    Refusal(
        id="sqs-a-policy-has-8192-bytes",
        rule="A queue policy has at most 8,192 bytes",
        source=f"{_GUIDE}/quotas-policies.html",
        code="InvalidAttributeValue",
        text=_POLICY,
        held=_MODULE,
        call=lambda aws: _set(aws, "Policy", _policy("*", Sid="x" * 8_192)),
        template=_queues(_policy(_ONE, Sid="x" * 8_192)),
    ),
    Refusal(
        id="sqs-a-permission-has-seven-actions",
        rule="AddPermission adds a statement with at most seven actions",
        source=f"{_API}/API_AddPermission.html",
        code="OverLimit",
        text="maximum allowed is 7",
        held=_MODULE,
        call=_permit,
    ),
    # ------------------------------------------------------------------------------------------------------- queues
    Refusal(
        id="sqs-a-queue-name-has-letters-digits-hyphens-and-underscores",
        rule="The name of a queue has letters, digits, hyphens and underscores",
        source=f"{_API}/API_CreateQueue.html",
        code="InvalidParameterValue",
        text="Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        held=_MODULE,
        call=lambda aws: _create(aws, "orders.new"),
        template=_queue(QueueName="orders.new"),
    ),
    Refusal(
        id="sqs-a-queue-name-has-80-characters",
        rule="The name of a queue has at most 80 characters",
        source=f"{_API}/API_CreateQueue.html",
        code="InvalidParameterValue",
        text="1 to 80 in length",
        held=_MODULE,
        call=lambda aws: _create(aws, "q" * 81),
        template=_queue(QueueName="q" * 81),
    ),
    Refusal(
        id="sqs-a-fifo-queue-name-ends-in-fifo",
        rule="The name of a FIFO queue ends in .fifo",
        source=f"{_API}/API_CreateQueue.html",
        code="InvalidParameterValue",
        text="must end with .fifo suffix",
        held=_MODULE,
        call=lambda aws: _create(aws, "orders", FifoQueue="true"),
        template=_queue(QueueName="orders", FifoQueue=True),
    ),
    Refusal(
        id="sqs-a-standard-queue-name-does-not-end-in-fifo",
        rule="The name of a standard queue does not end in .fifo",
        source=f"{_API}/API_CreateQueue.html",
        code="InvalidParameterValue",
        text="Can only include alphanumeric characters, hyphens, or underscores",
        held=_MODULE,
        call=lambda aws: _create(aws, "orders.fifo"),
        template=_queue(QueueName="orders.fifo"),
    ),
    Refusal(
        id="sqs-a-generated-fifo-queue-name-fits",
        rule="A FIFO queue whose generated name, cut to 80 characters, has no room for .fifo has a QueueName",
        source="https://github.com/aws/aws-cdk/issues/5860",
        code="InvalidParameterValue",
        text="must end with .fifo suffix and be 1 to 80 in length",
        held=_MODULE,
        template=_queue("OrdersThatWaitForTheirPaymentToBeConfirmedByTheBank", FifoQueue=True),
    ),
    Refusal(
        id="sqs-a-queue-has-known-attributes",
        rule="A queue has only attributes of SQS",
        source=_RECORDED,
        code="InvalidAttributeName",
        text="Unknown Attribute Colour.",
        held=_MODULE,
        call=lambda aws: _set(aws, "Colour", "red"),
    ),
    Refusal(
        id="sqs-content-based-deduplication-is-for-fifo-queues",
        rule="ContentBasedDeduplication is an attribute of FIFO queues",
        source=_RECORDED,
        code="InvalidAttributeName",
        text="Unknown Attribute ContentBasedDeduplication.",
        held=_MODULE,
        call=lambda aws: _create(aws, aws.name("queue"), ContentBasedDeduplication="true"),
        template=_queue(ContentBasedDeduplication=True),
    ),
    Refusal(
        id="sqs-a-deduplication-scope-is-for-fifo-queues",
        rule="DeduplicationScope is an attribute of FIFO queues",
        source=_RECORDED,
        code="InvalidAttributeName",
        text="You can specify the DeduplicationScope only when FifoQueue is set to true.",
        held=_MODULE,
        call=lambda aws: _create(aws, aws.name("queue"), DeduplicationScope="queue"),
        template=_queue(DeduplicationScope="queue"),
    ),
    Refusal(
        id="sqs-a-throughput-limit-is-for-fifo-queues",
        rule="FifoThroughputLimit is an attribute of FIFO queues",
        source=_RECORDED,
        code="InvalidAttributeName",
        text="You can specify the FifoThroughputLimit only when FifoQueue is set to true.",
        held=_MODULE,
        call=lambda aws: _create(aws, aws.name("queue"), FifoThroughputLimit="perQueue"),
        template=_queue(FifoThroughputLimit="perQueue"),
    ),
    Refusal(
        id="sqs-a-queue-stays-standard",
        rule="A standard queue cannot become a FIFO queue",
        source=_RECORDED,
        code="InvalidAttributeName",
        text="Unknown Attribute FifoQueue.",
        held=_MODULE,
        call=lambda aws: _set(aws, "FifoQueue", "true"),
    ),
    Refusal(
        id="sqs-a-queue-name-is-taken",
        rule="CreateQueue of a name that exists has the attributes of the queue that exists",
        source=_RECORDED,
        code="QueueAlreadyExists",
        text="A queue already exists with the same name and a different value for attribute DelaySeconds",
        held="ministack",
        call=_twice,
    ),
    *(
        Refusal(
            id=f"sqs-{name}-is-at-most-{maximum}",
            rule=f"{name} of a queue is {minimum} to {maximum}",
            source=f"{_API}/API_SetQueueAttributes.html",
            code="InvalidAttributeValue",
            text=f"Invalid value for the parameter {name}.",
            held="ministack",
            call=lambda aws, name=name, value=maximum + 1: _set(aws, name, str(value)),
        )
        for name, minimum, maximum in (
            ("DelaySeconds", 0, 900),
            ("VisibilityTimeout", 0, 43_200),
            ("MessageRetentionPeriod", 60, 1_209_600),
            ("ReceiveMessageWaitTimeSeconds", 0, 20),
            ("KmsDataKeyReusePeriodSeconds", 60, 86_400),
        )
    ),
    # ------------------------------------------------------------------------------------------- dead-letter queues
    Refusal(
        id="sqs-the-dead-letter-queue-of-a-fifo-queue-is-fifo",
        rule="The dead-letter queue of a FIFO queue is a FIFO queue",
        source=f"{_GUIDE}/sqs-dead-letter-queues.html",
        code="InvalidParameterValue",
        text="Dead-letter queue must be same type of queue as the source.",
        held=_MODULE,
        call=lambda aws: _with_dead_letters(aws, fifo=True),
        template=_dead_letter_template(fifo=True),
    ),
    Refusal(
        id="sqs-the-dead-letter-queue-of-a-standard-queue-is-standard",
        rule="The dead-letter queue of a standard queue is a standard queue",
        source=f"{_GUIDE}/sqs-dead-letter-queues.html",
        code="InvalidParameterValue",
        text="Dead-letter queue must be same type of queue as the source.",
        held=_MODULE,
        call=lambda aws: _with_dead_letters(aws, fifo=False),
        template=_dead_letter_template(fifo=False),
    ),
    Refusal(
        id="sqs-the-dead-letter-queue-exists",
        rule="The dead-letter queue of a queue exists",
        source="https://github.com/serverless/serverless/issues/5215",
        code="InvalidParameterValue",
        text="Dead letter target does not exist.",
        held=_MODULE,
        call=lambda aws: _set(aws, "RedrivePolicy", _MISSING),
        template=_queue(RedrivePolicy=_MISSING),
    ),
    Refusal(
        id="sqs-a-redrive-policy-has-a-maximum",
        rule="A redrive policy has maxReceiveCount",
        source="https://github.com/ansible-collections/community.aws/issues/2321",
        code="InvalidParameterValue",
        text="Redrive policy does not contain mandatory attribute: maxReceiveCount.",
        held=_MODULE,
        call=lambda aws: _set(aws, "RedrivePolicy", {}),
    ),
    Refusal(
        id="sqs-a-redrive-policy-has-a-target",
        rule="A redrive policy has deadLetterTargetArn",
        source="https://github.com/crossplane-contrib/provider-aws/issues/443",
        code="InvalidParameterValue",
        text="Redrive policy does not contain mandatory attribute: deadLetterTargetArn.",
        held=_MODULE,
        call=lambda aws: _set(aws, "RedrivePolicy", {"maxReceiveCount": 5}),
    ),
    Refusal(
        id="sqs-a-redrive-allow-policy-has-a-permission",
        rule="redrivePermission is allowAll, denyAll or byQueue",
        source=f"{_API}/API_SetQueueAttributes.html",
        code="InvalidAttributeValue",
        text="Invalid value for the parameter RedriveAllowPolicy.",
        held=_MODULE,
        call=lambda aws: _set(aws, "RedriveAllowPolicy", {"redrivePermission": "some"}),
        template=_queue(RedriveAllowPolicy={"redrivePermission": "some"}),
    ),
    Refusal(
        id="sqs-source-queues-are-named-by-queue",
        rule="sourceQueueArns, at most ten, go with redrivePermission byQueue",
        source=f"{_API}/API_SetQueueAttributes.html",
        code="InvalidAttributeValue",
        text="Invalid value for the parameter RedriveAllowPolicy.",
        held=_MODULE,
        call=lambda aws: _set(aws, "RedriveAllowPolicy", {"redrivePermission": "byQueue", "sourceQueueArns": []}),
        template=_queue(RedriveAllowPolicy={"redrivePermission": "denyAll", "sourceQueueArns": ["arn:aws:sqs:*:*:q"]}),
    ),
    Refusal(
        id="sqs-messages-move-from-a-dead-letter-queue",
        rule="StartMessageMoveTask moves messages of a dead-letter queue",
        source=_MOVES,
        code="InvalidParameterValue",
        text="Source queue must be configured as a Dead Letter Queue.",
        held="compat/message_moves.py",
        call=lambda aws: _move(aws, dead_letters=False),
    ),
    Refusal(
        id="sqs-messages-move-to-a-queue-that-exists",
        rule="The destination of StartMessageMoveTask exists",
        source=_MOVES,
        code="ResourceNotFoundException",
        text="The resource that you specified for the DestinationArn parameter doesn't exist.",
        held="compat/message_moves.py",
        call=lambda aws: _move(aws, dead_letters=True),
    ),
    # ----------------------------------------------------------------------------------------------------- messages
    Refusal(
        id="sqs-a-message-has-a-body",
        rule="A message has a body",
        source=_RECORDED,
        code="MissingParameter",
        text="The request must contain the parameter MessageBody.",
        held="ministack",
        call=lambda aws: _send(aws, MessageBody=""),
    ),
    Refusal(
        id="sqs-a-message-has-a-mebibyte",
        rule="A message has at most 1,048,576 bytes",
        source=_RECORDED,
        code="InvalidParameterValue",
        text="Message must be shorter than 1048576 bytes.",
        held="ministack",
        call=lambda aws: _send(aws, MessageBody="x" * 1_048_577),
    ),
    Refusal(
        id="sqs-a-message-has-characters-of-xml",
        rule="A message has tab, line feed, carriage return and #x20 to #xD7FF, #xE000 to #xFFFD, #x10000 to #x10FFFF",
        source=f"{_API}/API_SendMessage.html",
        code="InvalidMessageContents",
        text="",
        held="ministack",
        call=lambda aws: _send(aws, MessageBody="bell \x07"),
    ),
    Refusal(
        id="sqs-a-message-waits-900-seconds",
        rule="The DelaySeconds of a message are 0 to 900",
        source=f"{_API}/API_SendMessage.html",
        code="InvalidParameterValue",
        text="Value 901 for parameter DelaySeconds is invalid.",
        held=_MODULE,
        call=lambda aws: _send(aws, DelaySeconds=901),
    ),
    Refusal(
        id="sqs-a-fifo-message-has-no-delay-of-its-own",
        rule="A message of a FIFO queue has no DelaySeconds",
        source=_RECORDED,
        code="InvalidParameterValue",
        text="Value 2 for parameter DelaySeconds is invalid.",
        held="ministack",
        call=lambda aws: _send(aws, fifo=True, MessageGroupId="g", MessageDeduplicationId="d", DelaySeconds=2),
    ),
    Refusal(
        id="sqs-a-fifo-message-has-a-group",
        rule="A message of a FIFO queue has a MessageGroupId",
        source=_RECORDED,
        code="MissingParameter",
        text="The request must contain the parameter MessageGroupId.",
        held="ministack",
        call=lambda aws: _send(aws, fifo=True, MessageDeduplicationId="d"),
    ),
    Refusal(
        id="sqs-a-fifo-message-has-a-deduplication-id",
        rule="A message of a FIFO queue without ContentBasedDeduplication has a MessageDeduplicationId",
        source=_RECORDED,
        code="InvalidParameterValue",
        text="either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
        held="ministack",
        call=lambda aws: _send(aws, fifo=True, MessageGroupId="g"),
    ),
    Refusal(
        id="sqs-a-group-id-has-128-letters-digits-and-punctuation-marks",
        rule="A MessageGroupId has 1 to 128 letters, digits and punctuation marks",
        source=_RECORDED,
        code="InvalidParameterValue",
        text="MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.",
        held=_MODULE,
        call=lambda aws: _send(aws, MessageGroupId="group 123"),
    ),
    Refusal(
        id="sqs-a-deduplication-id-has-128-letters-digits-and-punctuation-marks",
        rule="A MessageDeduplicationId has 1 to 128 letters, digits and punctuation marks",
        source=_RECORDED,
        code="InvalidParameterValue",
        text="MessageDeduplicationId can only include alphanumeric and punctuation characters. 1 to 128 in length.",
        held=_MODULE,
        call=lambda aws: _send(aws, fifo=True, MessageGroupId="g", MessageDeduplicationId="d" * 129),
    ),
    Refusal(
        id="sqs-a-message-has-ten-attributes",
        rule="A message has at most ten attributes",
        source="https://github.com/aws/aws-sdk-js/issues/2876",
        code="InvalidParameterValue",
        text="message attributes [11] exceeds the allowed maximum",
        held=_MODULE,
        call=lambda aws: _send(aws, MessageAttributes={f"a{number}": _TEXT for number in range(11)}),
    ),
    Refusal(
        id="sqs-a-message-attribute-has-a-value",
        rule="A message attribute is not empty",
        source=_RECORDED,
        code="InvalidParameterValue",
        text="Message (user) attribute 'a' must contain a non-empty value of type 'String'.",
        held=_MODULE,
        call=lambda aws: _send(aws, MessageAttributes={"a": {"DataType": "String", "StringValue": ""}}),
    ),
    Refusal(
        id="sqs-a-message-attribute-is-binary-number-or-string",
        rule="A message attribute is of the type Binary, Number or String",
        source=f"{_GUIDE}/sqs-message-metadata.html",
        code="InvalidParameterValue",
        text="the set of supported type prefixes is Binary, Number, and String",
        held=_MODULE,
        call=lambda aws: _send(aws, MessageAttributes={"a": {"DataType": "Text", "StringValue": "x"}}),
    ),
    Refusal(
        id="sqs-a-batch-has-ten-entries",
        rule="A batch has at most ten entries",
        source=_RECORDED,
        code="AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        text="10",
        held="ministack",
        call=lambda aws: _send_batch(aws, *(str(number) for number in range(11))),
    ),
    Refusal(
        id="sqs-the-ids-of-a-batch-are-distinct",
        rule="The ids of a batch are distinct",
        source=f"{_API}/API_SendMessageBatch.html",
        code="AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        text="repeated",
        held="ministack",
        call=lambda aws: _send_batch(aws, "a", "a"),
    ),
    Refusal(
        id="sqs-the-id-of-a-batch-entry-has-80-letters-digits-hyphens-and-underscores",
        rule="The id of a batch entry has at most 80 letters, digits, hyphens and underscores",
        source=_RECORDED,
        code="AWS.SimpleQueueService.InvalidBatchEntryId",
        text="A batch entry id can only contain alphanumeric characters, hyphens and underscores.",
        held="ministack",
        call=lambda aws: _send_batch(aws, "a:b"),
    ),
    Refusal(
        id="sqs-a-batch-has-a-mebibyte",
        rule="The messages of a batch have at most 1,048,576 bytes together",
        source=_RECORDED,
        code="AWS.SimpleQueueService.BatchRequestTooLong",
        text="Batch requests cannot be longer than 1048576 bytes.",
        held="ministack",
        call=lambda aws: _send_batch(aws, "a", "b", body="x" * 600_000),
    ),
    Refusal(
        id="sqs-ten-messages-are-received-at-once",
        rule="MaxNumberOfMessages is 1 to 10",
        source=_RECORDED,
        code="InvalidParameterValue",
        text="Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
        held="ministack",
        call=lambda aws: _receive(aws, MaxNumberOfMessages=11),
    ),
    Refusal(
        id="sqs-a-receive-waits-20-seconds",
        rule="WaitTimeSeconds is 0 to 20",
        source=_RECORDED,
        code="InvalidParameterValue",
        text="Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.",
        held=_MODULE,
        call=lambda aws: _receive(aws, WaitTimeSeconds=21),
    ),
    Refusal(
        id="sqs-a-received-message-is-hidden-for-twelve-hours",
        rule="The VisibilityTimeout of ReceiveMessage is 0 to 43,200",
        source=f"{_API}/API_ReceiveMessage.html",
        code="InvalidParameterValue",
        text="Value 43201 for parameter VisibilityTimeout is invalid.",
        held=_MODULE,
        call=lambda aws: _receive(aws, VisibilityTimeout=43_201),
    ),
    Refusal(
        id="sqs-a-message-is-hidden-for-twelve-hours",
        rule="The VisibilityTimeout of ChangeMessageVisibility is 0 to 43,200",
        source=f"{_API}/API_ChangeMessageVisibility.html",
        code="InvalidParameterValue",
        text="Value 43201 for parameter VisibilityTimeout is invalid.",
        held=_MODULE,
        call=lambda aws: _hide(aws, seconds=43_201),
    ),
    Refusal(
        id="sqs-a-receipt-handle-is-known",
        rule="A receipt handle is one that ReceiveMessage returned",
        source=f"{_API}/API_ChangeMessageVisibility.html",
        code="ReceiptHandleIsInvalid",
        text="The input receipt handle is invalid.",
        held="ministack",
        call=lambda aws: _hide(aws, seconds=0, handle="unknown"),
    ),
    Refusal(
        id="sqs-a-queue-exists",
        rule="A message is sent to a queue that exists",
        source=_RECORDED,
        code="AWS.SimpleQueueService.NonExistentQueue",
        text="The specified queue does not exist",
        held="ministack",
        call=lambda aws: aws.sqs.send_message(QueueUrl=f"{aws.engine.endpoint}/{ACCOUNT}/missing", MessageBody="hello"),
    ),
)
