"""The chunks of a job, each counted once in the job's record.

    pk            sk           attributes
    job#nightly   chunk#00017  good, rejected

Marker and count are written in one transaction: a chunk done twice, by a retry or by two at once, is counted once.
"""

from collections.abc import Iterator

import msgspec

import jobs
from fanout import aws
from fanout.effects import ConditionFailedError, to_item, transact
from problems import JobOverError


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the input that one invocation takes: whole rows, from byte `start` up to byte `end`."""

    number: int
    start: int
    end: int
    first_row: int
    """The number of its first row, as a spreadsheet counts them: the names of the columns are row 1."""


def count(job_id: str, chunk: Chunk, *, good: int, rejected: int) -> bool:
    """Count a chunk, once. False if it was counted before. Raises JobOverError if the job has ended meanwhile."""
    marker = {**_key(job_id, chunk.number), "good": good, "rejected": rejected}
    count = {
        "TableName": jobs.table(),
        "Key": to_item(jobs.key(job_id)),
        "UpdateExpression": "ADD chunks_done :one, good :good, rejected :rejected",
        "ConditionExpression": "#state = :running",
        "ExpressionAttributeNames": {"#state": "state"},
        "ExpressionAttributeValues": to_item({":one": 1, ":good": good, ":rejected": rejected, ":running": "RUNNING"}),
    }
    put = {"TableName": jobs.table(), "Item": to_item(marker), "ConditionExpression": "attribute_not_exists(pk)"}
    try:
        transact([{"Put": put}, {"Update": count}])
    except ConditionFailedError as error:
        if 0 in error.failed:
            return False
        raise JobOverError(job_id) from None
    return True


def is_done(job_id: str, chunk: Chunk) -> bool:
    """Tell whether a chunk was counted."""
    key = to_item(_key(job_id, chunk.number))
    return "Item" in aws.client("dynamodb").get_item(TableName=jobs.table(), Key=key, ConsistentRead=True)


def with_rejects(job_id: str) -> Iterator[int]:
    """Yield the numbers of the chunks that hold rejected rows, in order."""
    pages = aws.client("dynamodb").get_paginator("query")
    for page in pages.paginate(
        TableName=jobs.table(),
        KeyConditionExpression="pk = :job AND begins_with(sk, :chunk)",
        FilterExpression="rejected > :none",
        ExpressionAttributeValues=to_item({":job": f"job#{job_id}", ":chunk": "chunk#", ":none": 0}),
        ConsistentRead=True,
    ):
        yield from (int(item["sk"]["S"].removeprefix("chunk#")) for item in page["Items"])


def _key(job_id: str, number: int) -> dict[str, str]:
    return {"pk": f"job#{job_id}", "sk": f"chunk#{number:05d}"}
