"""What Firehose refuses."""

from typing import Any

from engine_tests.aws import Aws
from engine_tests.refusals.refusal import Refusal

_PREFIXES = "https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html"
_PARTITIONS = "https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning.html"
_API = "https://docs.aws.amazon.com/firehose/latest/APIReference"

_EXTRACTION = {
    "Enabled": True,
    "Processors": [
        {
            "Type": "MetadataExtraction",
            "Parameters": [
                {"ParameterName": "MetadataExtractionQuery", "ParameterValue": "{day: .day}"},
                {"ParameterName": "JsonParsingEngine", "ParameterValue": "JQ-1.6"},
            ],
        }
    ],
}
_PARTITIONED: dict[str, Any] = {
    "DynamicPartitioningConfiguration": {"Enabled": True},
    "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60},
    "ProcessingConfiguration": _EXTRACTION,
    "Prefix": "events/day=!{partitionKeyFromQuery:day}/",
    "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/",
}


def _trusting(service: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}},
    }


def _template(destination: dict[str, Any], service: str = "firehose.amazonaws.com") -> dict[str, Any]:
    configuration = {
        "RoleARN": {"Fn::GetAtt": ["Role", "Arn"]},
        "BucketARN": {"Fn::GetAtt": ["Bucket", "Arn"]},
        **destination,
    }
    stream = {
        "Type": "AWS::KinesisFirehose::DeliveryStream",
        "Properties": {"ExtendedS3DestinationConfiguration": configuration},
    }
    return {"Resources": {"Role": _trusting(service), "Bucket": {"Type": "AWS::S3::Bucket"}, "Stream": stream}}


def _rule(id: str, rule: str, source: str, text: str, destination: dict[str, Any], **trust: str) -> Refusal:
    return Refusal(
        id=f"firehose-{id}",
        rule=rule,
        source=source,
        code="InvalidArgumentException",
        text=text,
        held="strictness/delivery_streams.py",
        template=_template(destination, **trust),
    )


def _put_five_megabytes(aws: Aws) -> None:
    stream = aws.resources(aws.deploy(_template({})))["Stream"]
    aws.firehose.put_record_batch(DeliveryStreamName=stream, Records=[{"Data": b"x" * 1_000_000}] * 5)


REFUSALS = (
    _rule(
        "a-prefix-with-expressions-needs-an-error-prefix",
        "A prefix with expressions needs an ErrorOutputPrefix",
        _PREFIXES,
        "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions",
        {"Prefix": "events/!{timestamp:yyyy}/"},
    ),
    _rule(
        "an-error-prefix-names-the-kind-of-error",
        "An ErrorOutputPrefix with expressions has !{firehose:error-output-type}",
        _PREFIXES,
        "error-output-type",
        {"Prefix": "events/!{timestamp:yyyy}/", "ErrorOutputPrefix": "errors/!{timestamp:yyyy}/"},
    ),
    _rule(
        "a-prefix-names-no-kind-of-error",
        "A Prefix does not have !{firehose:error-output-type}",
        _PREFIXES,
        "Prefix cannot contain !{firehose:error-output-type}",
        {"Prefix": "events/!{firehose:error-output-type}/", "ErrorOutputPrefix": "errors/"},
    ),
    _rule(
        "an-expression-has-a-known-namespace",
        "An expression of a prefix is of firehose, timestamp or a partition key",
        _PREFIXES,
        "namespace",
        {"Prefix": "events/!{date:yyyy}/", "ErrorOutputPrefix": "errors/"},
    ),
    _rule(
        "partition-keys-need-dynamic-partitioning",
        "Partition keys in a prefix need dynamic partitioning",
        _PARTITIONS,
        "dynamic partitioning is disabled",
        {"Prefix": "events/!{partitionKeyFromQuery:day}/", "ErrorOutputPrefix": "errors/"},
    ),
    _rule(
        "dynamic-partitioning-needs-partition-keys",
        "Dynamic partitioning needs partition keys in the prefix",
        _PARTITIONS,
        "Prefix must contain partition keys",
        {**_PARTITIONED, "Prefix": "events/"},
    ),
    _rule(
        "a-partition-key-is-extracted",
        "A partition key of the prefix is one that the query extracts",
        _PARTITIONS,
        "not extracted",
        {**_PARTITIONED, "Prefix": "events/!{partitionKeyFromQuery:hour}/"},
    ),
    _rule(
        "dynamic-partitioning-buffers-64-mb",
        "Dynamic partitioning buffers 64 MB at least",
        _PARTITIONS,
        "at least 64 when Dynamic Partitioning is enabled",
        {**_PARTITIONED, "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 60}},
    ),
    _rule(
        "a-buffer-has-size-and-interval",
        "Buffering hints have both size and interval, or neither",
        f"{_API}/API_BufferingHints.html",
        "BufferingHints must specify both",
        {"BufferingHints": {"SizeInMBs": 5}},
    ),
    _rule(
        "a-conversion-has-a-schema",
        "Conversion of the record format needs a schema, an input and an output format",
        f"{_API}/API_DataFormatConversionConfiguration.html",
        "must be specified when data format conversion is enabled",
        {"DataFormatConversionConfiguration": {"Enabled": True}},
    ),
    _rule(
        "a-role-trusts-firehose",
        "A stream's role can be assumed by Firehose",
        "https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html",
        "Firehose is unable to assume role",
        {},
        service="lambda.amazonaws.com",
    ),
    Refusal(
        id="firehose-a-batch-has-4-mib-at-most",
        rule="A batch of records has 4 MiB at most",
        source=f"{_API}/API_PutRecordBatch.html",
        code="InvalidArgumentException",
        text="4 MB",
        held="strictness/delivery_streams.py",
        call=_put_five_megabytes,
    ),
)
