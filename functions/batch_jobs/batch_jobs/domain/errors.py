"""Errors that fail a whole job; the reasons are those of `job.failed.v1`."""

from fanout.contracts.batch_jobs import FailureReason


class JobProblemError(Exception):
    """The job can never succeed. The state machine recognises this error by its name and does not retry it."""

    def __init__(self, reason: FailureReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: FailureReason = reason
        self.detail = detail


class JobOverError(Exception):
    """The job has ended meanwhile. Not retried."""
