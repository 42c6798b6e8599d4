"""A job from its request to its outcome, with steps that happen twice, late, or in part."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from batch_jobs import jobs
from fanout import aws
from fanout.contracts.batch_jobs import Column, JobCompleted, JobFailed, Parameters
from fanout.identity import derived_id
from fanout.testing import LambdaContext
from tests.unit.batch_jobs.conftest import BUCKET, Account, people, requested, sales
from tests.unit.conftest import ROOT, sample_payload

PEOPLE = "id,name,born\n1,Ada,1990-05-01\n2,Bo,\n\n3,,2001-01-01\n4,Chen,2000-02-30\n5,Élodie,2001-12-31\n"
SALES = "country,amount\nDE,19.90\nSE,40.40\nDE,0.10\nSE,none\n"


def interrupted(monkeypatch: pytest.MonkeyPatch, service: str, operation: str, after: int = 0) -> None:
    """Make one call of the layer's client fail, the first unless `after` others may pass, as if the machine died."""
    calls = 0

    def fail(**_: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == after + 1:
            raise KeyboardInterrupt

    aws.client(service).meta.events.register(f"before-call.{service}.{operation}", fail)


def step(account: Account, name: str) -> dict[str, Any]:
    """Invoke a function with a ready-made payload, by the name of its file; return what it answers."""
    function, _, _ = name.partition("-")
    answer: dict[str, Any] = account.module(function).handler(sample_payload("batch_jobs", name), LambdaContext())
    return answer


@pytest.fixture
def sample_job(account: Account, monkeypatch: pytest.MonkeyPatch) -> str:
    """The job of start_job-ordinary.json, requested, its input being where it says."""
    bucket = "example-job-bucket"
    account.s3.create_bucket(Bucket=bucket)
    monkeypatch.setenv("JOB_BUCKET", bucket)
    monkeypatch.setenv("CHUNK_ROWS", "5000")
    account.put((ROOT / "events/batch_jobs/inputs/customers.csv").read_bytes(), "inputs/customers.csv", bucket)
    assert step(account, "start_job-ordinary") == {"batchItemFailures": []}
    [name] = account.executions()
    stopped = sample_payload("batch_jobs", "finish_job-stopped")["detail"]
    assert stopped["name"] == name
    return str(json.loads(stopped["input"])["job_id"])


def test_the_sample_payloads_of_the_steps_do_the_sample_job(account: Account, sample_job: str) -> None:
    planned = step(account, "plan_job-import")
    chunks = json.loads(account.s3.get_object(Bucket=planned["bucket"], Key=planned["key"])["Body"].read())
    assert chunks == [sample_payload("batch_jobs", "process_chunk-import")["chunk"]]
    assert step(account, "process_chunk-import") == {"good": 4, "rejected": 1}
    assert step(account, "finish_job-import") == {"state": "COMPLETED", "kind": "csv_import"}
    assert len(account.dataset("customers")) == 4


@pytest.mark.parametrize(
    ("payload", "reason"), [("finish_job-failed-step", "internal_error"), ("finish_job-stopped", "aborted")]
)
def test_a_sample_payload_fails_the_sample_job(account: Account, sample_job: str, payload: str, reason: str) -> None:
    step(account, "plan_job-import")
    step(account, "process_chunk-import")
    assert step(account, payload) == {"state": "FAILED", "kind": "csv_import"}
    assert account.job(sample_job)["reason"] == reason
    assert len(account.rows()) == 4
    step(account, "process_chunk-discard")
    assert account.rows() == {}


def test_good_rows_become_the_dataset_and_each_bad_one_gets_a_reason(account: Account) -> None:
    job = account.run(requested(account.put(PEOPLE), people()))
    assert (job["state"], job["good"], job["rejected"], job["rows"]) == ("COMPLETED", 3, 2, 5)
    assert account.dataset() == [
        {"id": 1, "name": "Ada", "born": "1990-05-01"},
        {"id": 2, "name": "Bo"},
        {"id": 5, "name": "Élodie", "born": "2001-12-31"},
    ]
    assert account.table("rejects") == [
        ["row", "column", "reason", "value"],
        ["5", "name", "no value", ""],
        ["6", "born", "not a date like 2026-11-22", "2000-02-30"],
    ]


def test_a_report_is_the_exact_sum_of_its_chunks(account: Account) -> None:
    job = account.run(requested(account.put(SALES), sales()))
    assert (job["state"], job["good"], job["rejected"]) == ("COMPLETED", 3, 1)
    assert account.table("report") == [
        ["country", "rows", "total amount"],
        ["DE", "2", "20.00"],
        ["SE", "1", "40.40"],
    ]


def test_the_outcome_is_caused_by_the_request_and_names_the_results(account: Account) -> None:
    uri = account.put(SALES)
    event = requested(uri, sales())
    account.run(event)
    [outcome] = account.published()
    assert outcome.data == JobCompleted(
        job_id="job-1",
        kind="report",
        input=uri,
        good=3,
        rejected=1,
        result=f"s3://{BUCKET}/results/job-1/report.csv",
        rejects=f"s3://{BUCKET}/results/job-1/rejects.csv",
    )
    expected = derived_id(event.source, event.id, "batch_jobs/finish_job", "job.completed.v1", 0)
    assert (outcome.id, outcome.causationid, outcome.source) == (expected, event.id, "urn:fanout:batch_jobs/finish_job")


def test_a_job_without_bad_rows_has_no_rejects_file(account: Account) -> None:
    account.run(requested(account.put("country,amount\nDE,1\n"), sales(tolerated_percent=0)))
    [outcome] = account.published()
    assert outcome.data.rejects is None
    found = account.s3.list_objects_v2(Bucket=BUCKET, Prefix="results/")["Contents"]
    assert [each["Key"] for each in found] == ["results/job-1/report.csv"]


def test_a_job_requested_twice_runs_once(account: Account) -> None:
    uri = account.put(PEOPLE)
    first, again = requested(uri, people()), requested(uri, people())
    assert account.start(first, first, again) == [("processed", None), ("duplicate", None), ("duplicate", None)]
    assert len(account.executions()) == 1


def test_another_job_of_the_same_id_is_rejected(account: Account) -> None:
    uri = account.put(PEOPLE)
    [_, (outcome, reason)] = account.start(requested(uri, people()), requested(uri, people(dataset="others")))
    assert (outcome, reason) == ("rejected", "conflict: another request has the same job_id")


def test_a_job_requested_again_after_step_functions_has_forgotten_its_name_does_not_run_again(account: Account) -> None:
    event = requested(account.put(SALES), sales())
    account.run(event)
    account.states.delete_state_machine(stateMachineArn=account.machine)  # every start fails now
    assert account.start(event) == [("duplicate", None)]


def test_an_interrupted_start_is_completed_by_the_redelivery(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    event = requested(account.put(SALES), sales())
    account.module("start_job")
    interrupted(monkeypatch, "stepfunctions", "StartExecution")
    with pytest.raises(KeyboardInterrupt):
        account.start(event)
    assert (account.job()["state"], account.executions()) == ("REQUESTED", [])
    assert account.start(event) == [("duplicate", None)]
    assert len(account.executions()) == 1


def test_an_execution_that_is_over_before_its_start_is_known_is_not_started_again(account: Account) -> None:
    event = requested(account.put(SALES), sales())
    name = jobs.execution_name("job-1")
    account.states.start_execution(stateMachineArn=account.machine, name=name, input="{}")
    assert account.start(event) == [("processed", None)]
    assert account.executions() == [name]


def test_an_invalid_request_between_valid_ones_affects_none_of_them(account: Account) -> None:
    uri = account.put(SALES)
    outcomes = account.start(
        requested(uri, sales(), job_id="a"),
        requested(uri, sales(sum=()), job_id="a"),
        requested(uri, sales(), job_id="b"),
    )
    assert [outcome for outcome, _ in outcomes] == ["processed", "rejected", "processed"]
    assert len(account.executions()) == 2


def test_the_name_of_an_execution_is_readable_unique_and_within_the_limits() -> None:
    name = jobs.execution_name
    long = ["x" * 127 + end for end in "ab"]
    names = [name(each) for each in ("a.b", "a-b", "a_b", *long)]
    assert len(set(names)) == 5
    assert all(len(each) <= 80 and each.replace("-", "").replace("_", "").isalnum() for each in names)
    assert names[0].startswith("a-b-")


def test_a_chunk_done_twice_counts_once(account: Account) -> None:
    account.start(requested(account.put(PEOPLE), people()))
    chunks = account.plan("job-1")
    for chunk in [*chunks, *chunks, chunks[0]]:
        account.process("job-1", chunk)
    assert account.finish("job-1") == "COMPLETED"
    assert (account.job()["good"], account.job()["chunks_done"]) == (3, len(chunks))
    assert len(account.rows()) == 3


@pytest.mark.parametrize(
    ("service", "operation"),
    [("dynamodb", "BatchWriteItem"), ("s3", "PutObject"), ("dynamodb", "PutItem"), ("dynamodb", "UpdateItem")],
    ids=["before its rows", "between rows and rejects", "before it is counted", "before its count shows"],
)
def test_a_chunk_that_was_interrupted_is_done_again(
    account: Account, monkeypatch: pytest.MonkeyPatch, service: str, operation: str
) -> None:
    account.start(requested(account.put(PEOPLE), people()))
    chunks = account.plan("job-1")
    interrupted(monkeypatch, service, operation)
    touched = 0
    for chunk in chunks:
        try:
            account.process("job-1", chunk)
        except KeyboardInterrupt:
            touched += 1
            account.process("job-1", chunk)
    assert touched == 1
    account.finish("job-1")
    assert (account.job()["good"], account.job()["rejected"]) == (3, 2)
    assert len(account.rows()) == 3


@pytest.mark.parametrize(
    ("service", "operation"),
    [("s3", "PutObject"), ("dynamodb", "TransactWriteItems"), ("sns", "PublishBatch"), ("dynamodb", "UpdateItem")],
    ids=["before its files", "before it is decided", "before it is published", "before that is noted"],
)
def test_an_interrupted_last_step_is_repeated_and_publishes_one_outcome(
    account: Account, monkeypatch: pytest.MonkeyPatch, service: str, operation: str
) -> None:
    account.start(requested(account.put(PEOPLE), people()))
    for chunk in account.plan("job-1"):
        account.process("job-1", chunk)
    interrupted(monkeypatch, service, operation)
    with pytest.raises(KeyboardInterrupt):
        account.finish("job-1")
    assert account.finish("job-1") == "COMPLETED"
    assert len({event.id for event in account.published()}) == 1
    assert len(account.dataset()) == 3


def test_an_import_becomes_visible_all_at_once(account: Account) -> None:
    account.run(requested(account.put("id,name,born\n7,Old,\n"), people(), job_id="old"))
    account.start(requested(account.put(PEOPLE), people()))
    for chunk in account.plan("job-1"):
        account.process("job-1", chunk)
        assert [row["name"] for row in account.dataset()] == ["Old"]
    account.finish("job-1")
    assert [row["name"] for row in account.dataset()] == ["Ada", "Bo", "Élodie"]


def test_an_import_that_ends_after_one_requested_later_is_superseded_and_says_so(account: Account) -> None:
    older = requested(account.put("id,name,born\n7,Old,\n,Bad,\n"), people(), job_id="older")
    account.start(older)
    for chunk in account.plan("older"):
        account.process("older", chunk)
    account.run(requested(account.put(PEOPLE), people(), job_id="newer"))
    assert account.finish("older") == "FAILED"
    assert account.finish("older") == "FAILED"
    assert [row["name"] for row in account.dataset()] == ["Ada", "Bo", "Élodie"]
    _, outcome = account.published()
    assert (outcome.data.job_id, outcome.data.reason, outcome.data.good) == ("older", "superseded", 1)
    assert outcome.data.detail == "people shows an import that was requested later"
    assert len(account.table("rejects", "older")) == 2


def test_of_two_imports_requested_in_one_millisecond_the_same_one_shows_whichever_ends_first(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "_now", lambda: "2026-11-22T10:00:00.000Z")
    uris = {name: account.put(f"id,name,born\n7,{name},\n", f"inputs/{name}.csv") for name in "ab"}
    for dataset, order in (("one", "ab"), ("other", "ba")):
        for name in order:
            account.run(requested(uris[name], people(dataset=dataset), job_id=f"{dataset}-{name}"))
        assert [row["name"] for row in account.dataset(dataset)] == ["b"]


def test_more_bad_rows_than_tolerated_fail_the_job_whole(account: Account) -> None:
    account.run(requested(account.put("id,name,born\n7,Old,\n"), people(), job_id="old"))
    job = account.run(requested(account.put(PEOPLE), people(tolerated_percent=39.9)))
    assert (job["state"], job["reason"]) == ("FAILED", "too_many_rejected")
    assert job["detail"] == "2 of 5 rows are bad; 39.9 % are tolerated"
    assert [row["name"] for row in account.dataset()] == ["Old"]
    assert len(account.table("rejects")) == 3
    [_, outcome] = account.published()
    assert isinstance(outcome.data, JobFailed)
    assert (outcome.data.reason, outcome.data.rejected) == ("too_many_rejected", 2)


def test_exactly_as_many_bad_rows_as_tolerated_are_tolerated(account: Account) -> None:
    assert account.run(requested(account.put(PEOPLE), people(tolerated_percent=40)))["state"] == "COMPLETED"


def amounts(count: int) -> list[str]:
    """The rows of a file of id, name and amount, with the row of its columns."""
    return ["id,name,amount", *(f"{number},customer {number},{number}.50" for number in range(1, count + 1))]


def invoices(**changes: Any) -> Parameters:
    """An import of such a file; 1 % of its rows may be bad."""
    columns = (Column(name="id", type="integer"), Column(name="name"), Column(name="amount", type="decimal"))
    return Parameters(**{"dataset": "invoices", "columns": columns, "tolerated_percent": 1, **changes})


def totals(**changes: Any) -> Parameters:
    """A report of such a file."""
    return Parameters(**{"group_by": ("name",), "sum": ("amount",), "tolerated_percent": 1, **changes})


EITHER_KIND = pytest.mark.parametrize("parameters", [invoices, totals])


@EITHER_KIND
def test_rows_after_a_quote_that_is_never_closed_count_as_rejected(
    account: Account, monkeypatch: pytest.MonkeyPatch, parameters: Callable[..., Parameters]
) -> None:
    monkeypatch.setenv("CHUNK_ROWS", "300")
    account.run(requested(account.put("\n".join(amounts(3))), parameters(), job_id="old"))
    lines = amounts(5000)
    lines[1000] = '1000,"customer 1000,1000.50'
    job = account.run(requested(account.put("\n".join(lines)), parameters()))
    assert (job["state"], job["reason"], job["rows"]) == ("FAILED", "too_many_rejected", 5000)
    assert (job["good"], job["rejected"]) == (999, 4001)
    [_, reject] = account.table("rejects")
    assert reject == ["1001", "", "malformed: unexpected end of data; 4001 rows are lost", ""]
    assert len(account.dataset("invoices")) == (3 if parameters is invoices else 0)


@EITHER_KIND
def test_rows_between_two_stray_quotes_count_as_rejected(
    account: Account, monkeypatch: pytest.MonkeyPatch, parameters: Callable[..., Parameters]
) -> None:
    monkeypatch.setenv("CHUNK_ROWS", "300")
    lines = amounts(2000)
    lines[1000] = '1000,"customer 1000,1000.50'
    lines[1500] = '1500,customer 1500",1500.50'
    job = account.run(requested(account.put("\r\n".join(lines)), parameters()))
    assert (job["state"], job["reason"]) == ("FAILED", "too_many_rejected")
    assert (job["good"], job["rejected"]) == (1499, 501)
    assert account.table("rejects")[1:] == [["1001", "", "malformed: a stray quote; 501 rows are lost", ""]]


@EITHER_KIND
def test_a_text_over_several_lines_is_one_row(account: Account, parameters: Callable[..., Parameters]) -> None:
    text = 'id,name,amount\n1,"12 Main Street\n\nSpringfield, IL, USA",1\n2,"a, b, c\nd, e, f",2\n'
    job = account.run(requested(account.put(text), parameters()))
    assert (job["state"], job["good"], job["rejected"]) == ("COMPLETED", 2, 0)


@EITHER_KIND
def test_a_first_line_that_names_the_delimiter_is_not_a_row(
    account: Account, parameters: Callable[..., Parameters]
) -> None:
    text = "\ufeffsep=;\r\nid;name;amount\r\n1;Ann, Bo;1.5\r\n2;Cy;2.5\r\n3;Di;3.5\r\n4;Ed;x\r\n"
    job = account.run(requested(account.put(text), parameters(tolerated_percent=25)))
    assert (job["state"], job["good"]) == ("COMPLETED", 3)
    assert account.table("rejects")[1][:2] == ["5", "amount"], "the names of the columns are row 1"
    names = [row["name"] for row in account.dataset("invoices")] or [row[0] for row in account.table("report")[1:]]
    assert names == ["Ann, Bo", "Cy", "Di"]


def test_a_value_longer_than_the_csv_modules_own_limit_is_imported(account: Account) -> None:
    long = "x" * 200_000
    job = account.run(requested(account.put(f'id,name,amount\n1,"{long}",1\n'), invoices()))
    assert job["state"] == "COMPLETED"
    assert account.dataset("invoices") == [{"id": 1, "name": long, "amount": 1}]


def test_a_column_that_a_report_does_not_use_may_be_of_any_length(account: Account) -> None:
    text = f"id,name,amount,note\n1,Ann,1.50,{'x' * 900_000}\n"
    account.run(requested(account.put(text), totals()))
    assert account.table("report")[1:] == [["Ann", "1", "1.50"]]


def test_the_rows_of_a_failed_import_are_discarded_and_those_of_no_other(account: Account) -> None:
    account.run(requested(account.put("id,name,born\n7,Old,\n"), people(), job_id="old"))
    account.run(requested(account.put(PEOPLE), people(tolerated_percent=0)))
    assert len(account.rows()) == 4
    for job_id in ("job-1", "old"):
        for chunk in json.loads(account.text(account.job(job_id)["manifest"])):
            account.process(job_id, chunk, discard=True)
    assert [row["name"] for row in account.rows().values()] == ["Old"]


def test_a_chunk_that_writes_after_its_job_was_discarded_leaves_no_row_behind(account: Account) -> None:
    account.start(requested(account.put(PEOPLE), people()))
    first, *_ = account.plan("job-1")
    process = account.module("process_chunk")
    begun: list[Any] = []

    def given_up(**_: Any) -> None:
        if not begun:
            begun.append("its rows are written, and it is about to be counted")
            assert account.rows()
            account.finish("job-1", error={"Error": "States.ExceedToleratedFailureThreshold", "Cause": ""})
            process.handler({"job_id": "job-1", "chunk": first, "discard": True}, LambdaContext())
            process.imports.write("job-1", first["number"], [(2, {"id": {"N": "1"}})])  # the last of its batches

    aws.client("dynamodb").meta.events.register("before-call.dynamodb.PutItem", given_up)
    with pytest.raises(Exception, match="job-1") as caught:
        process.handler({"job_id": "job-1", "chunk": first}, LambdaContext())
    assert (type(caught.value).__name__, begun != []) == ("JobOverError", True)
    assert account.rows() == {}
    assert account.job()["chunks_done"] == 0


def test_chunks_counted_at_the_same_time_do_not_conflict(account: Account) -> None:
    account.start(requested(account.put(PEOPLE), people()))
    chunks = account.plan("job-1")

    transactions: list[Any] = []
    aws.client("dynamodb").meta.events.register(
        "before-call.dynamodb.TransactWriteItems", lambda **call: transactions.append(call)
    )
    for chunk in chunks:
        account.process("job-1", chunk)
    assert transactions == [], "two transactions about the job's record cancel each other"
    assert account.finish("job-1") == "COMPLETED"


@pytest.mark.parametrize("status", ["ABORTED", "TIMED_OUT", "FAILED"])
def test_an_execution_that_ended_without_a_reason_fails_its_job(account: Account, status: str) -> None:
    account.start(requested(account.put(PEOPLE), people()))
    first, *_ = account.plan("job-1")
    account.process("job-1", first)
    [name] = account.executions()
    detail = {"executionArn": "arn:execution", "name": name, "status": status, "input": '{"job_id": "job-1"}'}
    finish = account.module("finish_job")
    for _ in range(2):
        finish.handler({"detail-type": "Step Functions Execution Status Change", "detail": detail}, None)
    [outcome] = account.published()
    reasons = {"ABORTED": "aborted", "TIMED_OUT": "timed_out", "FAILED": "internal_error"}
    assert outcome.data.reason == reasons[status]
    assert account.dataset() == []


def test_a_late_step_of_an_ended_job_changes_nothing(account: Account) -> None:
    account.start(requested(account.put(PEOPLE), people()))
    chunks = account.plan("job-1")
    account.finish("job-1", error={"Error": "States.Timeout", "Cause": ""})
    before = account.job()
    for step in (lambda: account.plan("job-1"), lambda: account.process("job-1", chunks[0])):
        with pytest.raises(Exception, match="job-1") as caught:
            step()
        assert type(caught.value).__name__ == "JobOverError"
    assert account.finish("job-1") == "FAILED"
    assert account.job() == before
    assert before["reason"] == "internal_error"


def test_a_job_that_is_planned_again_keeps_its_chunks(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.start(requested(account.put(PEOPLE), people()))
    chunks = account.plan("job-1")
    account.process("job-1", chunks[0])
    account.put("id,name,born\n")
    assert account.plan("job-1") == chunks


def test_of_two_concurrent_plans_one_counts_completely_although_the_file_was_replaced_between_them(
    account: Account,
) -> None:
    account.start(requested(account.put(PEOPLE), people()))
    longer = "id,name,born\n" + "".join(f"{number},{'x' * 30},\n" for number in range(9))
    other: list[list[dict[str, Any]]] = []
    plan = account.module("plan_job")

    def overtaken(params: dict[str, Any], **_: Any) -> None:
        if not other:
            other.append([])
            account.put(longer)
            place = plan.handler({"job_id": "job-1", "execution_arn": "arn:execution"}, LambdaContext())
            other[0] = json.loads(account.text(place["key"]))

    aws.client("s3").meta.events.register("before-call.s3.PutObject", overtaken)
    chunks = account.plan("job-1")
    assert len(chunks) == account.job()["chunks"] == 3
    assert chunks == other[0]
    for chunk in chunks:
        account.process("job-1", chunk)
    assert account.finish("job-1") == "COMPLETED"
    assert {row["name"] for row in account.dataset()} == {"x" * 30}


def test_a_job_without_a_recorded_end_is_failed_when_it_is_requested_again(account: Account) -> None:
    event = requested(account.put(PEOPLE), people())
    account.start(event)
    account.plan("job-1")
    [name] = account.executions()
    assert account.start(event) == [("duplicate", None)]
    assert account.job()["state"] == "RUNNING", "its execution is still under way"
    execution = f"{account.machine.replace(':stateMachine:', ':execution:')}:{name}"
    account.states.stop_execution(executionArn=execution)
    assert account.start(event) == [("duplicate", None)]
    assert [each.data.reason for each in account.published()] == ["aborted"]


def test_an_execution_that_no_request_has_started_fails_no_job(account: Account) -> None:
    account.start(requested(account.put(PEOPLE), people()))
    detail = {"executionArn": "a", "name": "by-hand", "status": "ABORTED", "input": '{"job_id": "job-1"}'}
    account.module("finish_job").handler({"detail": detail}, None)
    assert account.job()["state"] == "REQUESTED"


def test_a_job_whose_chunks_are_not_all_done_does_not_complete(account: Account) -> None:
    account.start(requested(account.put(PEOPLE), people()))
    account.plan("job-1")
    with pytest.raises(RuntimeError, match="0 of 2 chunks"):
        account.finish("job-1")
    assert account.job()["state"] == "RUNNING"


def test_an_unpublished_outcome_is_published_when_the_job_is_requested_again(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = requested(account.put(SALES), sales())
    account.start(event)
    for chunk in account.plan("job-1"):
        account.process("job-1", chunk)
    interrupted(monkeypatch, "sns", "PublishBatch")
    with pytest.raises(KeyboardInterrupt):
        account.finish("job-1")
    assert account.start(event) == [("duplicate", None)]
    assert [each.type for each in account.published()] == ["job.completed.v1"]
    assert account.start(event) == [("duplicate", None)]
    assert account.published() == []


def test_rows_that_the_table_did_not_accept_at_once_are_sent_again(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.start(requested(account.put(PEOPLE), people()))
    chunks = account.plan("job-1")
    refused: list[Any] = []

    def half(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
        if not refused:
            request = {"PutRequest": {"Item": {"pk": {"S": "rows#job-1#00000"}, "sk": {"S": "row#late"}}}}
            parsed["UnprocessedItems"] = {"imports": [request]}
            refused.append(request)

    aws.client("dynamodb").meta.events.register("after-call.dynamodb.BatchWriteItem", half)
    account.process("job-1", chunks[0])
    assert account.item("imports", "rows#job-1#00000", "row#late")


def test_a_request_has_the_columns_of_its_kind(account: Account) -> None:
    with pytest.raises(ValueError, match="columns named twice: a"):
        requested("s3://abc/f", people(columns=(Column(name="a"), Column(name="a"))))
