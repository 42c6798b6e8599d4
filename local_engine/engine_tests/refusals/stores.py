"""What CloudWatch Logs, Parameter Store, Secrets Manager, Glue and Athena refuse."""

from collections.abc import Callable
from typing import Any

from engine_tests.aws import Aws
from engine_tests.refusals.refusal import Refusal

_LOGS = "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest"
_SSM = "https://docs.aws.amazon.com/systems-manager/latest"
_SECRETS = "https://docs.aws.amazon.com/secretsmanager/latest"
_ATHENA = "https://docs.aws.amazon.com/athena/latest"
_NOW = 1_700_000_000_000


def _put_events(aws: Aws, *events: tuple[int, str]) -> None:
    group = aws.name("group")
    aws.logs.create_log_group(logGroupName=group)
    aws.logs.create_log_stream(logGroupName=group, logStreamName="one")
    aws.logs.put_log_events(
        logGroupName=group,
        logStreamName="one",
        logEvents=[{"timestamp": _NOW + later, "message": message} for later, message in events],
    )


def _subscribe(aws: Aws, destination: str, count: int = 1) -> None:
    group = aws.name("group")
    aws.logs.create_log_group(logGroupName=group)
    for number in range(count):
        aws.logs.put_subscription_filter(
            logGroupName=group, filterName=f"filter{number}", filterPattern="", destinationArn=destination
        )


def _subscribe_function_thrice(aws: Aws) -> None:
    function = aws.function("def handler(event, context): pass")
    aws.client("lambda").add_permission(
        FunctionName=function, StatementId="logs", Action="lambda:InvokeFunction", Principal="logs.amazonaws.com"
    )
    _subscribe(aws, aws.function_arn(function), 3)


def _put_parameter(aws: Aws, **changed: Any) -> None:
    aws.ssm.put_parameter(**{"Name": aws.name("parameter"), "Type": "String", "Value": "x", **changed})


def _downgrade_parameter(aws: Aws) -> None:
    name = aws.name("parameter")
    _put_parameter(aws, Name=name, Tier="Advanced")
    _put_parameter(aws, Name=name, Tier="Standard", Overwrite=True)


def _create_secret(aws: Aws, **changed: Any) -> str:
    name: str = changed.pop("Name", None) or aws.name("secret")
    aws.secretsmanager.create_secret(Name=name, **changed)
    return name


def _read_secret_without_value(aws: Aws) -> None:
    aws.secretsmanager.get_secret_value(SecretId=_create_secret(aws))


def _put_parameter_template(**properties: Any) -> dict[str, Any]:
    resource = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x", **properties}}
    return {"Resources": {"One": resource}}


def _create_glue_table(aws: Aws) -> None:
    database = aws.name("database").replace("-", "_")
    aws.glue.create_database(DatabaseInput={"Name": database})
    aws.glue.create_table(
        DatabaseName=database,
        TableInput={
            "Name": "events",
            "StorageDescriptor": {"Columns": [{"Name": "day", "Type": "string"}]},
            "PartitionKeys": [{"Name": "day", "Type": "string"}],
        },
    )


def _query(aws: Aws, **request: Any) -> None:
    aws.athena.start_query_execution(QueryString="SELECT 1", **request)


def _rule(
    id: str,
    rule: str,
    source: str,
    code: str,
    text: str,
    *,
    call: Callable[[Aws], object],
    held: str,
    template: dict[str, Any] | None = None,
) -> Refusal:
    return Refusal(id=id, rule=rule, source=source, code=code, text=text, held=held, call=call, template=template)


LOGS = (
    _rule(
        "logs-events-are-in-order",
        "The events of a batch are in the order of their times",
        f"{_LOGS}/APIReference/API_PutLogEvents.html",
        "InvalidParameterException",
        "must be in chronological order",
        call=lambda aws: _put_events(aws, (1000, "later"), (0, "earlier")),
        held="strictness/logs.py",
    ),
    _rule(
        "logs-a-batch-spans-a-day-at-most",
        "The events of a batch span 24 hours at most",
        f"{_LOGS}/APIReference/API_PutLogEvents.html",
        "InvalidParameterException",
        "cannot span more than 24 hours",
        call=lambda aws: _put_events(aws, (0, "one"), (25 * 3_600_000, "other")),
        held="strictness/logs.py",
    ),
    _rule(
        "logs-a-batch-has-a-mebibyte-at-most",
        "A batch has 1,048,576 bytes at most, 26 of each event included",
        f"{_LOGS}/APIReference/API_PutLogEvents.html",
        "InvalidParameterException",
        "Upload too large",
        call=lambda aws: _put_events(aws, *[(0, "x" * 100_000)] * 11),
        held="strictness/logs.py",
    ),
    _rule(
        "logs-a-subscription-has-a-known-destination",
        "A subscription's destination is a function, a stream or a destination of Logs",
        f"{_LOGS}/APIReference/API_PutSubscriptionFilter.html",
        "InvalidParameterException",
        "PutSubscriptionFilter operation cannot work with destinationArn for vendor sqs",
        call=lambda aws: _subscribe(aws, aws.queue()[1]),
        held="strictness/logs.py",
    ),
    _rule(
        "logs-a-subscription-to-firehose-has-a-role",
        "A subscription to a stream has a role",
        f"{_LOGS}/APIReference/API_PutSubscriptionFilter.html",
        "InvalidParameterException",
        "destinationArn for vendor firehose cannot be used without roleArn",
        call=lambda aws: _subscribe(aws, "arn:aws:firehose:us-east-1:000000000000:deliverystream/planted"),
        held="strictness/logs.py",
    ),
    _rule(
        "logs-a-group-has-two-subscriptions-at-most",
        "A log group has two subscription filters at most",
        f"{_LOGS}/logs/cloudwatch_limits_cwl.html",
        "LimitExceededException",
        "Resource limit exceeded.",
        call=_subscribe_function_thrice,
        held="strictness/logs.py",
    ),
    _rule(
        "logs-a-function-permits-its-subscription",
        "A function that is subscribed permits Logs to invoke it",
        f"{_LOGS}/logs/SubscriptionFilters.html",
        "InvalidParameterException",
        "Could not execute the lambda function",
        call=lambda aws: _subscribe(aws, aws.function_arn(aws.function("def handler(event, context): pass"))),
        held="compat/log_subscriptions.py",
    ),
    Refusal(
        id="logs-a-retention-is-one-of-the-listed",
        rule="A retention is one of the listed numbers of days",
        source=f"{_LOGS}/APIReference/API_PutRetentionPolicy.html",
        code="InvalidRequest",
        text="#/RetentionInDays: 8 is not a valid enum value",
        held="strictness/resource_schemas.py",
        template={"Resources": {"One": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 8}}}},
    ),
)

PARAMETERS = (
    _rule(
        "ssm-a-path-begins-with-a-slash",
        "A parameter's name with slashes begins with one",
        f"{_SSM}/userguide/sysman-paramstore-su-create.html",
        "ValidationException",
        "Parameter name must be a fully qualified name",
        call=lambda aws: _put_parameter(aws, Name="planted/parameter"),
        held="strictness/parameters.py",
        template=_put_parameter_template(Name="planted/parameter"),
    ),
    _rule(
        "ssm-a-path-has-15-levels-at-most",
        "A parameter's name has 15 levels at most",
        f"{_SSM}/APIReference/API_PutParameter.html",
        "HierarchyLevelLimitExceededException",
        "15 levels",
        call=lambda aws: _put_parameter(aws, Name="/p" * 16),
        held="strictness/parameters.py",
    ),
    _rule(
        "ssm-a-standard-parameter-has-4-kb-at-most",
        "A parameter of the standard tier has 4,096 bytes at most",
        f"{_SSM}/userguide/parameter-store-advanced-parameters.html",
        "ValidationException",
        "Standard tier parameters support a maximum parameter value of 4096 characters.",
        call=lambda aws: _put_parameter(aws, Value="x" * 4097),
        held="strictness/parameters.py",
        template=_put_parameter_template(Value="x" * 4097),
    ),
    _rule(
        "ssm-a-value-matches-its-pattern",
        "A parameter's value matches its AllowedPattern",
        f"{_SSM}/APIReference/API_PutParameter.html",
        "ParameterPatternMismatchException",
        "^[0-9]+$",
        call=lambda aws: _put_parameter(aws, AllowedPattern="^[0-9]+$"),
        held="strictness/parameters.py",
    ),
    _rule(
        "ssm-an-advanced-parameter-stays-advanced",
        "A parameter of the advanced tier does not become a standard one",
        f"{_SSM}/userguide/parameter-store-advanced-parameters.html",
        "ValidationException",
        "advanced-parameter tier",
        call=_downgrade_parameter,
        held="strictness/parameters.py",
    ),
    _rule(
        "ssm-a-name-is-not-reserved",
        "A parameter's name does not begin with aws or ssm",
        f"{_SSM}/userguide/sysman-paramstore-su-create.html",
        "ValidationException",
        'can\'t be prefixed with "aws" or "ssm"',
        call=lambda aws: _put_parameter(aws, Name="aws-planted"),
        held="ministack",
    ),
)

SECRETS = (
    _rule(
        "secrets-a-name-has-no-spaces",
        "A secret's name has letters, digits and /_+=.@- only",
        f"{_SECRETS}/apireference/API_CreateSecret.html",
        "ValidationException",
        "Invalid name",
        call=lambda aws: _create_secret(aws, Name="a secret", SecretString="x"),
        held="strictness/secrets.py",
        template={
            "Resources": {
                "One": {
                    "Type": "AWS::SecretsManager::Secret",
                    "Properties": {"Name": "a secret", "GenerateSecretString": {}},
                }
            }
        },
    ),
    _rule(
        "secrets-a-value-is-text-or-binary",
        "A secret's value is text or binary, not both",
        f"{_SECRETS}/apireference/API_CreateSecret.html",
        "InvalidParameterException",
        "both",
        call=lambda aws: _create_secret(aws, SecretString="x", SecretBinary=b"x"),
        held="strictness/secrets.py",
    ),
    _rule(
        "secrets-a-value-has-64-kib-at-most",
        "A secret's value has 65,536 bytes at most",
        f"{_SECRETS}/userguide/reference_limits.html",
        "ValidationException",
        "65536",
        call=lambda aws: _create_secret(aws, SecretString="x" * 65_537),
        held="strictness/secrets.py",
    ),
    _rule(
        "secrets-a-value-that-is-read-exists",
        "A secret without a value cannot be read",
        f"{_SECRETS}/apireference/API_GetSecretValue.html",
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT",
        call=_read_secret_without_value,
        held="strictness/secrets.py",
    ),
    Refusal(
        id="secrets-a-value-is-given-or-generated",
        rule="A template gives a secret's value or has it generated, not both",
        source="https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-secretsmanager-secret.html",
        code="InvalidRequest",
        text="You can't specify both SecretString and GenerateSecretString.",
        held="strictness/secrets.py",
        template={
            "Resources": {
                "One": {
                    "Type": "AWS::SecretsManager::Secret",
                    "Properties": {"SecretString": "x", "GenerateSecretString": {}},
                }
            }
        },
    ),
    _rule(
        "secrets-a-secret-waits-a-week-for-its-deletion",
        "A secret is recoverable for 7 to 30 days",
        f"{_SECRETS}/apireference/API_DeleteSecret.html",
        "InvalidParameterException",
        "between 7 and 30 days",
        call=lambda aws: aws.secretsmanager.delete_secret(
            SecretId=_create_secret(aws, SecretString="x"), RecoveryWindowInDays=5
        ),
        held="ministack",
    ),
)

ANALYTICS = (
    _rule(
        "glue-a-column-is-declared-once",
        "A column is not also a partition key",
        "https://docs.aws.amazon.com/athena/latest/ug/create-table.html",
        "InvalidInputException",
        "Duplicate columns: day",
        call=_create_glue_table,
        held="strictness/analytics.py",
    ),
    _rule(
        "athena-a-work-group-exists",
        "A query runs in a work group that exists",
        f"{_ATHENA}/APIReference/API_StartQueryExecution.html",
        "InvalidRequestException",
        "WorkGroup planted is not found.",
        call=lambda aws: _query(aws, WorkGroup="planted"),
        held="strictness/analytics.py",
    ),
    _rule(
        "athena-results-go-to-s3",
        "A query's results go to a location in S3",
        f"{_ATHENA}/APIReference/API_ResultConfiguration.html",
        "InvalidRequestException",
        "outputLocation is not a valid S3 path",
        call=lambda aws: _query(aws, ResultConfiguration={"OutputLocation": "results/"}),
        held="strictness/analytics.py",
    ),
    _rule(
        "athena-a-query-has-a-place-for-its-results",
        "A query names a location for its results unless its work group does",
        f"{_ATHENA}/APIReference/API_StartQueryExecution.html",
        "InvalidRequestException",
        "No output location provided",
        call=_query,
        held="ministack",
    ),
    _rule(
        "athena-a-work-group-name-has-no-spaces",
        "A work group's name has letters, digits and ._- only",
        f"{_ATHENA}/APIReference/API_CreateWorkGroup.html",
        "InvalidRequestException",
        "Invalid WorkGroup name",
        call=lambda aws: aws.athena.create_work_group(Name="a group"),
        held="strictness/analytics.py",
    ),
)
