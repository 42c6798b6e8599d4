"""What every step of a job's execution has in common."""

from collections.abc import Iterator
from contextlib import contextmanager

from batch_jobs import jobs
from batch_jobs.problems import JobOverError, JobProblemError
from fanout.observability import logger


@contextmanager
def step(job_id: str) -> Iterator[None]:
    """Run a step. What makes the job impossible is noted in its record, where whoever ends the job finds it.

    What a Distributed Map says of a chunk that failed is only that one has.
    """
    try:
        yield
    except JobProblemError as problem:
        logger.warning("the job cannot be done", job_id=job_id, reason=problem.reason)
        jobs.note_problem(job_id, problem)
        raise
    except JobOverError:
        logger.info("the job has ended meanwhile", job_id=job_id)
        raise
