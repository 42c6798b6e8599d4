"""Second step of a job, once for each chunk: processes its rows, and separates the good ones from the rejected ones.

The names and contents of everything it writes follow from job and chunk, and the chunk is counted last, once. So an
interrupted chunk is processed again from the start.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec

from batch_jobs import chunks, files, imports, inputs, jobs
from batch_jobs.chunks import Chunk
from batch_jobs.domain import csv_rows
from batch_jobs.domain.columns import Columns
from batch_jobs.domain.csv_rows import Row
from batch_jobs.domain.errors import JobOverError
from batch_jobs.domain.job import Job
from batch_jobs.domain.rejects import Reject, RejectedRowError, as_csv
from batch_jobs.domain.totals import Summed, Totals
from batch_jobs.steps import step

T = TypeVar("T")
Check = Callable[[list[str]], T]
"""Returns the values of a valid row, raises RejectedRowError for any other."""


def handler(payload: dict[str, Any], _context: Any) -> dict[str, int]:
    """Process a chunk ({"job_id", "chunk"}); return how many rows were good and rejected.

    With "discard", after the failure of the job: delete the imported rows of the chunk.
    """
    chunk = msgspec.convert(payload["chunk"], Chunk)
    job_id = payload["job_id"]
    if payload.get("discard"):
        _Work(jobs.read(job_id), chunk).undo()
        return {}
    with step(job_id):
        job = jobs.running(job_id)
        if chunks.is_done(job_id, chunk):
            return {}
        work = _Work(job, chunk)
        work.run()
        try:
            chunks.count(job_id, chunk, good=work.good, rejected=work.rejected)
        except JobOverError:
            work.undo()
            raise
    return {"good": work.good, "rejected": work.rejected}


class _Work:
    """The processing of one chunk."""

    def __init__(self, job: Job, chunk: Chunk) -> None:
        self._job = job
        self._chunk = chunk
        self._requested = job.requested
        # Jobs that were planned before `sep=` lines were supported have no delimiter.
        self._delimiter = job.delimiter or self._requested.parameters.delimiter
        self._width = len(job.header)
        self._rejects: list[Reject] = []
        self.good = 0
        self.rejected = 0

    def run(self) -> None:
        """Write the results of the rows, which readers do not see yet."""
        if self._requested.kind == "csv_import":
            self._load()
        else:
            self._add_up()
        self._write_rejects()

    def undo(self) -> None:
        """Delete the imported rows if the job has failed.

        A chunk that learns only at its end that the job is over may have written after all rows were discarded.
        """
        if self._requested.kind == "csv_import" and jobs.read(self._job.job_id).state == "FAILED":
            imports.discard(self._job.job_id, self._chunk.number)

    def _load(self) -> None:
        """Write the rows into the table."""
        columns = Columns(self._requested.parameters.columns, self._job.header)
        imports.write(self._job.job_id, self._chunk.number, self._passing(columns.imported))

    def _add_up(self) -> None:
        """Write this chunk's part of the report."""
        given = self._requested.parameters
        summed, totals = Summed(given.group_by, given.sum, self._job.header), Totals()
        for _, (group, numbers) in self._passing(summed.of):
            totals.add(group, 1, numbers)
        key = files.totals_of(self._job.job_id, self._chunk.number)
        files.write(key, msgspec.json.encode(list(totals.lines())), files.JSON)

    def _write_rejects(self) -> None:
        """Write this chunk's part of the rejects file."""
        if self._rejects:
            self._rejects.sort()
            key = files.rejects_of(self._job.job_id, self._chunk.number)
            files.write(key, as_csv(self._rejects), files.CSV)

    def _passing(self, check: Check[T]) -> Iterator[tuple[int, T]]:
        """Yield number and values of every good row, and reject the others. Skips blank rows."""
        source = inputs.place(self._requested.input)
        blocks = inputs.blocks(source, self._job.etag, self._chunk.start, self._chunk.end)
        for number, row in enumerate(csv_rows.rows(blocks, self._delimiter), self._chunk.first_row):
            if row.problem or row.lines > 1:
                lost = row.lines if row.problem else self._swallowed(row, check)
                if lost:
                    self._reject_lost(number, row.problem or "malformed: a stray quote", lost)
                    continue
            if not row.fields:
                continue
            try:
                values = check(self._texts(row.fields))
            except RejectedRowError as error:
                self._rejects.append(error.at(number))
                self.rejected += 1
            else:
                self.good += 1
                yield number, values

    def _texts(self, fields: list[str]) -> list[str]:
        """Return the fields as text. Raises RejectedRowError for a wrong number of fields or invalid UTF-8."""
        if len(fields) != self._width:
            raise RejectedRowError("", f"{len(fields)} fields instead of {self._width}")
        try:
            return csv_rows.decoded(fields)
        except UnicodeDecodeError:
            raise RejectedRowError("", "not UTF-8") from None

    def _swallowed(self, row: Row, check: Check[T]) -> int:
        def passes(fields: list[str]) -> bool:
            try:
                check(self._texts(fields))
            except RejectedRowError:
                return False
            return True

        return csv_rows.count_swallowed_rows(row.fields, self._delimiter, passes, width=self._width)

    def _reject_lost(self, number: int, reason: str, rows: int) -> None:
        """Reject a malformed row and the rows lost in it, with one line in the rejects file."""
        self._rejects.append(Reject(number, "", f"{reason}; {rows} rows are lost" if rows > 1 else reason))
        self.rejected += rows
