"""What Lambda refuses."""

import json
from typing import Any

from engine_tests.aws import ACCOUNT, REGION, RUNTIME, Aws, allow, zipped
from engine_tests.refusals.refusal import Refusal, Template

_API = "https://docs.aws.amazon.com/lambda/latest/api"
_GUIDE = "https://docs.aws.amazon.com/lambda/latest/dg"
_CODE = "def handler(event, context):\n    return {}\n"
_MODULE = "strictness/functions.py"
_SHAPES = "strictness/request_shapes.py"
_READ = allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"])


def _lambda(aws: Aws) -> Any:
    return aws.client("lambda")


def _create(aws: Aws, **properties: Any) -> Any:
    """Request a function with these properties and valid values for all others."""
    required = {
        "FunctionName": aws.name("function"),
        "Runtime": RUNTIME,
        "Handler": "app.handler",
        "Role": aws.role(),
        "Code": {"ZipFile": zipped(app=_CODE)},
    }
    return _lambda(aws).create_function(**{**required, **properties})


def _trust(service: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    }


def _template(*, others: dict[str, Any] | None = None, rights: dict[str, Any] | None = None, **properties: Any) -> Any:
    """A function with these properties, its role and other resources."""
    policies = [{"PolicyName": "rights", "PolicyDocument": rights}] if rights else []
    return {
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": _trust("lambda.amazonaws.com"), "Policies": policies},
            },
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Runtime": RUNTIME,
                    "Handler": "index.handler",
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    "Code": {"ZipFile": _CODE},
                    **properties,
                },
            },
            **(others or {}),
        }
    }


def _mapping(queue: dict[str, Any] | None = None, *, timeout: int = 3, rights: Any = None, **settings: Any) -> Template:
    """A function that reads a queue through a mapping with these settings."""
    made: Template = _template(
        rights=rights or _READ,
        Timeout=timeout,
        others={
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": queue or {}},
            "Mapping": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {
                    "FunctionName": {"Ref": "Function"},
                    "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
                    **settings,
                },
            },
        },
    )
    return made


def _map(
    aws: Aws, *, timeout: int = 3, rights: Any = None, queue: dict[str, str] | None = None, **settings: Any
) -> Any:
    """Request a mapping of a new queue to a new function."""
    _, arn = aws.queue(**(queue or {}))
    function = aws.function(_CODE, rights or _READ, Timeout=timeout)
    return _lambda(aws).create_event_source_mapping(FunctionName=function, EventSourceArn=arn, **settings)


def _twice_mapped(aws: Aws) -> Any:
    _, arn = aws.queue()
    function = aws.function(_CODE, _READ)
    _lambda(aws).create_event_source_mapping(FunctionName=function, EventSourceArn=arn)
    return _lambda(aws).create_event_source_mapping(FunctionName=function, EventSourceArn=arn)


def _permit(aws: Aws, *, times: int = 1, **given: Any) -> Any:
    function = aws.function(_CODE)
    request = {
        "FunctionName": function,
        "StatementId": "sns",
        "Action": "lambda:InvokeFunction",
        "Principal": "sns.amazonaws.com",
        **given,
    }
    for _ in range(times):
        answer = _lambda(aws).add_permission(**request)
    return answer


def _alias(aws: Aws, *, times: int = 1, **given: Any) -> Any:
    function = aws.function(_CODE)
    _lambda(aws).publish_version(FunctionName=function)
    request = {"FunctionName": function, "Name": "live", "FunctionVersion": "1", **given}
    for _ in range(times):
        answer = _lambda(aws).create_alias(**request)
    return answer


def _delete_version_of_alias(aws: Aws) -> Any:
    function = aws.function(_CODE)
    _lambda(aws).publish_version(FunctionName=function)
    _lambda(aws).create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    return _lambda(aws).delete_function(FunctionName=function, Qualifier="1")


def _invoke_config(aws: Aws, *rights: Any, **settings: Any) -> Any:
    return _lambda(aws).put_function_event_invoke_config(FunctionName=aws.function(_CODE, *rights), **settings)


def _on_failure(aws: Aws, *rights: Any, **attributes: str) -> Any:
    _, arn = aws.queue(**attributes)
    return _invoke_config(aws, *rights, DestinationConfig={"OnFailure": {"Destination": arn}})


def _layers(aws: Aws, count: int) -> list[str]:
    content = {"ZipFile": zipped(shared="VALUE = 1\n")}
    publish = _lambda(aws).publish_layer_version
    return [publish(LayerName=aws.name("layer"), Content=content)["LayerVersionArn"] for _ in range(count)]


def _two_versions_of_a_layer(aws: Aws) -> Any:
    name, content = aws.name("layer"), {"ZipFile": zipped(shared="VALUE = 1\n")}
    publish = _lambda(aws).publish_layer_version
    layers = [publish(LayerName=name, Content=content)["LayerVersionArn"] for _ in range(2)]
    return _create(aws, Layers=layers)


def _same_name(aws: Aws) -> Any:
    name = aws.function(_CODE)
    return _create(aws, FunctionName=name)


_FIFO = {"QueueName": "planted.fifo", "FifoQueue": True}
_SENT_ON = allow("sqs:SendMessage")
_TEN_PATTERNS = [{"Pattern": json.dumps({"body": {"kind": [str(number)]}})} for number in range(11)]

REFUSALS = (
    Refusal(
        id="lambda-a-timeout-has-900-seconds",
        rule="A function's timeout is 1 to 900 seconds",
        source=f"{_API}/API_CreateFunction.html",
        code="ValidationException",
        text="Member must have value less than or equal to 900",
        held=_MODULE,
        call=lambda aws: _create(aws, Timeout=901),
        template=_template(Timeout=901),
    ),
    Refusal(
        id="lambda-memory-begins-at-128-mb",
        rule="A function has 128 to 10,240 MB of memory",
        source=f"{_API}/API_CreateFunction.html",
        code="ValidationException",
        text="Member must have value greater than or equal to 128",
        held=_SHAPES,
        call=lambda aws: _create(aws, MemorySize=127),
        template=_template(MemorySize=127),
    ),
    Refusal(
        id="lambda-a-description-has-256-characters",
        rule="A function's description has at most 256 characters",
        source=f"{_API}/API_CreateFunction.html",
        code="ValidationException",
        text="Member must have length less than or equal to 256",
        held=_SHAPES,
        call=lambda aws: _create(aws, Description="d" * 257),
        template=_template(Description="d" * 257),
    ),
    Refusal(
        id="lambda-a-version-description-has-256-characters",
        rule="A version's description has at most 256 characters",
        source=f"{_API}/API_PublishVersion.html",
        code="ValidationException",
        text="Member must have length less than or equal to 256",
        held=_SHAPES,
        call=lambda aws: _lambda(aws).publish_version(FunctionName=aws.function(_CODE), Description="d" * 257),
        template=_template(
            others={
                "Version": {
                    "Type": "AWS::Lambda::Version",
                    "Properties": {"FunctionName": {"Ref": "Function"}, "Description": "d" * 257},
                }
            }
        ),
    ),
    Refusal(
        id="lambda-a-version-needs-a-change",
        rule="CloudFormation publishes a version only if code or configuration differ from the last one",
        source="https://github.com/serverless/serverless/issues/8392",
        code="ValidationException",
        text="A version for this Lambda function exists ( 1 ). Modify the function to create a new version",
        held="ministack",
        previous=_template(
            others={
                "Version": {
                    "Type": "AWS::Lambda::Version",
                    "Properties": {"FunctionName": {"Ref": "Function"}, "Description": "one"},
                }
            }
        ),
        template=_template(
            others={
                "Version": {
                    "Type": "AWS::Lambda::Version",
                    "Properties": {"FunctionName": {"Ref": "Function"}, "Description": "another"},
                }
            }
        ),
    ),
    Refusal(
        id="lambda-a-runtime-is-known",
        rule="A runtime is one that Lambda has",
        source=f"{_GUIDE}/lambda-runtimes.html",
        code="InvalidParameterValueException",
        text="at 'runtime' failed to satisfy constraint",
        held=_MODULE,
        call=lambda aws: _create(aws, Runtime="python2.6"),
        template=_template(Runtime="python2.6"),
    ),
    Refusal(
        id="lambda-an-environment-has-4-kb",
        rule="The variables of a function have at most 4 KB",
        source=f"{_GUIDE}/configuration-envvars.html",
        code="InvalidParameterValueException",
        text="exceeded the 4KB limit",
        held=_MODULE,
        call=lambda aws: _create(aws, Environment={"Variables": {"LONG": "v" * 4096}}),
        template=_template(Environment={"Variables": {"LONG": "v" * 4096}}),
    ),
    Refusal(
        id="lambda-reserved-variables-are-not-set",
        rule="A function does not set Lambda's own variables",
        source=f"{_GUIDE}/configuration-envvars.html",
        code="InvalidParameterValueException",
        text="Reserved keys used in this request: AWS_REGION",
        held=_MODULE,
        call=lambda aws: _create(aws, Environment={"Variables": {"AWS_REGION": "eu-west-1"}}),
        template=_template(Environment={"Variables": {"AWS_REGION": "eu-west-1"}}),
    ),
    Refusal(
        id="lambda-a-variable-begins-with-a-letter",
        rule="The name of a variable begins with a letter and has letters, digits and underscores",
        source=f"{_API}/API_Environment.html",
        code="ValidationException",
        text="Map keys must satisfy constraint",
        held=_SHAPES,
        call=lambda aws: _create(aws, Environment={"Variables": {"1ST": "value"}}),
        template=_template(Environment={"Variables": {"1ST": "value"}}),
    ),
    Refusal(
        id="lambda-a-role-is-one-that-lambda-may-assume",
        rule="The trust policy of a function's role names lambda.amazonaws.com",
        source="https://repost.aws/knowledge-center/lambda-function-assume-iam-role",
        code="InvalidParameterValueException",
        text="The role defined for the function cannot be assumed by Lambda.",
        held=_MODULE,
        call=lambda aws: _create(aws, Role=_role_of(aws, "sns.amazonaws.com")),
        template=_template(
            Role={"Fn::GetAtt": ["Other", "Arn"]},
            others={
                "Other": {
                    "Type": "AWS::IAM::Role",
                    "Properties": {"AssumeRolePolicyDocument": _trust("sns.amazonaws.com")},
                }
            },
        ),
    ),
    Refusal(
        id="lambda-a-name-belongs-to-one-function",
        rule="No two functions of an account and Region have the same name",
        source=f"{_API}/API_CreateFunction.html",
        code="ResourceConflictException",
        text="Function already exist",
        held="ministack",
        call=_same_name,
    ),
    Refusal(
        id="lambda-five-layers-at-most",
        rule="A function has at most five layers",
        source=f"{_GUIDE}/chapter-layers.html",
        code="InvalidParameterValueException",
        text="Cannot reference more than 5 layers.",
        held=_MODULE,
        call=lambda aws: _create(aws, Layers=_layers(aws, 6)),
        template=lambda aws: _template(Layers=_layers(aws, 6)),
    ),
    Refusal(
        id="lambda-one-version-of-a-layer",
        rule="A function has no two versions of one layer",
        source=f"{_API}/API_CreateFunction.html",
        code="InvalidParameterValueException",
        text="Two different versions of the same layer are not allowed to be referenced in the same function.",
        held=_MODULE,
        call=_two_versions_of_a_layer,
    ),
    Refusal(
        id="lambda-a-layer-exists",
        rule="The version of a layer that a function names exists",
        source=f"{_API}/API_CreateFunction.html",
        code="InvalidParameterValueException",
        text="does not exist",
        held=_MODULE,
        call=lambda aws: _create(aws, Layers=[f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:nothing:7"]),
        template=_template(Layers=[f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:nothing:7"]),
    ),
    Refusal(
        id="lambda-an-alias-names-a-version-that-exists",
        rule="The version of an alias exists",
        source=f"{_API}/API_CreateAlias.html",
        code="ResourceNotFoundException",
        text="Function not found",
        held=_MODULE,
        call=lambda aws: _alias(aws, FunctionVersion="7"),
        template=_template(
            others={
                "Alias": {
                    "Type": "AWS::Lambda::Alias",
                    "Properties": {"FunctionName": {"Ref": "Function"}, "Name": "live", "FunctionVersion": "7"},
                }
            }
        ),
    ),
    Refusal(
        id="lambda-an-alias-is-not-a-number",
        rule="The name of an alias is not a number",
        source=f"{_API}/API_CreateAlias.html",
        code="ValidationException",
        text="Member must satisfy regular expression pattern",
        held=_SHAPES,
        call=lambda aws: _alias(aws, Name="7"),
        template=_template(
            others={
                "Alias": {
                    "Type": "AWS::Lambda::Alias",
                    "Properties": {"FunctionName": {"Ref": "Function"}, "Name": "7", "FunctionVersion": "$LATEST"},
                }
            }
        ),
    ),
    Refusal(
        id="lambda-an-alias-has-one-name",
        rule="A function has no two aliases of the same name",
        source=f"{_API}/API_CreateAlias.html",
        code="ResourceConflictException",
        text="Alias already exists",
        held="ministack",
        call=lambda aws: _alias(aws, times=2),
    ),
    Refusal(
        id="lambda-a-version-with-an-alias-stays",
        rule="A version that an alias names cannot be deleted",
        source=f"{_API}/API_DeleteFunction.html",
        code="ResourceConflictException",
        text="referenced by an alias",
        held="ministack",
        call=_delete_version_of_alias,
    ),
    Refusal(
        id="lambda-a-statement-id-is-used-once",
        rule="The statements of a function's policy have different ids",
        source=f"{_API}/API_AddPermission.html",
        code="ResourceConflictException",
        text="The statement id (sns) provided already exists.",
        held="ministack",
        call=lambda aws: _permit(aws, times=2),
    ),
    Refusal(
        id="lambda-a-permission-is-for-a-qualifier-that-exists",
        rule="The alias or version that a permission names exists",
        source=f"{_API}/API_AddPermission.html",
        code="ResourceNotFoundException",
        text="Function not found",
        held="ministack",
        call=lambda aws: _permit(aws, Qualifier="nothing"),
    ),
    Refusal(
        id="lambda-a-permission-is-for-an-action-of-lambda",
        rule="A permission is for one action of Lambda, or for all",
        source=f"{_API}/API_AddPermission.html",
        code="ValidationException",
        text="Member must satisfy regular expression pattern",
        held=_SHAPES,
        call=lambda aws: _permit(aws, Action="sns:Publish"),
        template=_template(
            others={
                "Permission": {
                    "Type": "AWS::Lambda::Permission",
                    "Properties": {
                        "FunctionName": {"Ref": "Function"},
                        "Action": "sns:Publish",
                        "Principal": "sns.amazonaws.com",
                    },
                }
            }
        ),
    ),
    Refusal(
        id="lambda-a-retry-is-at-most-the-second",
        rule="An asynchronous invocation is tried again at most twice",
        source=f"{_API}/API_PutFunctionEventInvokeConfig.html",
        code="ValidationException",
        text="Member must have value less than or equal to 2",
        held=_SHAPES,
        call=lambda aws: _invoke_config(aws, MaximumRetryAttempts=3),
        template=_template(
            others={
                "Config": {
                    "Type": "AWS::Lambda::EventInvokeConfig",
                    "Properties": {
                        "FunctionName": {"Ref": "Function"},
                        "Qualifier": "$LATEST",
                        "MaximumRetryAttempts": 3,
                    },
                }
            }
        ),
    ),
    Refusal(
        id="lambda-an-event-waits-a-minute-at-least",
        rule="An asynchronous event is kept for 60 to 21,600 seconds",
        source=f"{_API}/API_PutFunctionEventInvokeConfig.html",
        code="ValidationException",
        text="Member must have value greater than or equal to 60",
        held=_SHAPES,
        call=lambda aws: _invoke_config(aws, MaximumEventAgeInSeconds=59),
    ),
    Refusal(
        id="lambda-a-role-may-send-to-the-on-failure-queue",
        rule="The function's role may send to its on-failure destination",
        source=f"{_GUIDE}/invocation-async-retain-records.html",
        code="InvalidParameterValueException",
        text="The function's execution role does not have permissions to call SendMessage",
        held=_MODULE,
        call=_on_failure,
        template=_template(
            others={
                "Queue": {"Type": "AWS::SQS::Queue"},
                "Config": {
                    "Type": "AWS::Lambda::EventInvokeConfig",
                    "Properties": {
                        "FunctionName": {"Ref": "Function"},
                        "Qualifier": "$LATEST",
                        "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["Queue", "Arn"]}}},
                    },
                },
            }
        ),
    ),
    Refusal(
        id="lambda-an-on-failure-queue-is-standard",
        rule="An on-failure destination is not a FIFO queue",
        source=f"{_GUIDE}/invocation-async-retain-records.html",
        code="InvalidParameterValueException",
        text="FIFO",
        held=_MODULE,
        call=lambda aws: _on_failure(aws, _SENT_ON, FifoQueue="true"),
    ),
    Refusal(
        id="lambda-a-mapping-reads-a-queue-that-exists",
        rule="The queue of a mapping exists",
        source=f"{_API}/API_CreateEventSourceMapping.html",
        code="InvalidParameterValueException",
        text="Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue.",
        held=_MODULE,
        call=lambda aws: _lambda(aws).create_event_source_mapping(
            FunctionName=aws.function(_CODE, _READ), EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:nothing"
        ),
    ),
    Refusal(
        id="lambda-a-mappings-role-may-read-the-queue",
        rule="The function's role may receive, delete and read the attributes of the mapped queue",
        source=f"{_GUIDE}/services-sqs-configure.html",
        code="InvalidParameterValueException",
        text="The provided execution role does not have permissions to call ReceiveMessage on SQS",
        held=_MODULE,
        call=lambda aws: _map(aws, rights=allow("sqs:DeleteMessage")),
        template=_mapping(rights=allow("sqs:DeleteMessage")),
    ),
    Refusal(
        id="lambda-a-queue-hides-a-message-as-long-as-the-function-runs",
        rule="The visibility timeout of a mapped queue is at least the function's timeout",
        source=f"{_GUIDE}/services-sqs-configure.html",
        code="InvalidParameterValueException",
        text="Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds",
        held=_MODULE,
        call=lambda aws: _map(aws, timeout=60),
        template=_mapping(timeout=60),
    ),
    Refusal(
        id="lambda-a-large-batch-has-a-window",
        rule="A batch of more than ten has a window of a second or more",
        source=f"{_API}/API_CreateEventSourceMapping.html",
        code="InvalidParameterValueException",
        text="Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
        held=_MODULE,
        call=lambda aws: _map(aws, BatchSize=11),
        template=_mapping(BatchSize=11),
    ),
    Refusal(
        id="lambda-a-fifo-batch-has-ten",
        rule="A batch of a FIFO queue has at most ten messages",
        source=f"{_API}/API_CreateEventSourceMapping.html",
        code="InvalidParameterValueException",
        text="FIFO",
        held=_MODULE,
        call=lambda aws: _map(aws, queue={"FifoQueue": "true"}, BatchSize=11),
        template=_mapping(_FIFO, BatchSize=11),
    ),
    Refusal(
        id="lambda-a-fifo-mapping-has-no-window",
        rule="A mapping of a FIFO queue has no batching window",
        source=f"{_API}/API_CreateEventSourceMapping.html",
        code="InvalidParameterValueException",
        text="Batching window is not supported for FIFO queues",
        held=_MODULE,
        call=lambda aws: _map(aws, queue={"FifoQueue": "true"}, MaximumBatchingWindowInSeconds=1),
        template=_mapping(_FIFO, MaximumBatchingWindowInSeconds=1),
    ),
    Refusal(
        id="lambda-a-mapping-has-two-invocations-or-more",
        rule="MaximumConcurrency is 2 to 1,000",
        source=f"{_API}/API_ScalingConfig.html",
        code="ValidationException",
        text="Member must have value greater than or equal to 2",
        held=_SHAPES,
        call=lambda aws: _map(aws, ScalingConfig={"MaximumConcurrency": 1}),
        template=_mapping(ScalingConfig={"MaximumConcurrency": 1}),
    ),
    Refusal(
        id="lambda-a-window-has-300-seconds",
        rule="A batching window has at most 300 seconds",
        source=f"{_API}/API_CreateEventSourceMapping.html",
        code="ValidationException",
        text="Member must have value less than or equal to 300",
        held=_SHAPES,
        call=lambda aws: _map(aws, MaximumBatchingWindowInSeconds=301),
        template=_mapping(MaximumBatchingWindowInSeconds=301),
    ),
    Refusal(
        id="lambda-a-queue-and-a-function-are-mapped-once",
        rule="There is one mapping of a queue to a function",
        source=f"{_API}/API_CreateEventSourceMapping.html",
        code="ResourceConflictException",
        text="already exists. Please update or delete the existing mapping with UUID",
        held=_MODULE,
        call=_twice_mapped,
    ),
    Refusal(
        id="lambda-a-mapping-has-ten-filters",
        rule="A mapping has at most ten filters",
        source=f"{_GUIDE}/invocation-eventfiltering.html",
        code="InvalidParameterValueException",
        text="10",
        held=_MODULE,
        call=lambda aws: _map(aws, FilterCriteria={"Filters": _TEN_PATTERNS}),
    ),
    Refusal(
        id="lambda-a-filter-is-a-pattern",
        rule="The pattern of a filter is a JSON object of arrays",
        source=f"{_GUIDE}/invocation-eventfiltering.html",
        code="InvalidParameterValueException",
        text="Invalid filter pattern definition.",
        held=_MODULE,
        call=lambda aws: _map(aws, FilterCriteria={"Filters": [{"Pattern": "not json"}]}),
        template=_mapping(FilterCriteria={"Filters": [{"Pattern": "not json"}]}),
    ),
)


def _role_of(aws: Aws, service: str) -> str:
    """ARN of a role that this service may assume."""
    created = aws.iam.create_role(RoleName=aws.name("role"), AssumeRolePolicyDocument=json.dumps(_trust(service)))
    return str(created["Role"]["Arn"])
