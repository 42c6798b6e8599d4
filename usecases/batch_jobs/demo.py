"""batch_jobs: uploads input files for this run, and follows each job to its end.

Both files have a bad row among good ones, and cells with line breaks and formulas, as files from outside do.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from fanout.dynamodb import from_item
from fanout_cli.demo.definition import Check, Event, UseCaseDemo

_CUSTOMERS = """\
customer_id,name,email,signed_up,orders,balance,newsletter
c-1,Ada Lindqvist,ada@example.org,2025-01-31,3,12.50,true
c-2,"Bo
Okafor",bo@example.org,2025-02-28,0,,false
c-3,Chen Wei,chen@example.org,2025-02-30,1,7.00,true
c-4,=SUM(A1:A9),dilan@example.org,2025-03-01,12,-3.25,
c-5,Élodie Marchand,elodie@example.org,2025-04-01,2,0.00,true
"""
_SALES = """\
country;channel;quantity;amount
DE;web;2;19.90
DE;shop;1;5.05
SE;web;many;1.00
SE;web;4;40.40
DE;web;1;0.10
=cmd();web;1;1.00
"""
_REPORT = """\
country,channel,rows,total quantity,total amount
'=cmd(),web,1,1,1.00
DE,shop,1,1,5.05
DE,web,2,3,20.00
SE,web,1,4,40.40
"""
GOOD, REJECTED = {"csv_import": 4, "report": 5}, 1
# A job's last step comes a few seconds after its request was handled, on a cold engine a few more.
_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.2


class Demo(UseCaseDemo):
    """Every run has its own jobs, files and dataset."""

    def fresh(self, event: Event, run: str) -> Event:
        """Return the job with a new id, and upload its input file."""
        key = f"inputs/demo-{run}.csv"
        text = _CUSTOMERS if event["data"]["kind"] == "csv_import" else _SALES
        self.client("s3").put_object(Bucket=self._bucket, Key=key, Body=text.encode())
        parameters = event["data"]["parameters"]
        if "dataset" in parameters:
            parameters = {**parameters, "dataset": f"demo_{run}"}
        return self.with_data(event, job_id=f"demo-{run}", input=f"s3://{self._bucket}/{key}", parameters=parameters)

    def derived(self, event: Event) -> Sequence[Event]:
        """Return the outcome. It has no subscriber; the job's record shows that it was published."""
        if event["type"] != "job.requested.v1":
            return ()
        return (self.caused(event, "finish_job", "job.completed.v1", {"job_id": event["data"]["job_id"]}),)

    def effect(self, event: Event, subscriber: str) -> str:  # noqa: ARG002 - start_job is the only one
        """Return the job's record once the job has ended."""
        job = self._ended(event["data"]["job_id"])
        counts = (int(job.get("good", 0)), int(job.get("rejected", 0)))
        if job.get("state") != "COMPLETED" or counts != (GOOD[event["data"]["kind"]], REJECTED):
            return ""
        return f"job {job['job_id']} is COMPLETED: {counts[0]} rows good, {counts[1]} rejected"

    def others(self, events: Sequence[Event]) -> Iterable[Check]:
        """Check the results of the job's steps: rows or a report, the rejects, the outcome."""
        for event in events:
            job_id = event["data"]["job_id"]
            if event["data"]["kind"] == "csv_import":
                dataset = event["data"]["parameters"]["dataset"]
                yield Check(f"process_chunk imports the good rows of {job_id}", self._rows(dataset))
            else:
                yield Check(f"finish_job writes the report of {job_id}", self._report(job_id))
            yield Check(f"finish_job says of {job_id} which row was rejected and why", self._rejects(job_id))
            announced = "announced" if self._ended(job_id).get("announced") else ""
            yield Check(f"finish_job publishes job.completed.v1 about {job_id}", announced)

    def _ended(self, job_id: str) -> dict[str, Any]:
        """Return the job's record, after waiting until its outcome is published."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            job = self.item(self.setting("start_job", "JOB_TABLE"), pk=f"job#{job_id}", sk="job") or {}
            if job.get("announced") or time.monotonic() > deadline:
                return job
            time.sleep(_POLL_SECONDS)

    def _rows(self, dataset: str) -> str:
        table = self.setting("start_job", "IMPORT_TABLE")
        shown = self.item(table, pk=f"dataset#{dataset}", sk="current")
        if not shown:
            return ""
        found = self.client("dynamodb").query(
            TableName=table,
            KeyConditionExpression="pk = :rows",
            ExpressionAttributeValues={":rows": {"S": f"rows#{shown['job_id']}#00000"}},
            ConsistentRead=True,
        )["Items"]
        ids = [from_item(item)["row"]["customer_id"] for item in found]
        return f"dataset {dataset} shows {', '.join(ids)}" if ids == ["c-1", "c-2", "c-4", "c-5"] else ""

    def _report(self, job_id: str) -> str:
        text = self._text(f"results/{job_id}/report.csv")
        return f"s3://{self._bucket}/results/{job_id}/report.csv" if text.replace("\r\n", "\n") == _REPORT else ""

    def _rejects(self, job_id: str) -> str:
        _, *lines = self._text(f"results/{job_id}/rejects.csv").splitlines()
        return lines[0] if len(lines) == 1 and lines[0].startswith("4,") else ""

    def _text(self, key: str) -> str:
        body: bytes = self.client("s3").get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return body.decode()

    @property
    def _bucket(self) -> str:
        return self.setting("start_job", "JOB_BUCKET")
