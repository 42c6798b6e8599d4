"""Firehose writes an object per record, and loses what a transformation refuses.

Symptom: every record becomes an object of its own at once, regardless of BufferingHints, and GZIP leaves it as it is; a
record that the transforming function calls ProcessingFailed is gone; where the function fails, its records are written
as they came; the permissions of the stream's role are not checked.
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
import logging
import threading
import time
from collections import defaultdict
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid, request_scope
from ministack.services import firehose, s3

from local_engine.compat import _phases
from local_engine.compat._background import every
from local_engine.compat._firehose_records import Record, RefusedError, failure, transformed
from local_engine.compat._permissions import role_allows

_LOOK_SECONDS = 0.2
_MEGABYTE = 1024 * 1024
_DEFAULT_SECONDS, _DEFAULT_MEGABYTES = 300, 5

_logger = logging.getLogger("fanout")
Key = tuple[str, str, str]
"""Account, Region and stream: a stream has one destination, which an update replaces."""
_buffers: dict[Key, list[Record]] = defaultdict(list)
_lock = threading.Lock()


def apply() -> None:
    """Replace the delivery to S3, and persist the buffers."""
    original = firehose._deliver_records_to_s3

    def deliver(stream: dict[str, Any], destination: dict[str, Any], records: list[tuple[str, bytes]]) -> None:
        conversion = destination["config"].get("DataFormatConversionConfiguration") or {}
        if conversion and conversion.get("Enabled", True):
            original(stream, destination, records)
            return
        key = (get_account_id(), get_region(), stream["name"])
        now = time.time()
        with _lock:
            _buffers[key] += [Record(record_id, data, now) for record_id, data in records]
        destination["records"].clear()  # upstream keeps every record forever

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
        for account, region, stream, record_id, text, arrival in data.get("fanout_buffers", []):
            _buffers[account, region, stream].append(Record(record_id, base64.b64decode(text), arrival))

    firehose.get_state, firehose._restore_state = with_buffers, restored


def _look() -> None:
    """Deliver every buffer whose time has come."""
    if not _phases.working():
        return
    for key, records in list(_buffers.items()):
        with request_scope(key[0], key[1]):
            stream = firehose._streams.get(key[2])
            if stream is None:
                with _lock:
                    _buffers.pop(key, None)  # deleted, with what it held
                continue
            config = stream["destinations"][0]["config"]
            if records and _is_due(config, records):
                try:
                    _flush(key, stream, config)
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
    for record, error in transformed(stream, config, records):
        try:
            if error:
                raise error
            objects[_prefix(config, record, arrival)].append(record.data)
        except RefusedError as refusal:
            prefix = firehose._evaluate_prefix(config.get("ErrorOutputPrefix", ""), arrival, error_type=refusal.kind)
            objects[prefix].append(failure(config, record, refusal))
    if _phases.stopping.is_set():
        return  # a function may have been ended with the engine: these records come again after its next start
    for prefix, lines in objects.items():
        _write(stream, config, prefix, b"".join(lines), arrival)
    with _lock:
        del _buffers[key][: len(records)]


def _prefix(config: dict[str, Any], record: Record, arrival: time.struct_time) -> str:
    keys, template = record.keys, config.get("Prefix", "")
    try:
        if (config.get("DynamicPartitioningConfiguration") or {}).get("Enabled") and not keys:
            keys = firehose._metadata_extraction_keys(config, record.data) or {}
        prefix = str(firehose._evaluate_prefix(template, arrival, keys, keys))
    except firehose._DeliveryError as error:
        raise RefusedError(error.output_type, "DynamicPartitioning.MetadataExtractionFailed", error.message) from None
    if "!{partitionKey" in template and "!{timestamp" not in template:
        prefix = prefix.removesuffix(firehose._java_time("yyyy/MM/dd/HH/", arrival))  # only upstream adds that
    return prefix


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
