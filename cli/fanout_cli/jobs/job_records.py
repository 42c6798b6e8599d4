"""The jobs of batch_jobs, read from their records."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from fanout.dynamodb import from_item, to_item
from fanout_cli.errors import UserError
from fanout_cli.stack.topology import Topology

_SUBSCRIBER = "batch_jobs/start_job"
_POLL_SECONDS = 0.5
_MONTHS_BACK = 3


class Jobs:
    """The records of one deployed application. `client`: gives the AWS client of a service."""

    def __init__(self, client: Callable[[str], Any], topology: Topology) -> None:
        """Raises UserError if batch_jobs is not deployed."""
        if _SUBSCRIBER not in topology.subscribers:
            raise UserError(
                f"batch_jobs is not part of stack {topology.stack_name}",
                "Deploy it: fanout up, or DeployBatchJobs=true.",
            )
        self._dynamodb = client("dynamodb")
        self._table = topology.subscribers[_SUBSCRIBER].environment["JOB_TABLE"]

    def find(self, job_id: str) -> dict[str, Any] | None:
        """Return the fields of a job that are shown; None if the job does not exist."""
        key = to_item({"pk": f"job#{job_id}", "sk": "job"})
        answer = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return _shown(from_item(answer["Item"])) if "Item" in answer else None

    def watch(self, job_id: str, within: float | None) -> Iterator[dict[str, Any]]:
        """Yield a job whenever something about it has changed, until it has ended; at most `within` seconds.

        Raises UserError if the job does not exist.
        """
        deadline = None if within is None else time.monotonic() + within
        last = None
        while True:
            job = self.find(job_id)
            if job is None:
                raise UserError(f"there is no job {job_id}", "List the jobs: fanout jobs list")
            if job != last:
                yield job
            last = job
            if job["state"] in ("COMPLETED", "FAILED") or (deadline is not None and time.monotonic() > deadline):
                return
            time.sleep(_POLL_SECONDS)

    def latest(self, limit: int) -> list[dict[str, Any]]:
        """Return the jobs that were requested last, the latest first; those of this month and the three before."""
        month = datetime.now(UTC)
        found: list[dict[str, Any]] = []
        for _ in range(_MONTHS_BACK + 1):
            found += [job for job_id in self._of_month(f"{month:%Y-%m}", limit) if (job := self.find(job_id))]
            if len(found) >= limit:
                break
            month = month.replace(day=1) - timedelta(days=1)
        return found[:limit]

    def _of_month(self, month: str, limit: int) -> list[str]:
        answer = self._dynamodb.query(
            TableName=self._table,
            IndexName="latest",
            KeyConditionExpression="#month = :month",
            ExpressionAttributeNames={"#month": "month"},
            ExpressionAttributeValues=to_item({":month": month}),
            ScanIndexForward=False,
            Limit=limit,
        )
        return [item["pk"]["S"].removeprefix("job#") for item in answer["Items"]]


def _shown(item: dict[str, Any]) -> dict[str, Any]:
    texts = ("job_id", "state", "requested_at", "finished_at", "reason", "detail")
    counts = ("chunks", "chunks_done", "rows", "good", "rejected")
    shown = {name: item[name] for name in texts if item.get(name)} | {name: int(item[name]) for name in counts}
    files = {name: item[name] for name in ("result", "rejects") if item.get(name)}
    return {**shown, **files, "announced": bool(item["announced"])}
