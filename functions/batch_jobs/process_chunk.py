"""Second step of a job, once for each chunk: takes its rows one by one, and keeps the good ones apart from the bad.

Everything it writes has a name made from job and chunk and is the same whenever it is made again; the chunk is counted
last, and once. So a chunk that was interrupted anywhere is simply done again.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

import chunks
import csv_rows
import files
import imports
import inputs
import jobs
from chunks import Chunk
from columns import AttributeValue, Columns
from job import Job
from problems import JobOverError
from rejects import Reject, RejectedRowError, as_csv
from steps import step
from totals import Summed, Totals


def handler(payload: dict[str, Any], _context: Any) -> dict[str, int]:
    """Process a chunk ({"job_id", "chunk"}); return how many rows were good and rejected.

    With "discard", which follows the failure of the job: delete what an import has written of the chunk.
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
        work.do()
        try:
            chunks.count(job_id, chunk, good=work.good, rejected=len(work.rejects))
        except JobOverError:
            work.undo()
            raise
    return {"good": work.good, "rejected": len(work.rejects)}


class _Work:
    """One chunk of one job at work."""

    def __init__(self, job: Job, chunk: Chunk) -> None:
        self._job = job
        self._chunk = chunk
        self._requested = job.requested
        self.good = 0
        self.rejects: list[Reject] = []

    def do(self) -> None:
        """Write what the rows make, where nothing shows it yet."""
        if self._requested.kind == "csv_import":
            self._load()
        else:
            self._add_up()
        self._tell_rejects()

    def undo(self) -> None:
        """Delete imported rows of a job that has failed.

        Who finds only at the end that the job is over may have written after everybody else's rows were discarded.
        """
        if self._requested.kind == "csv_import" and jobs.read(self._job.job_id).state == "FAILED":
            imports.discard(self._job.job_id, self._chunk.number)

    def _load(self) -> None:
        """Write the rows into the table."""
        columns = Columns(self._requested.parameters.columns, self._job.header)

        def imported() -> Iterator[tuple[int, dict[str, AttributeValue]]]:
            for number, fields in self._rows():
                try:
                    values = columns.imported(fields)
                except RejectedRowError as error:
                    self.rejects.append(error.at(number))
                else:
                    self.good += 1
                    yield number, values

        imports.write(self._job.job_id, self._chunk.number, imported())

    def _add_up(self) -> None:
        """Write this chunk's part of the report."""
        given = self._requested.parameters
        summed, totals = Summed(given.group_by, given.sum, self._job.header), Totals()
        for number, fields in self._rows():
            try:
                group, numbers = summed.of(fields)
            except RejectedRowError as error:
                self.rejects.append(error.at(number))
            else:
                self.good += 1
                totals.add(group, 1, numbers)
        key = files.totals_of(self._job.job_id, self._chunk.number)
        files.write(key, msgspec.json.encode(list(totals.lines())), files.JSON)

    def _tell_rejects(self) -> None:
        """Write this chunk's part of the rejects file."""
        if self.rejects:
            self.rejects.sort()
            key = files.rejects_of(self._job.job_id, self._chunk.number)
            files.write(key, as_csv(self.rejects), files.CSV)

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Number and fields of every row that is as wide as the first one; others are rejected, blank ones nothing."""
        source = inputs.place(self._requested.input)
        blocks = inputs.blocks(source, self._job.etag, self._chunk.start, self._chunk.end)
        width = len(self._job.header)
        delimiter = self._requested.parameters.delimiter
        for number, row in enumerate(csv_rows.rows(blocks, delimiter), self._chunk.first_row):
            if row.problem:
                self.rejects.append(Reject(number, "", row.problem))
            elif row.fields and len(row.fields) != width:
                self.rejects.append(Reject(number, "", f"{len(row.fields)} fields instead of {width}"))
            elif row.fields:
                try:
                    yield number, csv_rows.decoded(row.fields)
                except UnicodeDecodeError:
                    self.rejects.append(Reject(number, "", "not UTF-8"))
