"""Error handling that all steps of a job's execution share."""

from collections.abc import Iterator
from contextlib import contextmanager

from batch_jobs import jobs
from batch_jobs.domain.errors import JobOverError, JobProblemError
from fanout.observability import logger


@contextmanager
def step(job_id: str) -> Iterator[None]:
    """Run a step, and record a problem of the job for the function that ends it.

    A Distributed Map reports only that a chunk has failed, not why.
    """
    try:
        yield
    except JobProblemError as problem:
        logger.warning("the job cannot succeed", job_id=job_id, reason=problem.reason)
        jobs.record_problem(job_id, problem)
        raise
    except JobOverError:
        logger.info("the job has ended in the meantime", job_id=job_id)
        raise
