"""`fanout jobs`: what the records of jobs say, and when watching ends."""

import json
from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Any

import boto3
import pytest

from fanout.dynamodb import to_item
from fanout.testing import REGION
from fanout_cli.commands import jobs as command
from fanout_cli.errors import UserError
from fanout_cli.jobs.job_records import Jobs
from fanout_cli.stack.topology import Subscriber, Topology

KEYS = ("pk", "sk", "month", "requested_at")


class Table:
    """The table of jobs as its template makes it."""

    def __init__(self) -> None:
        self.dynamodb: Any = boto3.client("dynamodb", region_name=REGION)
        self.dynamodb.create_table(
            TableName="jobs",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in KEYS],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "latest",
                    "KeySchema": [
                        {"AttributeName": "month", "KeyType": "HASH"},
                        {"AttributeName": "requested_at", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        )

    def put(self, job_id: str, state: str = "RUNNING", at: str = "2026-11-22T12:00:00Z", **more: Any) -> None:
        job = {"chunks": 4, "chunks_done": 1, "rows": 40, "good": 9, "rejected": 1, "announced": False}
        keys = {"pk": f"job#{job_id}", "sk": "job", "month": at[:7], "requested_at": at}
        self.dynamodb.put_item(
            TableName="jobs", Item=to_item({**keys, **job, "job_id": job_id, "state": state, **more})
        )

    def client(self, _: str) -> Any:
        return self.dynamodb

    @property
    def jobs(self) -> Jobs:
        return Jobs(self.client, TOPOLOGY)

    def topology(self) -> Topology:
        return TOPOLOGY


class FirstOfDecember(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "FirstOfDecember":
        return cls(2026, 12, 1, 12, tzinfo=tz)


SUBSCRIBER = Subscriber("batch_jobs/start_job", "f", "g", "i", "d", {"JOB_TABLE": "jobs"})
TOPOLOGY = Topology("fanout", (), {SUBSCRIBER.name: SUBSCRIBER})


@pytest.fixture
def table(cloud: None, monkeypatch: pytest.MonkeyPatch) -> Table:
    made = Table()
    monkeypatch.setattr(command, "resolve", lambda *_: made)
    return made


def test_watching_a_job_shows_every_change_and_ends_with_the_job(table: Table) -> None:
    table.put("a")
    watching = table.jobs.watch("a", None)
    assert next(watching)["chunks_done"] == 1
    table.put("a", chunks_done=3)
    assert next(watching)["chunks_done"] == 3
    table.put("a", "COMPLETED", chunks_done=4, result="results/a/report.csv")
    last = next(watching)
    assert (last["state"], last["result"]) == ("COMPLETED", "results/a/report.csv")
    assert list(watching) == []


@pytest.mark.parametrize(("state", "code"), [("COMPLETED", 0), ("FAILED", 1)])
def test_the_exit_code_is_the_outcome_of_the_job(
    table: Table, run: Callable[..., Any], state: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.put("a", state, reason="not_csv" if code else "", detail="")
    found = run("jobs", "watch", "a", "--json")
    assert found.exit_code == code
    [line] = found.out.splitlines()
    assert json.loads(line) == {
        "job_id": "a",
        "state": state,
        "requested_at": "2026-11-22T12:00:00Z",
        **({"reason": "not_csv"} if code else {}),
        "chunks": 4,
        "chunks_done": 1,
        "rows": 40,
        "good": 9,
        "rejected": 1,
        "announced": False,
    }
    assert state in run("jobs", "watch", "a").out


def test_an_unknown_job_and_one_that_takes_too_long_are_failures(table: Table, run: Callable[..., Any]) -> None:
    table.put("a")
    unknown, slow = run("jobs", "watch", "b"), run("jobs", "watch", "a", "--wait", "0")
    assert (unknown.exit_code, slow.exit_code) == (1, 1)
    assert "there is no job b" in unknown.err
    assert "job a is still RUNNING" in slow.err


def test_the_latest_jobs_come_first_over_the_end_of_a_month(
    table: Table, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fanout_cli.jobs.job_records.datetime", FirstOfDecember)
    for number, at in enumerate(["2026-12-01T00:00:01Z", "2026-11-30T23:59:59Z", "2026-11-01T08:00:00Z"]):
        table.put(f"job-{number}", at=at)
    table.put("long-ago", at="2026-01-01T00:00:00Z")
    listed = run("jobs", "list", "--json").out.splitlines()
    assert [json.loads(line)["job_id"] for line in listed] == ["job-0", "job-1", "job-2"]
    assert len(run("jobs", "list", "--json", "--limit", "2").out.splitlines()) == 2
    assert "25 %" in run("jobs", "list").out


def test_without_batch_jobs_there_is_nothing_to_watch(table: Table) -> None:
    with pytest.raises(UserError, match="batch_jobs is not part of stack fanout"):
        Jobs(table.client, Topology("fanout", (), {}))
