"""The account that batch_jobs' functions run in, and a stand-in for the state machine that takes them step by step."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from moto.core import DEFAULT_ACCOUNT_ID

from fanout.contracts.batch_jobs import Column, JobRequested, Kind, Parameters
from fanout.dynamodb import from_item
from fanout.event import Event
from fanout.testing import REGION, LambdaContext
from tests.unit.conftest import Functions, Harness, Topic

BUCKET = "jobs"
TOLERANT = 100.0


class Account(Functions):
    """The functions of the use case, the stores they share, and the events they publish."""

    def __init__(self, harness: Harness) -> None:
        super().__init__("batch_jobs", harness)
        self.s3 = boto3.client("s3", region_name=REGION)
        self.s3.create_bucket(Bucket=BUCKET)
        self.states = boto3.client("stepfunctions", region_name=REGION)
        self.machine = self.states.create_state_machine(
            name="jobs",
            definition=json.dumps({"StartAt": "Wait", "States": {"Wait": {"Type": "Succeed"}}}),
            roleArn=f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/jobs",
        )["stateMachineArn"]
        self._topic = Topic("JobOutcomes")
        harness.monkeypatch.setenv("JOB_OUTCOMES_TOPIC_ARN", self._topic.arn)
        harness.monkeypatch.setenv("STATE_MACHINE_ARN", self.machine)
        harness.monkeypatch.setenv("JOB_BUCKET", BUCKET)
        harness.monkeypatch.setenv("CHUNK_ROWS", "3")

    def put(self, body: str | bytes, key: str = "inputs/file.csv", bucket: str = BUCKET) -> str:
        """Put an input where it may lie; return its URI."""
        content = body.encode() if isinstance(body, str) else body
        self.s3.put_object(Bucket=bucket, Key=key, Body=content)
        return f"s3://{bucket}/{key}"

    def start(self, *events: Event[Any]) -> list[tuple[str, str | None]]:
        """Deliver events to start_job in one batch; return outcome and reason of each."""
        return self.receipts("start_job", *events)

    def executions(self) -> list[str]:
        """The names of the executions that were started."""
        return [each["name"] for each in self.states.list_executions(stateMachineArn=self.machine)["executions"]]

    # The steps, as the state machine calls them.

    def plan(self, job_id: str) -> list[dict[str, Any]]:
        """The first step; return the chunks as they are handed on."""
        place = self.module("plan_job").handler({"job_id": job_id, "execution_arn": "arn:execution"}, LambdaContext())
        found: list[dict[str, Any]] = json.loads(self.text(place["key"]))
        return found

    def process(self, job_id: str, chunk: dict[str, Any], **more: Any) -> dict[str, int]:
        """The second step, for one chunk."""
        payload = {"job_id": job_id, "chunk": chunk, **more}
        counts: dict[str, int] = self.module("process_chunk").handler(payload, LambdaContext())
        return counts

    def finish(self, job_id: str, **more: Any) -> str:
        """The last step; return the state of the job."""
        answer: dict[str, str] = self.module("finish_job").handler({"job_id": job_id, **more}, LambdaContext())
        return answer["state"]

    def run(self, event: Event[JobRequested]) -> dict[str, Any]:
        """All of it, as the state machine does it: a permanent failure goes to the last step. Return the record."""
        job_id = event.data.job_id
        self.start(event)
        try:
            for chunk in self.plan(job_id):
                self.process(job_id, chunk)
        except Exception as error:
            if type(error).__name__ != "JobProblemError":
                raise
            self.finish(job_id, error={"Error": "JobProblemError", "Cause": "{}"})
        else:
            self.finish(job_id)
        return self.job(job_id)

    # The results.

    def job(self, job_id: str = "job-1") -> dict[str, Any]:
        """The job's record; empty if there is none."""
        return self.item("jobs", f"job#{job_id}", "job")

    def rows(self) -> dict[str, dict[str, Any]]:
        """Every imported row, shown or not: its place -> its values."""
        found = [from_item(item) for item in self._dynamodb.scan(TableName="imports")["Items"]]
        return {f"{item['pk']} {item['sk']}": item["row"] for item in found if "row" in item}

    def dataset(self, name: str = "people") -> list[dict[str, Any]]:
        """What a dataset shows."""
        shown = self.item("imports", f"dataset#{name}", "current")
        rows = self.rows()
        return [rows[key] for key in sorted(rows) if shown and key.startswith(f"rows#{shown['job_id']}#")]

    def text(self, key: str) -> str:
        """A file of the stack's bucket."""
        body: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body.decode()

    def table(self, name: str, job_id: str = "job-1") -> list[list[str]]:
        """A CSV file that a job has answered with."""
        return list(csv.reader(io.StringIO(self.text(f"results/{job_id}/{name}.csv"), newline="")))

    def published(self) -> list[Event[Any]]:
        """Return the events published since the last call as a subscriber reads them, in order."""
        return self._topic.events("batch_jobs")


@pytest.fixture
def account(harness: Harness, make_table: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setenv("JOB_TABLE", make_table("jobs"))
    monkeypatch.setenv("IMPORT_TABLE", make_table("imports"))
    return Account(harness)


def requested(
    uri: str, parameters: Parameters, *, job_id: str = "job-1", event_id: str | None = None
) -> Event[JobRequested]:
    """The request of a job about a file; which kind follows from the parameters."""
    kind: Kind = "csv_import" if parameters.dataset else "report"
    data = JobRequested(job_id=job_id, kind=kind, input=uri, parameters=parameters)
    return Event.new(data, source="urn:test", id=event_id)


def people(**changes: Any) -> Parameters:
    """An import of people: id, name, and born, which may be missing."""
    columns = (
        Column(name="id", type="integer"),
        Column(name="name"),
        Column(name="born", type="date", required=False),
    )
    return Parameters(**{"dataset": "people", "columns": columns, "tolerated_percent": TOLERANT, **changes})


def sales(**changes: Any) -> Parameters:
    """A report of amounts by country."""
    return Parameters(**{"group_by": ("country",), "sum": ("amount",), "tolerated_percent": TOLERANT, **changes})
