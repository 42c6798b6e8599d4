"""What Firehose refuses of delivery streams to S3.

https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning.html
https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationConfiguration.html
"""

import re
from typing import Any

from ministack.services import firehose

from local_engine.strictness._refusing import Data, Refused, before
from local_engine.strictness._roles import require_trust

_EXPRESSION = re.compile(r"!\{([^}]*)\}")
_NAMESPACES = {"firehose", "partitionKeyFromLambda", "partitionKeyFromQuery", "timestamp"}
_BATCH_LIMIT = 4 * 1024 * 1024


def apply() -> None:
    """Validate streams, which CloudFormation creates over the same function, and batches of records."""
    before(firehose, "_create_delivery_stream", _validate_stream)
    before(firehose, "_put_record_batch", _validate_batch)
    for action, function in (
        ("CreateDeliveryStream", "_create_delivery_stream"),
        ("PutRecordBatch", "_put_record_batch"),
    ):
        firehose._HANDLERS[action] = getattr(firehose, function)


def _validate_stream(data: Data) -> None:
    destination = data.get("ExtendedS3DestinationConfiguration")
    if not destination:
        return
    require_trust(
        destination["RoleARN"],
        "firehose.amazonaws.com",
        _invalid(f"Firehose is unable to assume role {destination['RoleARN']}. Please check the role provided."),
    )
    _validate_hints(destination.get("BufferingHints") or {})
    _validate_prefixes(destination)
    _validate_partitioning(destination)
    conversion = destination.get("DataFormatConversionConfiguration") or {}
    if _enabled(conversion):
        for name in ("SchemaConfiguration", "InputFormatConfiguration", "OutputFormatConfiguration"):
            if not conversion.get(name):
                raise _invalid(f"{name} must be specified when data format conversion is enabled.")
        if destination.get("CompressionFormat", "UNCOMPRESSED") != "UNCOMPRESSED":
            raise _invalid("CompressionFormat must be UNCOMPRESSED when data format conversion is enabled.")


def _validate_hints(hints: Data) -> None:
    if hints and ("SizeInMBs" in hints) != ("IntervalInSeconds" in hints):
        raise _invalid("BufferingHints must specify both SizeInMBs and IntervalInSeconds, or neither.")
    for name, lowest, highest in (("SizeInMBs", 1, 128), ("IntervalInSeconds", 0, 900)):
        if name in hints and not lowest <= int(hints[name]) <= highest:
            raise _invalid(f"BufferingHints: {name} must be between {lowest} and {highest}.")


def _validate_prefixes(destination: Data) -> None:
    prefix, error_prefix = destination.get("Prefix") or "", destination.get("ErrorOutputPrefix") or ""
    for text in (prefix, error_prefix):
        for expression in _EXPRESSION.findall(text):
            if expression.split(":")[0] not in _NAMESPACES:
                raise _invalid(f"The expression !{{{expression}}} is of no known namespace.")
    if _EXPRESSION.search(prefix) and not error_prefix:
        raise _invalid("ErrorOutputPrefix cannot be null or empty when Prefix contains expressions.")
    if "!{firehose:error-output-type}" in prefix:
        raise _invalid("Prefix cannot contain !{firehose:error-output-type}.")
    if _EXPRESSION.search(error_prefix) and "!{firehose:error-output-type}" not in error_prefix:
        raise _invalid("ErrorOutputPrefix with expressions must contain !{firehose:error-output-type}.")
    if "!{partitionKeyFrom" in error_prefix:
        raise _invalid("ErrorOutputPrefix cannot contain partition keys.")


def _validate_partitioning(destination: Data) -> None:
    used = {
        tuple(expression.split(":", 1))
        for expression in _EXPRESSION.findall(destination.get("Prefix") or "")
        if expression.startswith("partitionKeyFrom")
    }
    if not _enabled(destination.get("DynamicPartitioningConfiguration") or {}):
        if used:
            raise _invalid("Prefix cannot contain partition keys when dynamic partitioning is disabled.")
        return
    if not used:
        raise _invalid("Prefix must contain partition keys when dynamic partitioning is enabled.")
    processors = _processors(destination)
    queried = {key for namespace, key in used if namespace == "partitionKeyFromQuery"}
    query = processors.get("MetadataExtraction", {}).get("MetadataExtractionQuery", "")
    unknown = queried - set(re.findall(r"[{,]\s*\"?(\w+)\"?\s*:", query))
    if unknown:
        raise _invalid(f"The partition keys {', '.join(sorted(unknown))} are not extracted by MetadataExtractionQuery.")
    if queried != {key for _, key in used} and "Lambda" not in processors:
        raise _invalid("partitionKeyFromLambda needs a Lambda processor.")
    if int((destination.get("BufferingHints") or {}).get("SizeInMBs", 64)) < 64:
        raise _invalid("BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled.")


def _processors(destination: Data) -> dict[str, dict[str, str]]:
    configuration = destination.get("ProcessingConfiguration") or {}
    return {
        processor["Type"]: {
            parameter["ParameterName"]: parameter["ParameterValue"] for parameter in processor.get("Parameters") or []
        }
        for processor in (configuration.get("Processors") or [] if _enabled(configuration) else [])
    }


def _validate_batch(data: Data) -> None:
    # What arrives is base64: four characters for three bytes.
    if sum(len(record["Data"]) * 3 // 4 for record in data["Records"]) > _BATCH_LIMIT:
        raise _invalid("Records size exceeds 4 MB limit")


def _enabled(configuration: Data) -> bool:
    enabled: Any = configuration.get("Enabled", False)
    return str(enabled).lower() == "true"


def _invalid(message: str) -> Refused:
    return Refused("InvalidArgumentException", message)
