"""What CloudFormation refuses: templates, parameters, resources' properties, and operations on stacks."""

import json
from collections.abc import Callable
from typing import Any

from engine_tests.aws import ALL_CAPABILITIES, Aws
from engine_tests.refusals.refusal import Refusal, Template

_GUIDE = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide"
_API = "https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference"
_QUOTAS = f"{_GUIDE}/cloudformation-limits.html"
_PARAMETERS = f"{_GUIDE}/parameters-section-structure.html"
_CONTRACT = "https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html"
_ISSUES = "https://github.com"

_QUEUE = {"Type": "AWS::SQS::Queue"}
_ONE_QUEUE: Template = {"Resources": {"One": _QUEUE}}
_ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
    },
}


def _queue(**properties: Any) -> dict[str, Any]:
    return {**_QUEUE, "Properties": properties}


def _parameter(**definition: Any) -> Template:
    return {**_ONE_QUEUE, "Parameters": {"Given": {"Type": "String", **definition}}}


def _table(key: str, **properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
            **properties,
        },
    }


def _create(aws: Aws, template: Template, **request: Any) -> str:
    name: str = request.pop("StackName", None) or aws.name("stack")
    aws.cloudformation.create_stack(
        **{
            "StackName": name,
            "TemplateBody": json.dumps(template),
            "Capabilities": ALL_CAPABILITIES,
            **request,
        }
    )
    return name


def _rolled_back(aws: Aws) -> str:
    stack = _create(aws, {"Resources": {"One": _queue(DelaySeconds=901)}})
    assert aws.settled(stack) == "ROLLBACK_COMPLETE"
    return stack


def _in_progress(aws: Aws) -> str:
    """A stack that waits a second for a signal that never comes."""
    handle = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
    wait = {
        "Type": "AWS::CloudFormation::WaitCondition",
        "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "1"},
    }
    return _create(aws, {"Resources": {"Handle": handle, "Wait": wait}})


def _update(aws: Aws, stack: str, template: Template = _ONE_QUEUE) -> None:
    aws.cloudformation.update_stack(StackName=stack, TemplateBody=json.dumps(template))


def _change_set(aws: Aws, stack: str, kind: str) -> Any:
    return aws.cloudformation.create_change_set(
        StackName=stack, ChangeSetName="planted", ChangeSetType=kind, TemplateBody=json.dumps(_ONE_QUEUE)
    )


def _execute_empty_change_set(aws: Aws) -> None:
    made = _change_set(aws, aws.deploy(_ONE_QUEUE), "UPDATE")
    aws.cloudformation.execute_change_set(ChangeSetName=made["Id"])


def _delete_protected(aws: Aws) -> None:
    stack = _create(aws, _ONE_QUEUE, EnableTerminationProtection=True)
    aws.settled(stack)
    aws.cloudformation.delete_stack(StackName=stack)


def _nested(aws: Aws, child: Template, **parameters: str) -> Template:
    (url,) = aws.upload(child)
    url = url.replace(aws.engine.endpoint, "https://s3.us-east-1.amazonaws.com")  # SAM CLI takes only such addresses
    return {
        "Resources": {
            "Child": {
                "Type": "AWS::CloudFormation::Stack",
                "Properties": {"TemplateURL": url, "Parameters": parameters},
            }
        }
    }


def _imported(aws: Aws) -> Template:
    aws.deploy({"Resources": {"One": _queue(QueueName={"Fn::ImportValue": "planted-in-use"})}})
    return {"Resources": {"Other": _QUEUE}}


def _exported_twice(aws: Aws) -> Template:
    template = {**_ONE_QUEUE, "Outputs": {"Out": {"Value": "one", "Export": {"Name": aws.name("planted")}}}}
    aws.deploy(template)
    return template


def _named_twice(aws: Aws) -> Template:
    template: Template = {"Resources": {"One": _queue(QueueName=aws.name("planted"))}}
    aws.deploy(template)
    return template


def _named_outside(aws: Aws) -> Template:
    name = aws.name("planted")
    aws.logs.create_log_group(logGroupName=name)
    return {"Resources": {"One": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": name}}}}


def _static(
    id: str, rule: str, source: str, text: str, template: Template, *, held: str = "strictness/templates.py"
) -> Refusal:
    """A rule about the template alone: CreateStack refuses it as the deployment's change set does."""
    return Refusal(
        id=f"cfn-{id}",
        rule=rule,
        source=source,
        code="ValidationError",
        text=text,
        held=held,
        call=lambda aws: _create(aws, template),
        template=template,
    )


def _called(
    id: str,
    rule: str,
    source: str,
    text: str,
    call: Callable[[Aws], object],
    *,
    held: str,
    code: str = "ValidationError",
) -> Refusal:
    return Refusal(id=f"cfn-{id}", rule=rule, source=source, code=code, text=text, held=held, call=call)


def _deployed(
    id: str,
    rule: str,
    source: str,
    text: str,
    template: Template | Callable[[Aws], Template],
    *,
    held: str,
    code: str = "ValidationError",
    previous: Template | None = None,
) -> Refusal:
    return Refusal(
        id=f"cfn-{id}",
        rule=rule,
        source=source,
        code=code,
        text=text,
        held=held,
        template=template,
        previous=previous,
    )


_STATES = (
    _called(
        "a-rolled-back-stack-is-not-updated",
        "A stack in ROLLBACK_COMPLETE is deleted, never updated",
        f"{_ISSUES}/bitovi/bitops/issues/128",
        "is in ROLLBACK_COMPLETE state and can not be updated.",
        lambda aws: _update(aws, _rolled_back(aws)),
        held="strictness/stacks.py",
    ),
    _called(
        "a-rolled-back-stack-takes-no-change-set",
        "A stack in ROLLBACK_COMPLETE takes no change set: `sam deploy` fails",
        f"{_ISSUES}/aws/aws-sam-cli/issues/4230",
        "is in ROLLBACK_COMPLETE state and can not be updated.",
        lambda aws: _change_set(aws, _rolled_back(aws), "UPDATE"),
        held="strictness/stacks.py",
    ),
    _called(
        "a-rolled-back-stack-is-not-created-again",
        "The name of a stack in ROLLBACK_COMPLETE is taken",
        f"{_API}/API_CreateStack.html",
        "already exists",
        lambda aws: _create(aws, _ONE_QUEUE, StackName=_rolled_back(aws)),
        held="strictness/stacks.py",
        code="AlreadyExistsException",
    ),
    _called(
        "a-stack-is-not-updated-during-an-operation",
        "One operation at a time runs on a stack",
        f"{_GUIDE}/using-cfn-updating-stacks-direct.html",
        "is in CREATE_IN_PROGRESS state and can not be updated.",
        lambda aws: _update(aws, _in_progress(aws)),
        held="strictness/stacks.py",
    ),
    _called(
        "a-change-set-creates-no-stack-that-exists",
        "A change set of type CREATE needs a stack name that is free",
        f"{_ISSUES}/compose-x/ecs_composex/issues/785",
        "already exists and cannot be created again with the changeSet [planted].",
        lambda aws: _change_set(aws, aws.deploy(_ONE_QUEUE), "CREATE"),
        held="strictness/stacks.py",
    ),
    _called(
        "an-update-changes-something",
        "UpdateStack with what the stack already has is an error",
        f"{_API}/API_UpdateStack.html",
        "No updates are to be performed.",
        lambda aws: _update(aws, aws.deploy(_ONE_QUEUE)),
        held="ministack",
    ),
    _called(
        "an-empty-change-set-is-not-executed",
        "A change set without changes fails and cannot be executed",
        f"{_ISSUES}/elias5000/clouds-aws/issues/9",
        "",
        _execute_empty_change_set,
        held="ministack",
        code="InvalidChangeSetStatus",
    ),
    _called(
        "a-protected-stack-is-not-deleted",
        "A stack with termination protection is not deleted",
        f"{_GUIDE}/using-cfn-protect-stacks.html",
        "cannot be deleted while TerminationProtection is enabled",
        _delete_protected,
        held="ministack",
    ),
    _called(
        "a-stack-name-starts-with-a-letter",
        "A stack's name is a letter, then letters, digits and hyphens",
        f"{_API}/API_CreateStack.html",
        "failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*",
        lambda aws: _create(aws, _ONE_QUEUE, StackName="1st_stack"),
        held="ministack",
    ),
    _called(
        "a-stack-name-has-128-characters-at-most",
        "A stack's name has 128 characters at most",
        f"{_API}/API_CreateStack.html",
        "failed to satisfy constraint: Member must have length less than or equal to 128",
        lambda aws: _create(aws, _ONE_QUEUE, StackName="a" * 129),
        held="ministack",
    ),
    _called(
        "a-stack-has-50-tags-at-most",
        "A stack has 50 tags at most",
        f"{_GUIDE}/cfn-console-add-tags.html",
        "50",
        lambda aws: _create(aws, _ONE_QUEUE, Tags=[{"Key": f"k{n}", "Value": "v"} for n in range(51)]),
        held="ministack",
    ),
)

_TEMPLATES = (
    _called(
        "a-template-has-a-resource",
        "A template declares at least one resource",
        f"{_ISSUES}/agutoli/serverless-layers/issues/96",
        "Template format error: At least one Resources member must be defined.",
        lambda aws: _create(aws, {"Resources": {}}),
        held="strictness/templates.py",
    ),
    _static(
        "a-template-has-no-other-sections",
        "A template has the documented sections only",
        f"{_ISSUES}/Versent/cfn-check/issues/3",
        "Invalid template property or properties [outputs]",
        {**_ONE_QUEUE, "outputs": {"Out": {"Value": "one"}}},
    ),
    _static(
        "a-resource-has-no-other-attributes",
        "Beside Type, a resource has the documented attributes only",
        f"{_ISSUES}/aws/aws-cli/issues/3361",
        "Invalid template resource property 'QueueName'",
        {"Resources": {"One": {**_QUEUE, "QueueName": "one"}}},
    ),
    _static(
        "a-logical-id-is-alphanumeric",
        "A logical id has letters and digits only",
        f"{_ISSUES}/serverless/serverless/issues/1924",
        "Template format error: Resource name my-queue is non alphanumeric.",
        {"Resources": {"my-queue": _QUEUE}},
    ),
    _static(
        "a-resource-type-exists",
        "A resource's type is one that CloudFormation has",
        f"{_GUIDE}/resources-section-structure.html",
        "Template format error: Unrecognized resource types: [AWS::SQS::Quene]",
        {"Resources": {"One": {"Type": "AWS::SQS::Quene"}}},
        held="ministack",
    ),
    _static(
        "a-template-has-500-resources-at-most",
        "A template declares 500 resources at most",
        _QUOTAS,
        "Template format error: Number of resources, 501, is greater than maximum allowed, 500",
        {"Resources": {f"Queue{number}": _QUEUE for number in range(501)}},
        held="ministack",
    ),
    _static(
        "a-template-has-200-parameters-at-most",
        "A template declares 200 parameters at most",
        _QUOTAS,
        "201, is greater than maximum allowed, 200",
        {**_ONE_QUEUE, "Parameters": {f"P{number}": {"Type": "String", "Default": ""} for number in range(201)}},
        held="ministack",
    ),
    _static(
        "a-template-has-200-outputs-at-most",
        "A template declares 200 outputs at most",
        _QUOTAS,
        "201, is greater than maximum allowed, 200",
        {**_ONE_QUEUE, "Outputs": {f"O{number}": {"Value": ""} for number in range(201)}},
        held="ministack",
    ),
    _static(
        "a-description-has-1024-bytes-at-most",
        "A template's description has 1,024 bytes at most",
        _QUOTAS,
        "1024 bytes",
        {**_ONE_QUEUE, "Description": "d" * 1025},
        held="ministack",
    ),
    _called(
        "a-template-body-has-51200-bytes-at-most",
        "A template in the request has 51,200 bytes at most",
        _QUOTAS,
        "at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200",
        lambda aws: _create(aws, {**_ONE_QUEUE, "Metadata": {"Text": "t" * 51200}}),
        held="ministack",
    ),
    _called(
        "a-template-in-s3-has-a-megabyte-at-most",
        "A template in S3 has 1 MB at most",
        _QUOTAS,
        "Template may not exceed",
        lambda aws: aws.cloudformation.create_stack(
            StackName=aws.name(), TemplateURL=aws.upload({**_ONE_QUEUE, "Metadata": {"Text": "t" * 1048576}})[0]
        ),
        held="ministack",
    ),
    _static(
        "a-reference-names-a-resource",
        "Ref names a parameter or a resource of the template",
        f"{_ISSUES}/serverless/serverless/issues/4745",
        "Template format error: Unresolved resource dependencies [Two] in the Resources block of the template",
        {"Resources": {"One": _queue(QueueName={"Ref": "Two"})}},
    ),
    _static(
        "an-attribute-names-a-resource",
        "Fn::GetAtt names a resource of the template",
        f"{_ISSUES}/awslabs/aws-iam-generator/issues/18",
        "Template format error: Unresolved resource dependencies [Two] in the Resources block of the template",
        {"Resources": {"One": _queue(RedrivePolicy={"deadLetterTargetArn": {"Fn::GetAtt": ["Two", "Arn"]}})}},
    ),
    _static(
        "a-substitution-names-a-resource",
        "Fn::Sub names parameters, resources and variables of its own",
        f"{_GUIDE}/intrinsic-function-reference-sub.html",
        "Template format error: Unresolved resource dependencies [Two] in the Resources block of the template",
        {"Resources": {"One": _queue(QueueName={"Fn::Sub": "${Two}-queue"})}},
    ),
    _static(
        "a-dependency-names-a-resource",
        "DependsOn names resources of the template",
        f"{_GUIDE}/aws-attribute-dependson.html",
        "Template format error: Unresolved resource dependencies [Two] in the Resources block of the template",
        {"Resources": {"One": {**_QUEUE, "DependsOn": ["Two"]}}},
    ),
    _static(
        "an-output-names-a-resource",
        "An output refers to parameters and resources of the template",
        f"{_GUIDE}/outputs-section-structure.html",
        "Template format error: Unresolved resource dependencies [Two] in the Outputs block of the template",
        {**_ONE_QUEUE, "Outputs": {"Out": {"Value": {"Ref": "Two"}}}},
    ),
    _static(
        "a-resource-that-a-condition-takes-away-is-not-referred-to",
        "A resource does not refer to one whose condition is false",
        f"{_ISSUES}/aws-solutions/media-insights-on-aws/issues/145",
        "Template format error: Unresolved resource dependencies [Two] in the Resources block of the template",
        {
            "Conditions": {"Never": {"Fn::Equals": ["yes", "no"]}},
            "Resources": {
                "One": _queue(RedrivePolicy={"deadLetterTargetArn": {"Fn::GetAtt": ["Two", "Arn"]}}),
                "Two": {**_QUEUE, "Condition": "Never"},
            },
        },
    ),
    _static(
        "a-condition-is-defined",
        "A condition that a resource names is in the Conditions block",
        f"{_GUIDE}/conditions-section-structure.html",
        "Template format error: ",
        {"Resources": {"One": {**_QUEUE, "Condition": "Sometimes"}}},
    ),
    _static(
        "resources-depend-on-each-other-in-one-direction",
        "Resources do not depend on each other in a circle",
        f"{_ISSUES}/aws/serverless-application-model/issues/1044",
        "Circular dependency between resources: [One, Two]",
        {
            "Resources": {
                "One": {**_QUEUE, "DependsOn": "Two"},
                "Two": _queue(RedrivePolicy={"deadLetterTargetArn": {"Fn::GetAtt": ["One", "Arn"]}}),
            }
        },
    ),
    _static(
        "a-mapping-has-the-key",
        "Fn::FindInMap names keys of the mapping",
        f"{_GUIDE}/intrinsic-function-reference-findinmap.html",
        "Template error: Unable to get mapping for Names::other::queue",
        {
            "Mappings": {"Names": {"some": {"queue": "one"}}},
            "Resources": {"One": _queue(QueueName={"Fn::FindInMap": ["Names", "other", "queue"]})},
        },
        held="ministack",
    ),
    _static(
        "a-deletion-policy-is-one-of-four",
        "DeletionPolicy is Delete, Retain, RetainExceptOnCreate or Snapshot",
        f"{_GUIDE}/aws-attribute-deletionpolicy.html",
        "Unrecognized DeletionPolicy Keep",
        {"Resources": {"One": {**_QUEUE, "DeletionPolicy": "Keep"}}},
    ),
    _static(
        "a-deletion-policy-is-a-literal",
        "Without AWS::LanguageExtensions, DeletionPolicy is a literal",
        f"{_ISSUES}/aws-cloudformation/cloudformation-coverage-roadmap/issues/269",
        "Template format error: Every DeletionPolicy member must be a string.",
        {**_parameter(Default="Retain"), "Resources": {"One": {**_QUEUE, "DeletionPolicy": {"Ref": "Given"}}}},
    ),
    _static(
        "an-update-replace-policy-is-one-of-three",
        "UpdateReplacePolicy is Delete, Retain or Snapshot",
        f"{_GUIDE}/aws-attribute-updatereplacepolicy.html",
        "Unrecognized UpdateReplacePolicy RetainExceptOnCreate",
        {"Resources": {"One": {**_QUEUE, "UpdateReplacePolicy": "RetainExceptOnCreate"}}},
    ),
    _static(
        "a-snapshot-is-possible",
        "DeletionPolicy: Snapshot is for types that have snapshots",
        f"{_ISSUES}/aws-cloudformation/cloudformation-coverage-roadmap/issues/224",
        "Template error: resource type AWS::DynamoDB::Table does not support deletion policy Snapshot",
        {"Resources": {"One": {**_table("id"), "DeletionPolicy": "Snapshot"}}},
    ),
    _static(
        "an-export-name-needs-no-resource",
        "The name of an export does not depend on a resource",
        f"{_ISSUES}/aws-cloudformation/cfn-lint/issues/1632",
        "Template format error: Output Out is malformed.  The Name field of Export must not depend on any resources",
        {**_ONE_QUEUE, "Outputs": {"Out": {"Value": "one", "Export": {"Name": {"Fn::Sub": "${One}-name"}}}}},
    ),
)

_PARAMETER_RULES = (
    _static(
        "a-parameter-without-default-has-a-value",
        "A parameter without a default is given",
        f"{_ISSUES}/openedx-unsupported/configuration/issues/1993",
        "Parameters: [Given] must have values",
        _parameter(),
    ),
    _called(
        "a-parameter-is-in-the-template",
        "Only parameters of the template are given",
        f"{_ISSUES}/aws-samples/amazon-ec2-image-builder-samples/issues/18",
        "Parameters: [Other] do not exist in the template",
        lambda aws: _create(aws, _ONE_QUEUE, Parameters=[{"ParameterKey": "Other", "ParameterValue": "x"}]),
        held="strictness/templates.py",
    ),
    _static(
        "a-parameter-type-exists",
        "A parameter's type is one of the documented ones",
        _PARAMETERS,
        "Template format error: ",
        _parameter(Type="Text", Default=""),
    ),
    _static(
        "a-parameter-is-one-of-its-allowed-values",
        "A parameter is one of its AllowedValues",
        _PARAMETERS,
        "Parameter 'Given' must be one of AllowedValues",
        _parameter(AllowedValues=["one", "two"], Default="three"),
    ),
    _static(
        "a-parameter-matches-its-pattern",
        "All of a parameter matches its AllowedPattern",
        f"{_ISSUES}/aws/aws-connected-device-framework/issues/183",
        "Parameter 'Given' must match pattern [a-z]+",
        _parameter(AllowedPattern="[a-z]+", Default="abc1"),
        held="ministack",
    ),
    _static(
        "a-parameter-says-what-it-expects",
        "A parameter's ConstraintDescription is what the error says",
        f"{_ISSUES}/aws/aws-cli/issues/7750",
        "Parameter Given failed to satisfy constraint: lower-case letters",
        _parameter(AllowedPattern="[a-z]+", Default="abc1", ConstraintDescription="lower-case letters"),
    ),
    _static(
        "a-parameter-is-as-long-as-it-must-be",
        "A parameter has MinLength characters at least",
        _PARAMETERS,
        "Parameter 'Given' must contain at least 3 characters",
        _parameter(MinLength=3, Default="ab"),
        held="ministack",
    ),
    _static(
        "a-parameter-is-as-short-as-it-must-be",
        "A parameter has MaxLength characters at most",
        _PARAMETERS,
        "Parameter 'Given' must contain at most 3 characters",
        _parameter(MaxLength=3, Default="abcd"),
        held="ministack",
    ),
    _static(
        "a-number-is-in-its-range",
        "A number is between MinValue and MaxValue",
        _PARAMETERS,
        "Parameter 'Given' must be a number not greater than 10",
        _parameter(Type="Number", MaxValue=10, Default=11),
        held="ministack",
    ),
    _static(
        "a-number-is-a-number",
        "A parameter of type Number is one",
        _PARAMETERS,
        "Parameter 'Given' must be a number",
        _parameter(Type="Number", Default="many"),
    ),
    _called(
        "a-parameter-has-4096-bytes-at-most",
        "A parameter has 4,096 bytes at most",
        _QUOTAS,
        "failed to satisfy constraint: Member must have length less than or equal to 4096",
        lambda aws: _create(aws, _parameter(), Parameters=[{"ParameterKey": "Given", "ParameterValue": "x" * 4097}]),
        held="ministack",
    ),
)

_CAPABILITIES = (
    _called(
        "roles-need-a-capability",
        "A template with IAM resources needs CAPABILITY_IAM",
        f"{_API}/API_CreateStack.html",
        "Requires capabilities : [CAPABILITY_IAM]",
        lambda aws: _create(aws, {"Resources": {"One": _ROLE}}, Capabilities=[]),
        held="ministack",
        code="InsufficientCapabilitiesException",
    ),
    _called(
        "named-roles-need-a-capability",
        "IAM resources with names of their own need CAPABILITY_NAMED_IAM",
        f"{_API}/API_CreateStack.html",
        "Requires capabilities : [CAPABILITY_NAMED_IAM]",
        lambda aws: _create(
            aws,
            {"Resources": {"One": {**_ROLE, "Properties": {**_ROLE["Properties"], "RoleName": "planted"}}}},  # type: ignore[dict-item]
            Capabilities=["CAPABILITY_IAM"],
        ),
        held="ministack",
        code="InsufficientCapabilitiesException",
    ),
    _called(
        "transforms-need-a-capability",
        "A template with a transform needs CAPABILITY_AUTO_EXPAND in CreateStack",
        f"{_API}/API_CreateStack.html",
        "Requires capabilities : [CAPABILITY_AUTO_EXPAND]",
        lambda aws: _create(
            aws,
            {"Transform": "AWS::Serverless-2016-10-31", "Resources": {"One": {"Type": "AWS::Serverless::SimpleTable"}}},
            Capabilities=[],
        ),
        held="ministack",
        code="InsufficientCapabilitiesException",
    ),
)

_RESOURCES = (
    _deployed(
        "a-property-is-known",
        "A resource has the properties of its type only",
        f"{_ISSUES}/aws/aws-cdk/issues/28984",
        "Properties validation failed for resource One with message:\n#: extraneous key [Delay] is not permitted",
        {"Resources": {"One": _queue(Delay=5)}},
        held="strictness/resource_schemas.py",
        code="InvalidRequest",
    ),
    _deployed(
        "a-required-property-is-there",
        "A resource has the required properties of its type",
        f"{_ISSUES}/org-formation/aws-resource-providers/pull/114",
        "#: required key [TopicArn] not found",
        {"Resources": {"One": {"Type": "AWS::SNS::Subscription", "Properties": {"Protocol": "sqs"}}}},
        held="strictness/resource_schemas.py",
        code="InvalidRequest",
    ),
    _deployed(
        "a-property-has-the-type-of-the-schema",
        "A property has the type that the resource's schema says",
        _CONTRACT,
        "#/MessageRetentionPeriod: expected type: Integer, found: JSONArray",
        {"Resources": {"One": _queue(MessageRetentionPeriod=[60])}},
        held="strictness/resource_schemas.py",
        code="InvalidRequest",
    ),
    _deployed(
        "a-property-is-in-the-range-of-the-schema",
        "A property has a value that the resource's schema permits",
        _CONTRACT,
        "#/DelaySeconds: 901 is not less or equal to 900",
        {"Resources": {"One": _queue(DelaySeconds=901)}},
        held="strictness/resource_schemas.py",
        code="InvalidRequest",
    ),
    _deployed(
        "an-attribute-exists",
        "Fn::GetAtt names an attribute that the type has",
        f"{_GUIDE}/intrinsic-function-reference-getatt.html",
        "Requested attribute Url does not exist in schema for AWS::SQS::Queue",
        {"Resources": {"One": _QUEUE, "Two": _queue(QueueName={"Fn::GetAtt": ["One", "Url"]})}},
        held="ministack",
    ),
    _deployed(
        "an-output-is-a-string",
        "The value of an output is a string",
        f"{_GUIDE}/outputs-section-structure.html",
        "Template format error: The Value field of every Outputs member must evaluate to a String.",
        {**_ONE_QUEUE, "Outputs": {"Out": {"Value": ["one"]}}},
        held="ministack",
    ),
    _deployed(
        "a-name-belongs-to-one-stack",
        "A name of a resource in another stack is taken",
        f"{_CONTRACT}",
        "already exists in stack arn:aws:cloudformation:",
        _named_twice,
        held="strictness/stacks.py",
        code="AlreadyExists",
    ),
    _deployed(
        "a-name-is-free",
        "A name of a resource outside of stacks is taken: a create handler does not adopt",
        _CONTRACT,
        "already exists.",
        _named_outside,
        held="strictness/stacks.py",
        code="AlreadyExists",
    ),
    _deployed(
        "two-resources-have-two-names",
        "Two resources of a stack do not have one name",
        _CONTRACT,
        "planted-twice already exists in stack",
        {"Resources": {"One": _queue(QueueName="planted-twice"), "Two": _queue(QueueName="planted-twice")}},
        held="strictness/stacks.py",
        code="AlreadyExists",
    ),
    _deployed(
        "a-named-resource-is-not-replaced",
        "An update does not replace a resource that has a name of its own",
        f"{_GUIDE}/aws-properties-name.html",
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename planted-named",
        {"Resources": {"One": _table("other", TableName="planted-named")}},
        held="ministack",
        previous={"Resources": {"One": _table("id", TableName="planted-named")}},
    ),
    _deployed(
        "an-export-is-unique",
        "An export's name is unique in account and Region",
        f"{_GUIDE}/using-cfn-stack-exports.html",
        "is already exported by stack",
        _exported_twice,
        held="strictness/stacks.py",
    ),
    _deployed(
        "an-export-in-use-stays",
        "An export that another stack imports is not deleted",
        f"{_ISSUES}/serverless/serverless/issues/3589",
        "Export planted-in-use cannot be deleted as it is in use by",
        _imported,
        held="strictness/stacks.py",
        previous={**_ONE_QUEUE, "Outputs": {"Out": {"Value": "planted-value", "Export": {"Name": "planted-in-use"}}}},
    ),
    _deployed(
        "an-import-exists",
        "Fn::ImportValue names an export",
        f"{_ISSUES}/aws-cloudformation/aws-cloudformation-templates/issues/464",
        "planted-missing",
        {"Resources": {"One": _queue(QueueName={"Fn::ImportValue": "planted-missing"})}},
        held="ministack",
    ),
    _deployed(
        "a-nested-stack-gets-its-parameters",
        "A nested stack gets every parameter that has no default",
        f"{_GUIDE}/using-cfn-nested-stacks.html",
        "Parameters: [Given] must have values",
        lambda aws: _nested(aws, _parameter()),
        held="strictness/templates.py",
    ),
    _deployed(
        "a-nested-stack-gets-no-other-parameters",
        "A nested stack gets parameters of its template only",
        f"{_GUIDE}/using-cfn-nested-stacks.html",
        "Parameters: [Other] do not exist in the template",
        lambda aws: _nested(aws, _ONE_QUEUE, Other="x"),
        held="strictness/templates.py",
    ),
    _deployed(
        "an-output-of-a-nested-stack-exists",
        "Fn::GetAtt names an output that the nested stack has",
        f"{_GUIDE}/using-cfn-nested-stacks.html",
        "Outputs.Missing",
        lambda aws: {
            **_nested(aws, _ONE_QUEUE),
            "Outputs": {"Out": {"Value": {"Fn::GetAtt": ["Child", "Outputs.Missing"]}}},
        },
        held="ministack",
    ),
)

REFUSALS = (*_STATES, *_TEMPLATES, *_PARAMETER_RULES, *_CAPABILITIES, *_RESOURCES)
