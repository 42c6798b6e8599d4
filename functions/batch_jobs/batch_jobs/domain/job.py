"""The record of a job; `jobs` reads and changes it."""

from typing import Literal

import msgspec

from fanout.contracts.batch_jobs import JobRequested

State = Literal["REQUESTED", "RUNNING", "COMPLETED", "FAILED"]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """The record; field names are attribute names."""

    job_id: str
    state: State
    request: str
    """The request's data as JSON."""
    cause: str
    """The event that requested it, without its data: the cause of the outcome's event."""
    requested_at: str
    execution_arn: str = ""
    etag: str = ""
    """The version of the input that is read."""
    manifest: str = ""
    """The key of the list of its chunks."""
    delimiter: str = ""
    """The input's delimiter: the request's, unless the first line of the file names another (`sep=;`)."""
    header: tuple[str, ...] = ()
    chunks: int = 0
    rows: int = 0
    """Rows found by planning, without the first and blank ones; a malformed row counts as its lines."""
    chunks_done: int = 0
    good: int = 0
    rejected: int = 0
    """Like the two fields before: the progress while the job runs, exact once it has ended. Includes rows that a stray
    quote has merged into another row."""
    problem: str = ""
    """The first problem that makes success impossible: `reason: detail`."""
    finished_at: str = ""
    reason: str = ""
    detail: str = ""
    result: str = ""
    rejects: str = ""
    announced: bool = False
    """The outcome is known to be published."""

    @property
    def requested(self) -> JobRequested:
        """The request."""
        return msgspec.json.decode(self.request, type=JobRequested)

    @property
    def is_over(self) -> bool:
        """Return whether the job has ended."""
        return self.state in ("COMPLETED", "FAILED")
