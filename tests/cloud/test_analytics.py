"""Firehose, S3, Glue and Athena: SQL that Trino runs, on objects that Firehose made; and a job's Distributed Map."""

import json
from typing import Any

import pytest

from fanout_cli.demo.definition import Check
from fanout_cli.lakes.athena import Lake
from tests.cloud.stack import Stack

LAKES = ("application_logs", "data_aggregation")


# A query has to name the value of an injected partition column.
# https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
WHERE = {"entries_by_service": "WHERE service = 'cloud-test'"}


@pytest.mark.cloud("glue-views")
@pytest.mark.cloud("athena")
@pytest.mark.cloud("pushdown")
@pytest.mark.parametrize("use_case", LAKES)
def test_every_view_of_a_lake_returns_a_number(stack: Stack, use_case: str) -> None:
    """Also that the condition on an injected column reaches the table below the view: else Athena refuses the query."""
    database = stack.of(use_case, "AnalyticsDatabase")
    tables = stack.client("glue").get_tables(DatabaseName=database)["TableList"]
    views = [each["Name"] for each in tables if each.get("TableType") == "VIRTUAL_VIEW"]
    assert views
    lake = Lake(stack.client, stack.topology, use_case)
    for view in views:
        [[number]] = lake.query(f"SELECT count(*) FROM {view} {WHERE.get(view, '')}").rows
        assert isinstance(number, int), view


@pytest.fixture(scope="module")
def check(stack: Stack) -> Check:
    """Whether an event of today is in the lake, after as long as Firehose may collect."""
    event = stack.sample("data_aggregation", "web.pageview.v1")
    stack.publish_text("DataAggregation", json.dumps(event))
    [found] = stack.demo("data_aggregation").others([event])
    return found


@pytest.mark.cloud("projection")
@pytest.mark.cloud("firehose-buffer")
@pytest.mark.cloud("athena")
def test_an_event_is_found_once_in_the_lake_by_its_day(check: Check) -> None:
    assert check.found, check.what


@pytest.mark.cloud("pushdown")
def test_a_query_on_a_view_reads_the_days_that_it_asks_for_and_no_others(stack: Stack, check: Check) -> None:
    assert check.found, check.what
    lake = Lake(stack.client, stack.topology, "data_aggregation")
    all_days = lake.query("SELECT count(DISTINCT raw) FROM events").scanned_bytes
    first_day = stack.parameters["LakeFirstDay"]
    one_day = lake.query(f"SELECT count(DISTINCT raw) FROM events WHERE dt = '{first_day}'").scanned_bytes
    assert one_day < all_days


@pytest.mark.cloud("workgroup")
def test_the_workgroup_sets_the_location_and_encryption_of_results(stack: Stack) -> None:
    athena = stack.client("athena")
    group = stack.of("data_aggregation", "AnalyticsWorkGroup")
    settings = athena.get_work_group(WorkGroup=group)["WorkGroup"]["Configuration"]
    assert settings["EnforceWorkGroupConfiguration"] is True
    place = settings["ResultConfiguration"]["OutputLocation"]
    query = athena.start_query_execution(
        QueryString="SELECT 1", WorkGroup=group, ResultConfiguration={"OutputLocation": f"{place}elsewhere/"}
    )["QueryExecutionId"]

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
        return None if found["Status"]["State"] in {"QUEUED", "RUNNING"} else found

    execution = stack.eventually(ended, "the query's end", every=1)
    assert execution is not None
    found = execution["ResultConfiguration"]
    assert execution["Status"]["State"] == "SUCCEEDED"
    assert "elsewhere" not in found["OutputLocation"]
    assert found["EncryptionConfiguration"]["EncryptionOption"] == "SSE_KMS"


@pytest.mark.cloud("result-writer")
def test_a_job_on_a_whole_file_keeps_the_files_of_its_map(stack: Stack) -> None:
    event = stack.sample("batch_jobs", "job.requested.v1")
    stack.publish_text("BatchJobs", json.dumps(event))
    stack.eventually(lambda: stack.demo("batch_jobs").effect(event, "start_job"), "the job's end", minutes=10)
    found = stack.client("s3").list_objects_v2(Bucket=stack.of("batch_jobs", "JobBucketName"), Prefix="work/maps")
    assert any(each["Key"].endswith("manifest.json") for each in found.get("Contents", []))
