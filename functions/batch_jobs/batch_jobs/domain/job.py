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
    """The event that asked for it, without its data: what the outcome follows from."""
    requested_at: str
    execution_arn: str = ""
    etag: str = ""
    """Which version of the input is read."""
    manifest: str = ""
    """The key of the list of its chunks."""
    delimiter: str = ""
    """What separates its fields: the request's delimiter, unless its first line names another (`sep=;`)."""
    header: tuple[str, ...] = ()
    chunks: int = 0
    rows: int = 0
    """Rows found when it was planned, the first one and blank ones left out; of a malformed row, its lines."""
    chunks_done: int = 0
    good: int = 0
    rejected: int = 0
    """Like the two before: how far it is while it runs, and exactly what its chunks have found at its end. Rows that
    a stray quote has made part of another one count, too."""
    problem: str = ""
    """The first thing that makes it impossible: `reason: detail`."""
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
        """Whether it has ended."""
        return self.state in ("COMPLETED", "FAILED")
