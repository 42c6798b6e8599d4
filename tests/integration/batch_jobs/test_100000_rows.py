"""The hard case: a file of 100,000 rows, one in a hundred bad, worked on by functions that are killed on the way.

What comes of it is compared with what a loop over the same rows makes of them.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from fanout.contracts.batch_jobs import Column, Parameters
from tests.integration.batch_jobs.conftest import Office
from tests.integration.faults.crash_injection import struck_function
from tests.waiting import until

ROWS = 100_000
COLUMNS = (
    Column(name="id", type="integer"),
    Column(name="name"),
    Column(name="quantity", type="integer"),
    Column(name="amount", type="decimal"),
    Column(name="note", required=False),
)


class Row(NamedTuple):
    """One row as it is known before it is written."""

    number: int
    country: str
    quantity: str
    amount: str

    @property
    def complaint(self) -> list[str]:
        """What the rejects file must say of it; empty for a good row."""
        reason = "not an integer of up to 18 digits" if self.quantity else "no value"
        return [] if self.quantity.isdigit() else [str(self.number + 2), "quantity", reason, self.quantity]

    @property
    def text(self) -> str:
        name = f'"Name, the\n{self.number}th"' if self.number % 10 == 0 else f"name {self.number}"
        return f"{self.number},{name},{self.country},{self.quantity},{self.amount},{'n' * (self.number % 3)}\n"


def rows() -> Iterator[Row]:
    for number in range(ROWS):
        quantity = ("", "many")[number % 200 // 100] if number % 100 == 7 else str(number % 50)
        yield Row(number, ("DE", "SE", "=PT")[number % 3], quantity, f"{number % 1000}.{number % 100:02d}")


@pytest.fixture(scope="module")
def content() -> bytes:
    text = "".join(["\ufeffid,name,country,quantity,amount,note\n", *(row.text for row in rows())])
    return text.encode()


def test_an_import_killed_in_the_middle_and_requested_thrice_completes_once_while_its_bar_moves(
    office: Office, content: bytes, tmp_path: Path
) -> None:
    dataset = f"people_{office.run}"
    parameters = Parameters(dataset=dataset, columns=COLUMNS, tolerated_percent=1)
    uri = office.put(content)
    with struck_function(office.application, office.function("batch_jobs/process_chunk"), "before PutItem", tmp_path):
        job_id = office.request("import", uri, parameters, times=3)
        until(lambda: office.job(job_id), "the job is known")
        watched = office.application.fanout("jobs", "watch", job_id, "--json", "--wait", "90").stdout.splitlines()
        job = office.ended(job_id)
    assert (job["state"], job["good"], job["rejected"], job["rows"]) == ("COMPLETED", 99_000, 1_000, ROWS)

    expected = {str(row.number): (row.quantity, row.amount) for row in rows() if not row.complaint}
    shown = office.shown(dataset)
    assert (shown["job_id"], shown["rows"]) == (job_id, 99_000)
    found: dict[str, tuple[str, str]] = {}
    for item in office.rows(job_id, int(shown["chunks"])):
        values = item["row"]["M"]
        assert values["id"]["N"] not in found, "imported twice"
        found[values["id"]["N"]] = (values["quantity"]["N"], values["amount"]["N"])
    assert {key: (int(a), Decimal(b)) for key, (a, b) in found.items()} == {
        key: (int(a), Decimal(b)) for key, (a, b) in expected.items()
    }
    assert office.table(job_id, "rejects")[1:] == [row.complaint for row in rows() if row.complaint]
    [outcome] = office.outcomes(job_id)
    assert (outcome["type"], outcome["data"]["good"], outcome["data"]["rejected"]) == (
        "job.completed.v1",
        99_000,
        1_000,
    )
    machine = office.variables["STATE_MACHINE_ARN"]
    executions = office.application.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    assert len([each for each in executions if each["name"].startswith(job_id)]) == 1

    done = [json.loads(line)["chunks_done"] for line in watched]
    assert done == sorted(done)
    assert len(set(done)) >= 10, "the bar moves"
    assert (done[-1], json.loads(watched[-1])["state"]) == (40, "COMPLETED")


def test_a_report_whose_last_step_is_killed_adds_up_and_is_published_once(
    office: Office, content: bytes, tmp_path: Path
) -> None:
    uri = office.put(content.replace(b",many,", b",x,"))
    parameters = Parameters(group_by=("country",), sum=("quantity", "amount"), tolerated_percent=1)
    with struck_function(office.application, office.function("batch_jobs/finish_job"), "before PublishBatch", tmp_path):
        job_id = office.request("report", uri, parameters, times=2)
        job = office.ended(job_id)
    assert (job["state"], job["good"], job["rejected"]) == ("COMPLETED", 99_000, 1_000)

    expected: dict[str, tuple[int, int, Decimal]] = {}
    for row in rows():
        if not row.complaint:
            country = row.country.replace("=", "'=")
            count, quantity, amount = expected.get(country, (0, 0, Decimal(0)))
            expected[country] = (count + 1, quantity + int(row.quantity), amount + Decimal(row.amount))
    lines = office.table(job_id, "report")
    assert lines[0] == ["country", "rows", "total quantity", "total amount"]
    assert {line[0]: (int(line[1]), int(line[2]), Decimal(line[3])) for line in lines[1:]} == expected
    assert len(office.table(job_id, "rejects")) == 1_001
    assert [outcome["type"] for outcome in office.outcomes(job_id)] == ["job.completed.v1"]
