"""Firehose's records, and what a stream's function makes of them.

https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
"""

import base64
import json
import logging
import time
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import get_region, new_uuid
from ministack.services import lambda_svc

from local_engine.compat._permissions import role_allows

_AT_ONCE = 1_000_000  # bytes; the answer must stay below 6 MB
_ATTEMPTS = 4

_logger = logging.getLogger("fanout")


@dataclass
class Record:
    """One record on its way."""

    id: str
    data: bytes
    arrival: float
    keys: dict[str, str] = field(default_factory=dict)
    """Partition keys."""


class RefusedError(Exception):
    """A record goes to the error prefix. kind: Firehose's error-output-type."""

    def __init__(self, kind: str, code: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.code = kind, code


def transformed(
    stream: dict[str, Any], config: dict[str, Any], records: list[Record]
) -> list[tuple[Record, RefusedError | None]]:
    """Return the records as the stream's function gives them back; with an error, what it refused, as it came."""
    function = _function(config)
    if function is None:
        return [(record, None) for record in records]
    found: list[tuple[Record, RefusedError | None]] = []
    batch: list[Record] = []
    for record in records:
        if batch and sum(len(each.data) for each in [*batch, record]) > _AT_ONCE:
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
) -> list[tuple[Record, RefusedError | None]]:
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
    except RefusedError as error:
        return [(record, error) for record in batch]
    answers = {each.get("recordId"): each for each in answer}
    return [each for record in batch if (each := _answered(record, answers.get(record.id))) is not None]


def _answered(record: Record, answer: dict[str, Any] | None) -> tuple[Record, RefusedError | None] | None:
    """Return the function's result for a record; None if it is to be dropped."""
    answer = answer or {}
    match answer.get("result"):
        case "Ok":
            keys = (answer.get("metadata") or {}).get("partitionKeys") or {}
            return Record(record.id, base64.b64decode(answer["data"]), record.arrival, keys), None
        case "Dropped":
            return None
        case "ProcessingFailed":
            message = "The Lambda function was successfully invoked but it returned an error result."
            return record, RefusedError("processing-failed", "Lambda.ProcessingFailedStatus", message)
    message = "The transformation function gave no answer for the record."
    return record, RefusedError("processing-failed", "Lambda.MissingRecordId", message)


def _invoke(config: dict[str, Any], function: str, event: dict[str, Any]) -> list[dict[str, Any]]:
    if not role_allows(config["RoleARN"], "lambda:InvokeFunction", function):
        raise RefusedError("processing-failed", "Lambda.InvokeAccessDenied", "The role may not invoke the function.")
    code, message = "Lambda.FunctionError", ""
    for _ in range(_ATTEMPTS):
        record, found, _ = lambda_svc._get_func_record_for_ref(function)
        if record is None:
            raise RefusedError("processing-failed", "Lambda.FunctionNotFound", "The function does not exist.")
        addressed = lambda_svc._execution_record_for_config(record, {**found, "FunctionArn": function})
        result = lambda_svc._execute_function(addressed, event)
        body = result.get("body")
        if isinstance(body, str | bytes):
            body = json.loads(body)
        if not result.get("error") and isinstance(body, dict) and isinstance(body.get("records"), list):
            return list(body["records"])
        message = str(body)[:1000]
    _logger.warning("Firehose: %s failed: %s", function, message)
    raise RefusedError("processing-failed", code, message)


def failure(config: dict[str, Any], record: Record, refusal: RefusedError) -> bytes:
    """Return what stands under the error prefix about a record.

    https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
    """
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
