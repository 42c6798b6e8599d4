"""Firehose writes an object per record, and loses what a transformation refuses.

Symptom: every record becomes an object of its own at once, whatever BufferingHints say, and GZIP leaves it as it is; a
record that the transforming function calls ProcessingFailed is gone; where the function fails, its records are written
as they came; the stream's role is not asked.
Cause: `firehose._deliver_records_to_s3` delivers within PutRecord and handles records one by one.
Patch: records wait in a buffer until it is as old or as large as BufferingHints say. Then they are transformed together
(the function is invoked up to four times), and each prefix gets one object, compressed as configured. What cannot be
transformed or has no prefix goes to ErrorOutputPrefix, in AWS's form. The buffers are part of the service's state.
Streams that convert formats are left to upstream.
It can go when upstream buffers, compresses, and writes what failed.
"""

import asyncio
import base64
import gzip
import json
import logging
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid, request_scope
from ministack.services import firehose, lambda_svc, s3

from fanout_cli.engine.compat import _phases
from fanout_cli.engine.compat._background import every
from fanout_cli.engine.compat._permissions import role_allows

_LOOK_SECONDS = 0.2
_TRANSFORMED_AT_ONCE = 1_000_000  # bytes; the answer must stay below 6 MB
_ATTEMPTS = 4
_MEGABYTE = 1024 * 1024
_DEFAULT_SECONDS, _DEFAULT_MEGABYTES = 300, 5

_logger = logging.getLogger("fanout")
Key = tuple[str, str, str, str]
"""Account, Region, stream, destination."""


@dataclass
class Record:
    """One record on its way."""

    id: str
    data: bytes
    arrival: float
    keys: dict[str, str] = field(default_factory=dict)
    """Partition keys."""


class _RefusedError(Exception):
    """A record goes to the error prefix. kind: Firehose's error-output-type."""

    def __init__(self, kind: str, code: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.code = kind, code


_buffers: dict[Key, list[Record]] = defaultdict(list)
_lock = threading.Lock()


def apply() -> None:
    """Replace the delivery to S3, and look after the buffers."""
    original = firehose._deliver_records_to_s3

    def deliver(stream: dict[str, Any], destination: dict[str, Any], records: list[tuple[str, bytes]]) -> None:
        conversion = destination["config"].get("DataFormatConversionConfiguration") or {}
        if conversion and conversion.get("Enabled", True):
            original(stream, destination, records)
            return
        key = (get_account_id(), get_region(), stream["name"], destination["id"])
        now = time.time()
        with _lock:
            _buffers[key] += [Record(record_id, data, now) for record_id, data in records]
        destination["records"].clear()  # upstream keeps every record for ever

    firehose._deliver_records_to_s3 = deliver
    _persist()
    every(_LOOK_SECONDS, _look, "Firehose buffers")


def _persist() -> None:
    get_state, restore_state = firehose.get_state, firehose._restore_state

    def with_buffers() -> dict[str, Any]:
        waiting = [
            [*key, record.id, base64.b64encode(record.data).decode(), record.arrival]
            for key, records in _buffers.items()
            for record in records
        ]
        return {**get_state(), "fanout_buffers": waiting}

    def restored(data: dict[str, Any]) -> None:
        restore_state(data)
        for account, region, stream, destination, record_id, text, arrival in data.get("fanout_buffers", []):
            _buffers[account, region, stream, destination].append(Record(record_id, base64.b64decode(text), arrival))

    firehose.get_state, firehose._restore_state = with_buffers, restored


def _look() -> None:
    """Deliver every buffer whose time has come."""
    if not _phases.working():
        return
    for key, records in list(_buffers.items()):
        with request_scope(key[0], key[1]):
            stream = firehose._streams.get(key[2])
            found = [each for each in (stream or {}).get("destinations", []) if each["id"] == key[3]]
            if not stream or not found:
                with _lock:
                    _buffers.pop(key, None)  # deleted, or given another destination
            elif records and _is_due(found[0]["config"], records):
                try:
                    _flush(key, stream, found[0]["config"])
                except Exception:  # one stream's trouble is not that of the others
                    _logger.exception("Firehose: %s could not deliver, and tries again", key[2])


def _is_due(config: dict[str, Any], records: list[Record]) -> bool:
    hints = config.get("BufferingHints") or {}
    seconds = int(hints.get("IntervalInSeconds", _DEFAULT_SECONDS))
    size = int(hints.get("SizeInMBs", _DEFAULT_MEGABYTES)) * _MEGABYTE
    return time.time() - records[0].arrival >= seconds or sum(len(record.data) for record in records) >= size


def _flush(key: Key, stream: dict[str, Any], config: dict[str, Any]) -> None:
    """Deliver what is in a buffer. It stays there until it is written: a stop of the engine loses nothing."""
    with _lock:
        records = list(_buffers[key])
    objects: dict[str, list[bytes]] = defaultdict(list)
    arrival = time.gmtime(records[0].arrival)
    for record, error in _transformed(stream, config, records):
        try:
            if error:
                raise error
            objects[_prefix(config, record, arrival)].append(record.data)
        except _RefusedError as refusal:
            prefix = firehose._evaluate_prefix(config.get("ErrorOutputPrefix", ""), arrival, error_type=refusal.kind)
            objects[prefix].append(_failure(config, record, refusal))
    if _phases.stopping.is_set():
        return  # a function may have been ended with the engine: these records come again after its next start
    for prefix, lines in objects.items():
        _write(stream, config, prefix, b"".join(lines), arrival)
    with _lock:
        del _buffers[key][: len(records)]


def _prefix(config: dict[str, Any], record: Record, arrival: time.struct_time) -> str:
    keys = record.keys
    if (config.get("DynamicPartitioningConfiguration") or {}).get("Enabled") and not keys:
        keys = firehose._metadata_extraction_keys(config, record.data) or {}
    template = config.get("Prefix", "")
    try:
        prefix = str(firehose._evaluate_prefix(template, arrival, keys, keys))
    except firehose._DeliveryError as error:
        raise _RefusedError(error.output_type, "DynamicPartitioning.MetadataExtractionFailed", error.message) from None
    if "!{partitionKey" in template and "!{timestamp" not in template:
        prefix = prefix.removesuffix(firehose._java_time("yyyy/MM/dd/HH/", arrival))  # only upstream adds that
    return prefix


def _transformed(
    stream: dict[str, Any], config: dict[str, Any], records: list[Record]
) -> list[tuple[Record, _RefusedError | None]]:
    """Return the records as the stream's function gives them back; with an error, what it refused, as it came."""
    function = _function(config)
    if function is None:
        return [(record, None) for record in records]
    found: list[tuple[Record, _RefusedError | None]] = []
    batch: list[Record] = []
    for record in records:
        if batch and sum(len(each.data) for each in [*batch, record]) > _TRANSFORMED_AT_ONCE:
            found += _transform(stream, config, function, batch)
            batch = []
        batch.append(record)
    return found + _transform(stream, config, function, batch)


def _function(config: dict[str, Any]) -> str | None:
    processing = config.get("ProcessingConfiguration") or {}
    for processor in (processing.get("Processors") or []) if processing.get("Enabled") else []:
        if processor.get("Type") == "Lambda":
            for parameter in processor.get("Parameters") or []:
                if parameter["ParameterName"] == "LambdaArn":
                    return str(parameter["ParameterValue"])
    return None


def _transform(
    stream: dict[str, Any], config: dict[str, Any], function: str, batch: list[Record]
) -> list[tuple[Record, _RefusedError | None]]:
    event = {
        "invocationId": new_uuid(),
        "deliveryStreamArn": stream["arn"],
        "region": get_region(),
        "records": [
            {
                "recordId": record.id,
                "approximateArrivalTimestamp": int(record.arrival * 1000),
                "data": base64.b64encode(record.data).decode(),
            }
            for record in batch
        ],
    }
    try:
        answer = _invoke(config, function, event)
    except _RefusedError as error:
        return [(record, error) for record in batch]
    answers = {each.get("recordId"): each for each in answer}
    return [each for record in batch if (each := _answered(record, answers.get(record.id))) is not None]


def _answered(record: Record, answer: dict[str, Any] | None) -> tuple[Record, _RefusedError | None] | None:
    """What the function says of a record; None if it is to be dropped."""
    answer = answer or {}
    match answer.get("result"):
        case "Ok":
            keys = (answer.get("metadata") or {}).get("partitionKeys") or {}
            return Record(record.id, base64.b64decode(answer["data"]), record.arrival, keys), None
        case "Dropped":
            return None
        case "ProcessingFailed":
            message = "The Lambda function was successfully invoked but it returned an error result."
            return record, _RefusedError("processing-failed", "Lambda.ProcessingFailedStatus", message)
    message = "The transformation function gave no answer for the record."
    return record, _RefusedError("processing-failed", "Lambda.MissingRecordId", message)


def _invoke(config: dict[str, Any], function: str, event: dict[str, Any]) -> list[dict[str, Any]]:
    if not role_allows(config["RoleARN"], "lambda:InvokeFunction", function):
        raise _RefusedError("processing-failed", "Lambda.InvokeAccessDenied", "The role may not invoke the function.")
    code, message = "Lambda.FunctionError", ""
    for _ in range(_ATTEMPTS):
        record, found, _ = lambda_svc._get_func_record_for_ref(function)
        if record is None:
            raise _RefusedError("processing-failed", "Lambda.FunctionNotFound", "The function does not exist.")
        addressed = lambda_svc._execution_record_for_config(record, {**found, "FunctionArn": function})
        result = lambda_svc._execute_function(addressed, event)
        body = result.get("body")
        if isinstance(body, str | bytes):
            body = json.loads(body)
        if not result.get("error") and isinstance(body, dict) and isinstance(body.get("records"), list):
            return list(body["records"])
        message = str(body)[:1000]
    _logger.warning("Firehose: %s failed: %s", function, message)
    raise _RefusedError("processing-failed", code, message)


def _failure(config: dict[str, Any], record: Record, refusal: _RefusedError) -> bytes:
    """https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html"""
    document = {
        "attemptsMade": _ATTEMPTS if refusal.code == "Lambda.FunctionError" else 1,
        "arrivalTimestamp": int(record.arrival * 1000),
        "errorCode": refusal.code,
        "errorMessage": str(refusal),
        "attemptEndingTimestamp": int(time.time() * 1000),
        "rawData": base64.b64encode(record.data).decode(),
        "lambdaArn": _function(config),
    }
    return json.dumps(document).encode() + b"\n"


def _write(stream: dict[str, Any], config: dict[str, Any], prefix: str, body: bytes, arrival: time.struct_time) -> None:
    moment = firehose._java_time("yyyy-MM-dd-HH-mm-ss", arrival)
    gzipped = config.get("CompressionFormat") == "GZIP"
    extension = config.get("FileExtension") or (".gz" if gzipped else "")
    key = f"{prefix}{stream['name']}-{stream.get('version', 1)}-{moment}-{new_uuid()}{extension}"
    bucket = firehose._s3_bucket_from_arn(config["BucketARN"])
    if not role_allows(config["RoleARN"], "s3:PutObject", f"{config['BucketARN']}/{key}"):
        _logger.error("Firehose: %s may not write %s/%s; the records are lost", config["RoleARN"], bucket, key)
        return
    content = gzip.compress(body, mtime=0) if gzipped else body
    headers = {"content-type": "application/octet-stream", "content-length": str(len(content)), "host": "s3.localhost"}
    asyncio.run(s3.handle_request("PUT", f"/{bucket}/{key}", headers, content, {}, internal=True))
