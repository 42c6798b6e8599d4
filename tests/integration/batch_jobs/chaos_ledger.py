"""A job ran to its end once, and what it was to make is there."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from fanout.dynamodb import from_item, to_item
from fanout_cli.demo.definition import Event
from tests.chaos import ledger
from usecases.batch_jobs.demo import GOOD, REJECTED


class Ledger(ledger.Ledger):
    """Reads the jobs' records and the rows of their datasets."""

    def times(self, event: Event, subscriber: str) -> int:
        """A job that ran twice has counted its rows twice, or its dataset shows more of them than the file has."""
        job = self._jobs.get(event["data"]["job_id"], {})
        if job.get("state") != "COMPLETED" or not job["rejected"]:
            return 0
        good = GOOD[event["data"]["kind"]]
        counted = max(-(-int(job["good"]) // good), int(job["rejected"]) // REJECTED)
        if event["data"]["kind"] != "csv_import":
            return counted
        shown = -(-self._shown(event["data"]["parameters"]["dataset"]) // good)
        return max(counted, shown) if shown else 0

    def settled(self, events: Sequence[Event]) -> bool:
        """Whether every job has ended and that is published."""
        table, dynamodb = self.demo.setting("start_job", "JOB_TABLE"), self.stores.client("dynamodb")
        for event in events:
            key = to_item({"pk": f"job#{event['data']['job_id']}", "sk": "job"})
            found = from_item(dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {}))
            if not found.get("announced"):
                return False
        return True

    @cached_property
    def _jobs(self) -> dict[str, dict[str, Any]]:
        return {item["job_id"]: item for item in self.rows("start_job", "JOB_TABLE") if item["sk"] == "job"}

    def _shown(self, dataset: str) -> int:
        """How many rows the dataset shows."""
        items = self.rows("start_job", "IMPORT_TABLE")
        current = [item["job_id"] for item in items if (item["pk"], item["sk"]) == (f"dataset#{dataset}", "current")]
        return sum(item["pk"].startswith(f"rows#{job}#") for job in current for item in items)
