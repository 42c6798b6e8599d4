"""The chunks of a job. Each completed chunk has one record, and the job's totals are the sum of these records:

    pk            sk           attributes
    job#nightly   chunk#00017  good, rejected

A chunk that is processed twice, by a retry or concurrently, has one record. The counts in the job's record show its
progress. They are not written in the same transaction as the chunk's record, because a thousand concurrent chunks would
conflict on the job's record.
"""

from typing import NamedTuple

import msgspec

from batch_jobs import jobs
from fanout import Outcome, aws, put_once
from fanout.dynamodb import to_item


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the input that one invocation processes: whole rows, from byte `start` up to byte `end`."""

    number: int
    start: int
    end: int
    first_row: int
    """The number of its first row, as a spreadsheet counts rows: the column names are row 1."""


class Tally(NamedTuple):
    """The sum of a job's chunk records."""

    done: int
    good: int
    rejected: int
    with_rejects: list[int]
    """The numbers of the chunks with rejected rows, in order."""


def count(job_id: str, chunk: Chunk, *, good: int, rejected: int) -> bool:
    """Count a chunk, once. False if it was counted before. Raises JobOverError if the job has ended meanwhile.

    After a crash between the two writes the job's record lacks one chunk until the end of the job corrects it.
    """
    record = {**_key(job_id, chunk.number), "good": good, "rejected": rejected}
    if put_once(jobs.table(), record) is Outcome.DUPLICATE:
        return False
    jobs.progressed(job_id, chunks_done=1, good=good, rejected=rejected)
    return True


def is_done(job_id: str, chunk: Chunk) -> bool:
    """Return whether a chunk was counted."""
    key = to_item(_key(job_id, chunk.number))
    return "Item" in aws.client("dynamodb").get_item(TableName=jobs.table(), Key=key, ConsistentRead=True)


def tally(job_id: str) -> Tally:
    """Add up the completed chunks."""
    pages = aws.client("dynamodb").get_paginator("query")
    found = [
        (int(item["sk"]["S"].removeprefix("chunk#")), int(item["good"]["N"]), int(item["rejected"]["N"]))
        for page in pages.paginate(
            TableName=jobs.table(),
            KeyConditionExpression="pk = :job AND begins_with(sk, :chunk)",
            ExpressionAttributeValues=to_item({":job": f"job#{job_id}", ":chunk": "chunk#"}),
            ConsistentRead=True,
        )
        for item in page["Items"]
    ]
    return Tally(
        done=len(found),
        good=sum(good for _, good, _ in found),
        rejected=sum(rejected for *_, rejected in found),
        with_rejects=[number for number, _, rejected in found if rejected],
    )


def _key(job_id: str, number: int) -> dict[str, str]:
    return {"pk": f"job#{job_id}", "sk": f"chunk#{number:05d}"}
