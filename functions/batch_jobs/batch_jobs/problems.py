"""What makes a job fail whole, in the words of `job.failed.v1`."""

from fanout.contracts.batch_jobs import FailureReason


class JobProblemError(Exception):
    """The job cannot be done, however often it is tried: the state machine does not retry this one, by its name."""

    def __init__(self, reason: FailureReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: FailureReason = reason
        self.detail = detail


class JobOverError(Exception):
    """The job has ended meanwhile, so there is nothing to do for it any more; not retried either."""
