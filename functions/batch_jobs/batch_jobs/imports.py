"""Imported rows in their table. An import's rows are written beside those of the one before, and shown all at once:

    pk                   sk                attributes
    rows#nightly#00017   row#000000085002  row
    dataset#customers    current           job_id, requested_at, chunks, rows, columns, imported_at

Rows count for nothing until their dataset points to their job, which happens in the very transaction that completes
the job. So an import that fails half-way, or is killed, was never there; and whoever reads a dataset while the next one
is coming in reads the last one, whole. A dataset never goes back: what was requested later stays, also if an import
that was requested before ends after it. Rows of an import that has failed are deleted afterwards, which nobody sees.
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

# The most that BatchWriteItem takes.
_TOGETHER = 25
_WRITERS = 4
_ATTEMPTS = 8

Request = dict[str, dict[str, dict[str, AttributeValue]]]
"""One entry of BatchWriteItem."""


class ThrottledError(Exception):
    """The table takes no more for now. The state machine tries the chunk again."""


def write(job_id: str, chunk: int, rows: Iterable[tuple[int, Mapping[str, AttributeValue]]]) -> None:
    """Write the rows (number, values) of a chunk. Writing them again changes nothing."""
    pk = {"S": _rows_of(job_id, chunk)}

    def item(number: int, values: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
        return {"pk": pk, "sk": {"S": f"row#{number:012d}"}, "row": {"M": dict(values)}}

    _change({"PutRequest": {"Item": item(number, values)}} for number, values in rows)


def discard(job_id: str, chunk: int) -> None:
    """Delete the rows of a chunk, as many as there are."""
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
    """Return the transaction's entry that makes a dataset what the job has imported.

    Its condition does not hold if the dataset shows what was requested later.
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
            # Of two in the same millisecond one has to be the later: the same one, whichever ends first.
            "ConditionExpression": "attribute_not_exists(requested_at) OR requested_at < :at"
            " OR (requested_at = :at AND job_id <= :job)",
            "ExpressionAttributeValues": to_item({":at": job.requested_at, ":job": job.job_id}),
        }
    }


def _rows_of(job_id: str, chunk: int) -> str:
    return f"rows#{job_id}#{chunk:05d}"


def _change(requests: Iterable[Request]) -> None:
    """Put or delete many items, a few batches at a time."""
    aws.client("dynamodb")  # made before the threads: clients may be shared by them, and must not be made by them
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
        # Not an error to DynamoDB, so not retried by its client: it has taken what it could.
        time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - jitter keeps no secret
    raise ThrottledError(f"{len(waiting[table])} rows were not taken")
