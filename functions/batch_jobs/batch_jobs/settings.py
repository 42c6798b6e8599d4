"""The environment variables of the functions of batch_jobs."""

from typing import Annotated

import msgspec

from fanout import settings


class JobSettings(msgspec.Struct, frozen=True):
    """Environment variables of every function."""

    job_table: str


class StartSettings(msgspec.Struct, frozen=True):
    """Environment variables of start_job."""

    state_machine_arn: str


class PlanSettings(msgspec.Struct, frozen=True):
    """Environment variables of plan_job."""

    job_bucket: str
    input_locations: str = ""
    """Further locations of inputs, as `bucket/prefix`, separated by commas."""
    chunk_rows: Annotated[int, msgspec.Meta(ge=1)] = 5000

    def locations(self) -> list[str]:
        """Return the locations that inputs may be in, as prefixes of `bucket/key`."""
        others = [each.strip() for each in self.input_locations.split(",")]
        return [f"{self.job_bucket}/inputs/", *filter(None, others)]


class BucketSettings(msgspec.Struct, frozen=True):
    """Environment variables of the functions that read or write the stack's bucket."""

    job_bucket: str


class ImportSettings(msgspec.Struct, frozen=True):
    """Environment variables of the functions that write imported rows."""

    import_table: str


class OutcomeSettings(msgspec.Struct, frozen=True):
    """Environment variables of the functions that publish outcomes."""

    job_outcomes_topic_arn: str


job = settings.cached(JobSettings)
start = settings.cached(StartSettings)
plan = settings.cached(PlanSettings)
bucket = settings.cached(BucketSettings)
imports = settings.cached(ImportSettings)
outcomes = settings.cached(OutcomeSettings)
