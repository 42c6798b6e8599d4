"""The record of a job: its request, its progress, its outcome. Never deleted: Step Functions remembers an execution's
name for 90 days, and a job that is requested again after a year must not run again.

    pk            sk    attributes
    job#nightly   job   state, request, cause, chunks, chunks_done, good, rejected, ...

    REQUESTED ── planned ──▶ RUNNING ── every chunk done ──▶ COMPLETED
        └────────────────────────┴───────────────────────▶ FAILED

Every change is one conditional write, so concurrent attempts see each other's result. Each completed chunk has a record
of its own, see `chunks`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from batch_jobs import settings
from batch_jobs.domain.errors import JobOverError, JobProblemError
from batch_jobs.domain.job import Job
from fanout import Event, Reject, aws
from fanout.contracts.batch_jobs import FailureReason, JobRequested
from fanout.dynamodb import ConditionFailedError, condition_failed, from_item, to_item, transact

_encode = msgspec.json.Encoder(order="deterministic").encode


def execution_name(job_id: str) -> str:
    """Return the name of a job's execution: the same for the same job, readable, and within the limits for names.

    At most 80 characters; only letters, digits, - and _ are safe everywhere.
    https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
    """
    readable = "".join(each if each.isalnum() or each in "-_" else "-" for each in job_id)[:40]
    return f"{readable}-{hashlib.sha256(job_id.encode()).hexdigest()[:32]}"


def record(event: Event[JobRequested]) -> tuple[Job, bool]:
    """Record a request; return its job, and whether it is new. Raises Reject if another request has its id."""
    job = Job(
        job_id=event.data.job_id,
        state="REQUESTED",
        request=_encode(event.data).decode(),
        cause=msgspec.json.encode(event.with_data({})).decode(),
        requested_at=_now(),
    )
    item = {**key(job.job_id), **msgspec.to_builtins(job), "month": job.requested_at[:7]}
    try:
        aws.client("dynamodb").put_item(
            TableName=table(), Item=to_item(item), ConditionExpression="attribute_not_exists(pk)"
        )
    except Exception as error:
        if not condition_failed(error):
            raise
    else:
        return job, True
    known = read(job.job_id)
    if known.request != job.request:
        raise Reject("conflict", "another request has the same job_id")
    return known, False


def read(job_id: str) -> Job:
    """Return the current state of a job. Raises KeyError if it does not exist."""
    answer = aws.client("dynamodb").get_item(TableName=table(), Key=to_item(key(job_id)), ConsistentRead=True)
    item = from_item(answer["Item"])
    return msgspec.convert({name: int(each) if isinstance(each, Decimal) else each for name, each in item.items()}, Job)


def running(job_id: str) -> Job:
    """Return a job that has not ended. Raises JobOverError if it has."""
    job = read(job_id)
    if job.is_over:
        raise JobOverError(job_id)
    return job


def planned(
    job: Job,
    *,
    execution_arn: str,
    etag: str,
    manifest: str,
    delimiter: str,
    header: Sequence[str],
    chunks: int,
    rows: int,
) -> Job:
    """Record the plan and set the job to RUNNING; return the job with the plan that counts.

    Exactly one plan counts, possibly that of an earlier attempt, which may still be running and may have read a file
    that was replaced since. Raises JobOverError if the job has ended meanwhile.
    """
    changes = {
        "state": "RUNNING",
        "execution_arn": execution_arn,
        "etag": etag,
        "manifest": manifest,
        "delimiter": delimiter,
        "header": list(header),
        "chunks": chunks,
        "rows": rows,
    }
    with suppress(JobOverError):  # or another attempt has planned it
        _update(job.job_id, changes, condition="#state = :requested", values={":requested": "REQUESTED"})
    return running(job.job_id)


def progressed(job_id: str, **counts: int) -> None:
    """Add to the counts that show a job's progress. Raises JobOverError if it has ended."""
    _write(
        {
            "TableName": table(),
            "Key": to_item(key(job_id)),
            "UpdateExpression": "ADD " + ", ".join(f"{name} :{name}" for name in counts),
            "ConditionExpression": "#state = :running",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": to_item(
                {":running": "RUNNING", **{f":{name}": each for name, each in counts.items()}}
            ),
        }
    )


def record_problem(job_id: str, problem: JobProblemError) -> None:
    """Record the job's problem for the function that ends it. Only the first problem is kept."""
    changes = {"problem": str(problem)}
    with suppress(JobOverError):  # or there is a problem already
        _update(job_id, changes, unless_over=True, condition="problem = :nothing", values={":nothing": ""})


def completed(job: Job, *, result: str = "", rejects: str = "", also: Sequence[Mapping[str, Any]] = ()) -> Job:
    """Complete the job and apply `also` (TransactWriteItems entries) in one transaction; return the current job.

    Raises ConditionFailedError, without completing the job, if a condition of `also` does not hold.
    """
    changes = {"state": "COMPLETED", "result": result, "rejects": rejects}
    return _ended(job, changes, also)


def failed(job: Job, reason: FailureReason, detail: str, *, rejects: str = "") -> Job:
    """Fail the job; return the current job, which another attempt may have ended differently."""
    return _ended(job, {"state": "FAILED", "reason": reason, "detail": detail[:500], "rejects": rejects})


def mark_announced(job_id: str) -> None:
    """Mark the job's outcome as published."""
    _update(job_id, {"announced": True})


def _ended(job: Job, changes: Mapping[str, Any], also: Sequence[Mapping[str, Any]] = ()) -> Job:
    counts = {"chunks_done": job.chunks_done, "good": job.good, "rejected": job.rejected}
    ended = {**changes, **counts, "finished_at": _now()}
    try:
        transact([{"Update": _change(job.job_id, ended, unless_over=True)}, *also])
    except ConditionFailedError as error:
        if 0 not in error.failed:
            raise
    return read(job.job_id)


def _update(job_id: str, changes: Mapping[str, Any], **conditions: Any) -> None:
    _write(_change(job_id, changes, **conditions))


def _write(change: Mapping[str, Any]) -> None:
    try:
        aws.client("dynamodb").update_item(**change)
    except Exception as error:
        if condition_failed(error):
            raise JobOverError(change["Key"]["pk"]["S"]) from None
        raise


def _change(
    job_id: str,
    changes: Mapping[str, Any],
    *,
    unless_over: bool = False,
    condition: str = "attribute_exists(pk)",
    values: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the parameters of an update of a job's record."""
    given = {**{f":{name}": value for name, value in changes.items()}, **(values or {})}
    if unless_over:
        condition = f"{condition} AND #state IN (:requested, :running)"
        given |= {":requested": "REQUESTED", ":running": "RUNNING"}
    names = {f"#{name}": name for name in changes} | ({"#state": "state"} if unless_over else {})
    return {
        "TableName": table(),
        "Key": to_item(key(job_id)),
        "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in changes),
        "ConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": to_item(given),
    }


def table() -> str:
    """Return the name of the table of jobs."""
    return settings.job().job_table


def key(job_id: str) -> dict[str, str]:
    """Return the key of a job's record."""
    return {"pk": f"job#{job_id}", "sk": "job"}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
