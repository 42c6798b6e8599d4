"""Records each requested job and starts its execution, once however often the job is requested."""

import msgspec

from batch_jobs import job_failure, jobs, outcome_publisher, settings
from batch_jobs.domain.job import Job
from fanout import Event, Outcome, aws, subscriber
from fanout.contracts.batch_jobs import JobRequested

aws.prepare("stepfunctions")


@subscriber(JobRequested)
def handler(event: Event[JobRequested]) -> Outcome:
    """Record the job, then start it. A job that may not have started is started again, under the same name."""
    job, is_new = jobs.record(event)
    if job.state == "REQUESTED":
        _start(job.job_id)
    if not is_new:
        job = _current_job(job)
    if job.is_over:
        outcome_publisher.publish_outcome(job)
    return Outcome.PROCESSED if is_new else Outcome.DUPLICATE


def _start(job_id: str) -> None:
    try:
        aws.client("stepfunctions").start_execution(
            stateMachineArn=settings.start().state_machine_arn,
            name=jobs.execution_name(job_id),
            input=msgspec.json.encode({"job_id": job_id}).decode(),
        )
    except Exception as error:
        # An earlier delivery started it and it is over. While it runs, AWS responds as if it had just been started.
        if aws.error_code(error) != "ExecutionAlreadyExists":
            raise


def _current_job(job: Job) -> Job:
    """Return the job, failed if its execution has ended without an event.

    EventBridge delivers at best effort. A repeated request therefore checks the execution.
    """
    if job.is_over:
        return job
    machine = settings.start().state_machine_arn
    execution = f"{machine.replace(':stateMachine:', ':execution:')}:{jobs.execution_name(job.job_id)}"
    status = aws.client("stepfunctions").describe_execution(executionArn=execution)["status"]
    return job_failure.fail_by_status(job, status)
