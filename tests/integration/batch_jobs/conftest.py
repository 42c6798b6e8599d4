"""A client of batch_jobs: it requests jobs and receives their outcomes."""

import csv
import io
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from fanout.contracts.batch_jobs import JobRequested, Kind, Parameters
from fanout.dynamodb import from_item, to_item
from fanout.event import Event
from tests.integration.application import Application, Listener
from tests.waiting import until


class Office:
    """The deployed use case as its users see it. `run` is in the ids of all jobs of one test."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.run = uuid.uuid4().hex[:8]
        self.variables = application.subscriber("batch_jobs/start_job").environment
        self._listener = Listener(application.client, application.topic("JobOutcomes"), f"outcomes-{self.run}")
        self._received: list[dict[str, Any]] = []

    def job_id(self, name: str) -> str:
        return f"{name}-{self.run}"

    def put(self, content: bytes) -> str:
        """Put an input where it may lie; return its URI."""
        bucket, key = self.variables["JOB_BUCKET"], f"inputs/{uuid.uuid4().hex}.csv"
        self.application.client("s3").put_object(Bucket=bucket, Key=key, Body=content)
        return f"s3://{bucket}/{key}"

    def request(self, name: str, uri: str, parameters: Parameters, *, times: int = 1) -> str:
        """Request a job, several times over under ids of their own; return the job's id."""
        kind: Kind = "csv_import" if parameters.dataset else "report"
        data = JobRequested(job_id=self.job_id(name), kind=kind, input=uri, parameters=parameters)
        events = [Event.new(data, source="urn:test:office") for _ in range(times)]
        self.application.publish("BatchJobs", [*events, *events])
        return data.job_id

    def job(self, job_id: str) -> dict[str, Any]:
        """The job's record; empty if there is none."""
        return self._item("JOB_TABLE", f"job#{job_id}", "job")

    def ended(self, job_id: str, *, seconds: float = 90) -> dict[str, Any]:
        """The job's record, once its outcome is published."""
        return until(lambda: self._announced(job_id), f"the end of job {job_id}", seconds=seconds, every=0.2)

    def _announced(self, job_id: str) -> dict[str, Any]:
        job = self.job(job_id)
        return job if job.get("announced") else {}

    def outcomes(self, job_id: str) -> list[dict[str, Any]]:
        """Return every outcome of the job received so far; wait for the first one."""

        def received() -> list[dict[str, Any]]:
            self._received += self._listener.received()
            return [event for event in self._received if event["data"]["job_id"] == job_id]

        return until(received, f"an outcome of {job_id}", every=0.1)

    def shown(self, dataset: str) -> dict[str, Any]:
        """What a dataset points to; empty if nothing was ever imported."""
        return self._item("IMPORT_TABLE", f"dataset#{dataset}", "current")

    def rows(self, job_id: str, chunks: int) -> Iterator[dict[str, Any]]:
        """The rows of an import, shown or not, as DynamoDB has them."""
        pages = self.application.client("dynamodb").get_paginator("query")
        for number in range(chunks):
            for page in pages.paginate(
                TableName=self.variables["IMPORT_TABLE"],
                KeyConditionExpression="pk = :rows",
                ExpressionAttributeValues=to_item({":rows": f"rows#{job_id}#{number:05d}"}),
            ):
                yield from page["Items"]

    def table(self, job_id: str, name: str) -> list[list[str]]:
        """A CSV file that a job has answered with."""
        key = f"results/{job_id}/{name}.csv"
        body = self.application.client("s3").get_object(Bucket=self.variables["JOB_BUCKET"], Key=key)["Body"].read()
        return list(csv.reader(io.StringIO(body.decode(), newline="")))

    def function(self, subscriber: str) -> str:
        """The name of a function that is not a subscriber, by its FANOUT_SUBSCRIBER."""
        pages = self.application.client("lambda").get_paginator("list_functions").paginate()
        return next(
            str(each["FunctionName"])
            for page in pages
            for each in page["Functions"]
            if each.get("Environment", {}).get("Variables", {}).get("FANOUT_SUBSCRIBER") == subscriber
        )

    def _item(self, table: str, pk: str, sk: str) -> dict[str, Any]:
        found = self.application.client("dynamodb").get_item(
            TableName=self.variables[table], Key=to_item({"pk": pk, "sk": sk}), ConsistentRead=True
        )
        return from_item(found.get("Item", {}))

    def close(self) -> None:
        """Delete what the test made."""
        self._listener.close()


@pytest.fixture
def office(application: Application) -> Iterator[Office]:
    made = Office(application)
    yield made
    made.close()
