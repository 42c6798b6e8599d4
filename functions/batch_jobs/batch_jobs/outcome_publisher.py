"""Publishes the outcome of a job."""

from datetime import datetime
from typing import Any

import msgspec

from batch_jobs import files, jobs, settings
from batch_jobs.domain.job import Job
from fanout import Event, publish
from fanout.contracts.batch_jobs import FailureReason, JobCompleted, JobFailed

FINISHER = "batch_jobs/finish_job"
"""The publishing subscriber, whichever function runs: the event's source and id follow from it."""


def outcome(job: Job) -> Event[JobCompleted | JobFailed]:
    """Return the event with a job's outcome, always the same document."""
    requested = job.requested
    shared: dict[str, Any] = {
        "job_id": job.job_id,
        "kind": requested.kind,
        "input": requested.input,
        "good": job.good,
        "rejected": job.rejected,
        "rejects": files.uri(job.rejects) if job.rejects else None,
    }
    data: JobCompleted | JobFailed
    if job.state == "COMPLETED":
        result = files.uri(job.result) if job.result else None
        data = JobCompleted(**shared, dataset=requested.parameters.dataset, result=result)
    else:
        data = JobFailed(**shared, reason=msgspec.convert(job.reason, FailureReason), detail=job.detail)
    cause = msgspec.json.decode(job.cause, type=Event[dict[str, str]])
    return cause.caused(data, by=FINISHER, time=msgspec.convert(job.finished_at, datetime))


def publish_outcome(job: Job) -> None:
    """Publish the job's outcome unless it is marked as published. Raises Retry if SNS does not accept it."""
    if not job.announced:
        publish(settings.outcomes().job_outcomes_topic_arn, [outcome(job)])
        jobs.mark_announced(job.job_id)
