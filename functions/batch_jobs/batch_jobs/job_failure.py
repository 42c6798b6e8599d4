"""Fails a job whose execution or one of whose steps has failed."""

import msgspec

from batch_jobs import jobs
from batch_jobs.domain.job import Job
from fanout.contracts.batch_jobs import FailureReason

_BY_STATUS: dict[str, tuple[FailureReason, str]] = {
    "ABORTED": ("aborted", "the job's execution was stopped"),
    "TIMED_OUT": ("timed_out", "the job exceeded its time limit"),
    "FAILED": ("internal_error", "the job's execution failed"),
}


def fail_by_status(job: Job, status: str) -> Job:
    """Return the job, failed if its execution has ended with a status other than success."""
    if job.is_over or status not in _BY_STATUS:
        return job
    return fail(job, *_BY_STATUS[status])


def fail(job: Job, reason: FailureReason, detail: str) -> Job:
    """Fail the job for the problem that its steps recorded, else for this reason; return the current job."""
    if job.problem:
        recorded, _, detail = job.problem.partition(": ")
        reason = msgspec.convert(recorded, FailureReason)
    return jobs.failed(job, reason, detail)
