"""Firehose, S3, Glue and Athena: SQL that Trino runs, on objects that Firehose made; and a job's Distributed Map."""

import json
from typing import Any

import pytest

from fanout_cli.lakes import Lake
from tests.cloud.stack import Stack

LAKES = ("application_logs", "data_aggregation")


@pytest.mark.cloud(
    "Athena's own SQL (Trino's) and its SerDes",
    here="the engine runs DuckDB on the lines",
    instead="the views' SQL is kept to what both understand (`tests/template/test_lakes.py`)",
)
@pytest.mark.parametrize("use_case", LAKES)
def test_every_view_of_a_lake_gives_a_number(stack: Stack, use_case: str) -> None:
    database = stack.of(use_case, "AnalyticsDatabase")
    tables = stack.client("glue").get_tables(DatabaseName=database)["TableList"]
    views = [each["Name"] for each in tables if each.get("TableType") == "VIRTUAL_VIEW"]
    assert views
    lake = Lake(stack.client, stack.topology, use_case)
    for view in views:
        [[number]] = lake.query(f"SELECT count(*) FROM {view}").rows
        assert isinstance(number, int), view


@pytest.mark.cloud(
    "partition projection",
    here="the engine reads every object under a table's location, whatever range, and whatever service is (not) named",
    instead="`tests/template/test_lakes.py` holds paths, ranges and types against what is written",
)
@pytest.mark.cloud("Firehose collects (`LakeBufferSeconds`)", aws="300 s by default, 60 at least", here="1 s")
@pytest.mark.cloud("Athena's own SQL (Trino's) and its SerDes")
def test_an_event_is_found_once_in_the_lake_by_its_day(stack: Stack) -> None:
    event = stack.sample("data_aggregation", "web.pageview.v1")
    stack.publish_text("DataAggregation", json.dumps(event))
    [check] = stack.demo("data_aggregation").others([event])  # waits for as long as Firehose may collect
    assert check.found, check.what


@pytest.mark.cloud(
    "Athena's workgroup: encryption of the answers, limits, enforced settings", here="stored", instead="nothing here"
)
def test_the_workgroup_decides_where_answers_lie_and_that_they_are_encrypted(stack: Stack) -> None:
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


@pytest.mark.cloud(
    "a Distributed Map's `ResultWriter`",
    here="the engine keeps the results in memory",
    instead="nothing here; no step reads them",
)
def test_a_job_on_a_whole_file_leaves_what_its_map_wrote(stack: Stack) -> None:
    event = stack.sample("batch_jobs", "job.requested.v1")
    stack.publish_text("BatchJobs", json.dumps(event))
    stack.eventually(lambda: stack.demo("batch_jobs").effect(event, "start_job"), "the job's end", minutes=10)
    found = stack.client("s3").list_objects_v2(Bucket=stack.of("batch_jobs", "JobBucketName"), Prefix="work/maps")
    assert any(each["Key"].endswith("manifest.json") for each in found.get("Contents", []))
