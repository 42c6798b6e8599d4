"""Payloads of the functions that no subscription invokes, as the service that invokes each of them sends it.

Made from the samples of the use case, so that a payload about an order or a row is about the one that the samples show.

ingest            CloudWatch Logs        https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
plan_job,         Step Functions         the `Payload` of the task in the template; the error of a failed task:
process_chunk,                           https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
finish_job
finish_job        EventBridge            https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
lake              Firehose               https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
capture           a DynamoDB stream      https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
deadlines         EventBridge Scheduler  the `Input` of the schedule in the template
posts, review     an application         the docstrings of the two functions
"""

import base64
import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fanout.event import Event, decode
from fanout.testing import ACCOUNT, REGION

Payloads = dict[str, Mapping[str, Any]]
Sample = Callable[[str], Event[Any]]
"""Returns a valid sample of the use case by its name."""

_HEADER_ROWS = 1


def service_payloads(root: Path, use_case: str) -> Payloads:
    """Return {file name without ending: payload} for the use case in the checkout `root`; empty if it needs none."""
    make = _MAKERS.get(use_case)
    events = root / "events" / use_case

    def sample(name: str) -> Event[Any]:
        event = decode((events / "valid" / f"{name}.json").read_bytes())
        return event.with_data(json.loads(bytes(event.data)))

    return make(sample, events) if make else {}


def _application_logs(sample: Sample, _events: Path) -> Payloads:
    """Lines of a function that writes its logs as JSON: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html"""
    lines = [sample(name).data for name in ("ordinary", "ordinary-warning", "ordinary-error")]
    document = {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": "/aws/lambda/checkout",
        "logStream": "2026/10/08/[$LATEST]5f0c9e2b7d4a3c9e8f7a6b5c4d3e2f1a",
        "subscriptionFilters": ["fanout"],
        "logEvents": [
            {
                "id": f"39{number:054}",
                "timestamp": _milliseconds(sample("ordinary")) + number,
                "message": json.dumps({"timestamp": "2026-10-08T09:00:00.000Z", **line}) + "\n",
            }
            for number, line in enumerate(lines)
        ],
    }
    return {"ingest-lines": {"awslogs": {"data": _base64(_gzip(json.dumps(document).encode()))}}}


def _batch_jobs(sample: Sample, events: Path) -> Payloads:
    """Return the steps of the import of customers.csv that start_job-ordinary.json requests."""
    job_id = sample("ordinary").data["job_id"]
    machine = "JobMachine-5a1f0c9e2b7d"
    name = _execution_name(job_id)
    execution = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:{machine}:{name}"
    source = (events / "inputs" / "customers.csv").read_bytes()
    header, _, _ = source.partition(b"\n")
    started = _milliseconds(sample("ordinary"))
    ended = {
        "version": "0",
        "id": "315c1398-40ff-a850-213b-158f73e60175",
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": ACCOUNT,
        "time": _time(started + 60_000),
        "region": REGION,
        "resources": [execution],
        "detail": {
            "executionArn": execution,
            "stateMachineArn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{machine}",
            "name": name,
            "status": "ABORTED",
            "startDate": started,
            "stopDate": started + 60_000,
            "input": json.dumps({"job_id": job_id}),
            "output": None,
            "inputDetails": {"included": True},
            "outputDetails": None,
        },
    }
    chunk = {"number": 0, "start": len(header) + 1, "end": len(source), "first_row": 1 + _HEADER_ROWS}
    failed = {"Error": "RuntimeError", "Cause": '{"errorMessage": "boom", "errorType": "RuntimeError"}'}
    return {
        "plan_job-import": {"job_id": job_id, "execution_arn": execution},
        "process_chunk-import": {"job_id": job_id, "chunk": chunk},
        "process_chunk-discard": {"job_id": job_id, "chunk": chunk, "discard": True},
        "finish_job-import": {"job_id": job_id},
        "finish_job-failed-step": {"job_id": job_id, "error": failed},
        "finish_job-stopped": ended,
    }


def _data_aggregation(_sample: Sample, events: Path) -> Payloads:
    samples = [events / "valid" / f"ordinary-{kind}.json" for kind in ("pageview", "session", "sale")]
    records = [
        {
            "recordId": f"{49_546_986_683_135_544_286_507_457_936_321_625_675_700_192_471_156_785_154 + number}",
            "approximateArrivalTimestamp": 1_791_450_000_123 + number,
            # SNS ends each record with a line break.
            "data": _base64(json.dumps(json.loads(path.read_bytes()), ensure_ascii=False).encode() + b"\n"),
        }
        for number, path in enumerate(samples)
    ]
    stream = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/LakeStream"
    invocation = "0d7c5b9e-0b7a-5f6e-9f0b-6a4b2f6f1c55"
    batch = {"invocationId": invocation, "deliveryStreamArn": stream, "region": REGION, "records": records}
    return {"lake-three-sources": batch}


def _database_changes(sample: Sample, _events: Path) -> Payloads:
    changes = [sample(f"ordinary-{operation}") for operation in ("insert", "update", "delete")]
    return {"capture-changes": {"Records": [_stream_record(change) for change in changes]}}


def _stream_record(change: Event[Any]) -> dict[str, Any]:
    """Return the record that capture makes this event of."""
    images = {"before": "OldImage", "after": "NewImage"}
    row = {image: change.data[name] for name, image in images.items() if name in change.data}
    return {
        "eventID": change.id,
        "eventName": {"insert": "INSERT", "update": "MODIFY", "delete": "REMOVE"}[change.data["operation"]],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "dynamodb": {
            "ApproximateCreationDateTime": _milliseconds(change) // 1000,
            "Keys": change.data["key"],
            **row,
            "SequenceNumber": change.data["version"].lstrip("0"),
            "SizeBytes": len(json.dumps(row)),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": f"{change.source}/stream/2026-10-08T08:00:00.000",
    }


def _order_workflow(_sample: Sample, _events: Path) -> Payloads:
    return {"deadlines-schedule": {}}


def _user_interactions(sample: Sample, _events: Path) -> Payloads:
    """Return what can be read and decided once comments-held-for-review.json has been handled."""
    held = sample("held-for-review")
    written = datetime.fromisoformat(held.data["occurred_at"]).astimezone(UTC)
    entry = f"{written:%Y-%m-%dT%H:%M:%S.%fZ}#{held.identity}"
    post_id = held.data["post_id"]
    return {
        "posts-totals": {"action": "totals", "post_id": post_id},
        "posts-comments": {"action": "comments", "post_id": post_id, "limit": 20},
        "posts-trending": {"action": "trending", "minutes": 5, "limit": 10},
        "review-list": {"action": "list", "limit": 20},
        "review-approve": {"action": "approve", "entry": entry},
        "review-refuse": {"action": "refuse", "entry": entry},
    }


_MAKERS: dict[str, Callable[[Sample, Path], Payloads]] = {
    "application_logs": _application_logs,
    "batch_jobs": _batch_jobs,
    "data_aggregation": _data_aggregation,
    "database_changes": _database_changes,
    "order_workflow": _order_workflow,
    "user_interactions": _user_interactions,
}


def _execution_name(job_id: str) -> str:
    """Return the name that start_job gives a job's execution: finish_job ignores executions with any other name."""
    return f"{job_id}-{hashlib.sha256(job_id.encode()).hexdigest()[:32]}"


def _milliseconds(event: Event[Any]) -> int:
    return int(event.occurred_at.timestamp() * 1000)


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat().replace("+00:00", "Z")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _gzip(content: bytes) -> bytes:
    """Return a gzip file that is the same with every version of Python and zlib: one stored block (RFC 1951, 3.2.4)."""
    size = len(content)
    block = b"\x01" + struct.pack("<HH", size, size ^ 0xFFFF) + content
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + block + struct.pack("<LL", zlib.crc32(content), size)
