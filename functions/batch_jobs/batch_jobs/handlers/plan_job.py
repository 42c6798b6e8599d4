"""First step of a job: checks its input and splits it into chunks of whole rows. docs/decisions says why not AWS does.

Reads the file once, and keeps one mebibyte of it and the list of chunks in memory.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from batch_jobs import files, inputs, jobs, settings
from batch_jobs.chunks import Chunk
from batch_jobs.domain import csv_rows
from batch_jobs.domain.csv_rows import Row
from batch_jobs.domain.errors import JobProblemError
from batch_jobs.domain.job import Job
from batch_jobs.steps import step

MOST_CHUNKS = 50_000
"""Keeps the list of chunks and Step Functions' record of them within their limits."""
_CHUNK_BYTES = 8 << 20
_LONGEST_HEADER = 64 << 10


def handler(payload: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Plan a job ({"job_id", "execution_arn"}); return the number of its chunks and the place of their list
    ({"count", "bucket", "key"}).
    """
    job_id = payload["job_id"]
    with step(job_id):
        job = jobs.running(job_id)
        if job.state == "REQUESTED":  # else chunks of the recorded plan may be counted already
            job = _planned(job, payload["execution_arn"])
    return {"count": job.chunks, "bucket": settings.bucket().job_bucket, "key": job.manifest}


def _planned(job: Job, execution_arn: str) -> Job:
    requested = job.requested
    source = inputs.check(requested.input, settings.plan().locations())
    etag = inputs.version(source)
    start = csv_rows.start(inputs.blocks(source, etag))
    delimiter = start.delimiter or requested.parameters.delimiter
    rows = csv_rows.rows(start.blocks, delimiter)
    first = next(rows, None)
    header = _header(first, requested.wanted, delimiter)
    cut = _Cut(start.skipped)
    chunks = list(cut.chunks(first.end if first else 0, rows))
    content = msgspec.json.encode(chunks)
    manifest = files.manifest(job.job_id, content)
    files.write(manifest, content, files.JSON)
    return jobs.planned(
        job,
        execution_arn=execution_arn,
        etag=etag,
        manifest=manifest,
        delimiter=delimiter,
        header=header,
        chunks=len(chunks),
        rows=cut.rows,
    )


def _header(first: Row | None, wanted: Iterable[str], delimiter: str) -> list[str]:
    """Return the column names. Raises JobProblemError if a requested one is missing or occurs twice."""
    if first is None or not (first.fields or first.problem):
        raise JobProblemError("empty_input", "the input has no first row with column names")
    if first.problem:
        raise JobProblemError("not_csv", f"the first row is {first.problem}")
    if first.end > _LONGEST_HEADER:
        raise JobProblemError("not_csv", f"the first row has more than {_LONGEST_HEADER} bytes")
    try:
        names = [name.strip() for name in csv_rows.decoded(first.fields)]
    except UnicodeDecodeError:
        raise JobProblemError("not_csv", "the first row is not UTF-8") from None
    width = len(names)
    if csv_rows.count_swallowed_rows(first.fields, delimiter, lambda fields: len(fields) == width, width=width):
        raise JobProblemError("not_csv", "a stray quote merges rows into the first row")
    missing = [name for name in wanted if name not in names]
    if missing:
        raise JobProblemError("missing_columns", f"the first row lacks {', '.join(missing)}")
    twice = [name for name in wanted if names.count(name) > 1]
    if twice:
        raise JobProblemError("not_csv", f"the first row has more than one {', '.join(twice)}")
    return names


class _Cut:
    """Groups rows into chunks, and counts the rows."""

    def __init__(self, skipped: int) -> None:
        self._skipped = skipped
        self._most = settings.plan().chunk_rows
        self.rows = 0

    def chunks(self, start: int, rows: Iterable[Row]) -> Iterator[Chunk]:
        """Yield the chunks of the rows after the first one, which ended at `start`."""
        number, first_row, inside, end = 0, 2, 0, start
        for row in rows:
            inside += 1
            end = row.end
            self.rows += row.lines if row.problem else bool(row.fields)
            if inside == self._most or end - start >= _CHUNK_BYTES:
                yield self._chunk(number, start, end, first_row)
                number, first_row, inside, start = number + 1, first_row + inside, 0, end
        if inside:
            yield self._chunk(number, start, end, first_row)

    def _chunk(self, number: int, start: int, end: int, first_row: int) -> Chunk:
        if number >= MOST_CHUNKS:
            raise JobProblemError("input_too_large", f"the input has more than {MOST_CHUNKS * self._most} rows")
        return Chunk(number=number, start=self._skipped + start, end=self._skipped + end, first_row=first_row)
