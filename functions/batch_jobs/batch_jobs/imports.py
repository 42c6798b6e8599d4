"""Imported rows. The rows of an import are written beside those of the previous one and become visible all at once:

    pk                   sk                attributes
    rows#nightly#00017   row#000000085002  row
    dataset#customers    current           job_id, requested_at, chunks, rows, columns, imported_at

Rows are invisible until their dataset points to their job, which the transaction that completes the job does. An
import that fails or is killed therefore has no effect, and readers see the previous import, complete, until the next
one is. A dataset never goes back: an import that was requested earlier but ends later does not replace it. Rows of a
failed import are deleted afterwards.
"""

import random
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from batch_jobs import settings
from batch_jobs.domain.columns import AttributeValue
from batch_jobs.domain.job import Job
from fanout import aws
from fanout.dynamodb import to_item

# The maximum of BatchWriteItem.
_TOGETHER = 25
_WRITERS = 4
_ATTEMPTS = 8

Request = dict[str, dict[str, dict[str, AttributeValue]]]
"""One entry of BatchWriteItem."""


class ThrottledError(Exception):
    """The table throttles writes. The state machine retries the chunk."""


def write(job_id: str, chunk: int, rows: Iterable[tuple[int, Mapping[str, AttributeValue]]]) -> None:
    """Write the rows (number, values) of a chunk. Idempotent."""
    pk = {"S": _rows_of(job_id, chunk)}

    def item(number: int, values: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
        return {"pk": pk, "sk": {"S": f"row#{number:012d}"}, "row": {"M": dict(values)}}

    _change({"PutRequest": {"Item": item(number, values)}} for number, values in rows)


def discard(job_id: str, chunk: int) -> None:
    """Delete all rows of a chunk."""
    pages = aws.client("dynamodb").get_paginator("query")
    for page in pages.paginate(
        TableName=settings.imports().import_table,
        KeyConditionExpression="pk = :rows",
        ExpressionAttributeValues=to_item({":rows": _rows_of(job_id, chunk)}),
        ProjectionExpression="pk, sk",
        ConsistentRead=True,
    ):
        _change({"DeleteRequest": {"Key": key}} for key in page["Items"])


def show(job: Job) -> dict[str, Any]:
    """Return the transaction's entry that makes the job's rows the current rows of its dataset.

    Its condition fails if the dataset shows an import that was requested later.
    """
    requested = job.requested
    item = {
        "pk": f"dataset#{requested.parameters.dataset}",
        "sk": "current",
        "job_id": job.job_id,
        "requested_at": job.requested_at,
        "chunks": job.chunks,
        "rows": job.good,
        "columns": list(requested.wanted),
        "imported_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    return {
        "Put": {
            "TableName": settings.imports().import_table,
            "Item": to_item(item),
            # For two requests in the same millisecond the job ids decide, whichever ends first.
            "ConditionExpression": "attribute_not_exists(requested_at) OR requested_at < :at"
            " OR (requested_at = :at AND job_id <= :job)",
            "ExpressionAttributeValues": to_item({":at": job.requested_at, ":job": job.job_id}),
        }
    }


def _rows_of(job_id: str, chunk: int) -> str:
    return f"rows#{job_id}#{chunk:05d}"


def _change(requests: Iterable[Request]) -> None:
    """Put or delete many items, a few batches at a time."""
    aws.client("dynamodb")  # created before the threads: they may share a client, but creating one is not thread-safe
    waiting = iter(requests)
    with ThreadPoolExecutor(_WRITERS) as pool:
        while batches := [batch for _ in range(_WRITERS) if (batch := list(islice(waiting, _TOGETHER)))]:
            list(pool.map(_send, batches))


def _send(batch: Sequence[Request]) -> None:
    table = settings.imports().import_table
    waiting = {table: list(batch)}
    for attempt in range(_ATTEMPTS):
        waiting = aws.client("dynamodb").batch_write_item(RequestItems=waiting).get("UnprocessedItems") or {}
        if not waiting:
            return
        # Unprocessed items are not an error, so the client does not retry them.
        time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - jitter keeps no secret
    raise ThrottledError(f"{len(waiting[table])} rows were not written")
