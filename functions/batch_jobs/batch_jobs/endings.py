"""Failing a job whose execution, or one of its steps, has come to nothing."""

import msgspec

from batch_jobs import jobs
from batch_jobs.job import Job
from fanout.contracts.batch_jobs import FailureReason

_BY_STATUS: dict[str, tuple[FailureReason, str]] = {
    "ABORTED": ("aborted", "the job's execution was stopped from outside"),
    "TIMED_OUT": ("timed_out", "the job took longer than it may"),
    "FAILED": ("internal_error", "the job's execution failed"),
}


def by_status(job: Job, status: str) -> Job:
    """Return the job, failed if its execution has ended with this status otherwise than by completing it."""
    if job.is_over or status not in _BY_STATUS:
        return job
    return by_problem(job, *_BY_STATUS[status])


def by_problem(job: Job, reason: FailureReason, detail: str) -> Job:
    """Fail the job for what its steps have noted, else for this reason; return it as it is then."""
    if job.problem:
        noted, _, detail = job.problem.partition(": ")
        reason = msgspec.convert(noted, FailureReason)
    return jobs.failed(job, reason, detail)
