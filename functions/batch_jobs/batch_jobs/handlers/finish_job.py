"""Last step of a job: completes or fails it, once, and publishes the outcome.

It is invoked by the execution when every chunk is done, by the execution when a step has finally failed (`error`), and
by EventBridge when the execution itself was stopped, timed out, or failed without reaching this step.
"""

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any

import msgspec

from batch_jobs import chunks, files, imports, job_failure, jobs, outcome_publisher
from batch_jobs.domain.errors import JobProblemError
from batch_jobs.domain.job import Job
from batch_jobs.domain.rejects import HEADER, as_csv
from batch_jobs.domain.totals import Line, Totals
from fanout.dynamodb import ConditionFailedError
from fanout.observability import logger


def handler(payload: dict[str, Any], _context: Any) -> dict[str, str]:
    """Finish a job ({"job_id"}, {"job_id", "error"}, or EventBridge's event); return its state and kind."""
    if "detail" in payload:
        return _finish_by_execution_status(payload["detail"])
    job = jobs.read(payload["job_id"])
    if not job.is_over:
        job = _failed(job, payload["error"]) if "error" in payload else _finished(job)
    outcome_publisher.publish_outcome(job)
    return {"state": job.state, "kind": job.requested.kind}


def _finish_by_execution_status(detail: dict[str, Any]) -> dict[str, str]:
    job_id = json.loads(detail.get("input") or "{}").get("job_id", "")
    if detail["name"] != jobs.execution_name(job_id):
        logger.warning("an execution ended that no request started", execution=detail["executionArn"])
        return {}
    job = job_failure.fail_by_status(jobs.read(job_id), detail["status"])
    outcome_publisher.publish_outcome(job)
    return {"state": job.state, "kind": job.requested.kind}


def _failed(job: Job, error: dict[str, Any]) -> Job:
    """Fail the job for the problem its steps recorded, else for the error of Step Functions."""
    detail = f"a step finally failed: {error.get('Error', 'unknown')}"
    return job_failure.fail(job, "internal_error", detail)


def _finished(job: Job) -> Job:
    """Complete the job, or fail it if too many rows were rejected."""
    tally = chunks.tally(job.job_id)
    if tally.done != job.chunks:
        raise RuntimeError(f"{tally.done} of {job.chunks} chunks of {job.job_id} are done")
    job = msgspec.structs.replace(job, chunks_done=tally.done, good=tally.good, rejected=tally.rejected)
    rejects = _write_rejects(job, tally.with_rejects) if job.rejected else ""
    tolerated = job.requested.parameters.tolerated_percent
    # Exact arithmetic: a share equal to the limit is tolerated.
    if job.rejected * 100 > Decimal(str(tolerated)) * (job.good + job.rejected):
        detail = f"{job.rejected} of {job.good + job.rejected} rows are bad; {tolerated:g} % are tolerated"
        return jobs.failed(job, "too_many_rejected", detail, rejects=rejects)
    if job.requested.kind == "csv_import":
        return _complete_import(job, rejects)
    try:
        result = _write_report(job)
    except JobProblemError as problem:
        return jobs.failed(job, problem.reason, problem.detail, rejects=rejects)
    return jobs.completed(job, result=result, rejects=rejects)


def _complete_import(job: Job, rejects: str) -> Job:
    """Complete an import and make its rows visible, unless the dataset shows a later request."""
    try:
        return jobs.completed(job, rejects=rejects, also=[imports.show(job)])
    except ConditionFailedError:
        detail = f"{job.requested.parameters.dataset} shows an import that was requested later"
        return jobs.failed(job, "superseded", detail, rejects=rejects)


def _write_rejects(job: Job, numbers: Sequence[int]) -> str:
    """Concatenate the chunks' rejected rows, in the order of the input; return the file's key."""

    def pieces() -> Iterator[bytes]:
        yield as_csv([HEADER])
        yield from files.read_all(files.rejects_of(job.job_id, each) for each in numbers)

    key = files.result(job.job_id, "rejects.csv")
    files.write_long(key, pieces(), files.CSV)
    return key


def _write_report(job: Job) -> str:
    given, totals = job.requested.parameters, Totals()
    for part in files.read_all(files.totals_of(job.job_id, number) for number in range(job.chunks)):
        for line in msgspec.json.decode(part, type=list[Line]):
            totals.add(line.group, line.rows, line.sums)
    header = (*given.group_by, "rows", *(f"total {name}" for name in given.sum))
    key = files.result(job.job_id, "report.csv")
    lines = ((*line.group, line.rows, *(f"{each:f}" for each in line.sums)) for line in totals.lines())
    files.write_long(key, (as_csv([line]) for line in chain([header], lines)), files.CSV)
    return key
