"""Jobs that fail, each in its way, on the engine."""

import json

from fanout.contracts.batch_jobs import Column, Parameters
from tests.integration.batch_jobs.conftest import Office
from tests.waiting import until

COLUMNS = (Column(name="id", type="integer"), Column(name="name"))
REPORT = Parameters(group_by=("country",))


def numbered(count: int, *, bad: int = 0) -> bytes:
    """A file of `count` valid rows, with invalid ones at its end."""
    good = "".join(f"{number},name {number}\n" for number in range(count))
    return ("id,name\n" + good + "x,bad\n" * bad).encode()


def test_an_impossible_job_fails_with_its_reason(office: Office) -> None:
    bucket = office.variables["JOB_BUCKET"]
    missing = office.request("missing", f"s3://{bucket}/inputs/nothing-{office.run}.csv", REPORT)
    foreign = office.request("foreign", f"s3://{office.application.output('ClaimCheckBucket')}/batch_jobs/x", REPORT)
    no_columns = office.request("columns", office.put(b"city\nBerlin\n"), REPORT)
    reasons = {missing: "no_such_input", foreign: "forbidden_input", no_columns: "missing_columns"}
    for job_id, reason in reasons.items():
        [outcome] = office.outcomes(job_id)
        assert (outcome["type"], outcome["data"]["reason"]) == ("job.failed.v1", reason)
    shown = office.application.fanout("jobs", "watch", missing, check=1)
    assert "no_such_input" in shown.stdout
    listed = office.application.fanout("jobs", "list", "--json", "--limit", "100").stdout.splitlines()
    assert reasons.keys() <= {json.loads(line)["job_id"] for line in listed}


def test_a_job_that_was_not_requested_cannot_be_watched(office: Office) -> None:
    found = office.application.fanout("jobs", "watch", "no-such-job", check=1)
    assert "there is no job no-such-job" in found.stderr


def test_an_import_with_too_many_bad_rows_leaves_no_row_behind(office: Office) -> None:
    dataset = f"things_{office.run}"
    parameters = Parameters(dataset=dataset, columns=COLUMNS, tolerated_percent=1)
    job_id = office.request("bad", office.put(numbered(3_000, bad=100)), parameters)
    [outcome] = office.outcomes(job_id)
    assert (outcome["data"]["reason"], outcome["data"]["rejected"]) == ("too_many_rejected", 100)
    assert office.shown(dataset) == {}
    assert len(office.table(job_id, "rejects")) == 101
    until(lambda: not any(office.rows(job_id, 2)), "the rows of the failed import are gone", every=0.2)


def test_an_execution_stopped_by_a_person_fails_its_job_and_shows_nothing(office: Office) -> None:
    dataset = f"stopped_{office.run}"
    parameters = Parameters(dataset=dataset, columns=COLUMNS)
    job_id = office.request("stopped", office.put(numbered(40_000)), parameters)
    until(lambda: office.job(job_id).get("chunks_done", 0) > 0, "the job is under way", every=0.05)
    execution = office.job(job_id)["execution_arn"]
    states = office.application.client("stepfunctions")
    states.stop_execution(executionArn=execution)
    [outcome] = office.outcomes(job_id)
    assert (outcome["type"], outcome["data"]["reason"]) == ("job.failed.v1", "aborted")
    assert office.job(job_id)["chunks_done"] < 16
    assert office.shown(dataset) == {}
    assert states.describe_execution(executionArn=execution)["status"] == "ABORTED"
