"""The chunks of a job. Each that is done leaves a marker, and the markers are what a job is added up from at its end:

    pk            sk           attributes
    job#nightly   chunk#00017  good, rejected

A chunk done twice, by a retry or by two at once, has one marker. The counts in the job's record move while it runs, so
that people see how far it is. They are no part of the marker's write: a thousand chunks at a time may write markers of
their own, and would stand in each other's way in transactions about one record.
"""

from typing import NamedTuple

import msgspec

from batch_jobs import jobs
from fanout import Outcome, aws, put_once
from fanout.dynamodb import to_item


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the input that one invocation takes: whole rows, from byte `start` up to byte `end`."""

    number: int
    start: int
    end: int
    first_row: int
    """The number of its first row, as a spreadsheet counts them: the names of the columns are row 1."""


class Tally(NamedTuple):
    """What the markers of a job add up to."""

    done: int
    good: int
    rejected: int
    with_rejects: list[int]
    """The numbers of the chunks that hold rejected rows, in order."""


def count(job_id: str, chunk: Chunk, *, good: int, rejected: int) -> bool:
    """Count a chunk, once. False if it was counted before. Raises JobOverError if the job has ended meanwhile.

    A crash between marker and record leaves the record one chunk short until the job's end corrects it.
    """
    marker = {**_key(job_id, chunk.number), "good": good, "rejected": rejected}
    if put_once(jobs.table(), marker) is Outcome.DUPLICATE:
        return False
    jobs.progressed(job_id, chunks_done=1, good=good, rejected=rejected)
    return True


def is_done(job_id: str, chunk: Chunk) -> bool:
    """Tell whether a chunk was counted."""
    key = to_item(_key(job_id, chunk.number))
    return "Item" in aws.client("dynamodb").get_item(TableName=jobs.table(), Key=key, ConsistentRead=True)


def tally(job_id: str) -> Tally:
    """Add up the chunks that are done."""
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
