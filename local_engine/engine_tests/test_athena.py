"""What Athena answers about tables and views of the catalog."""

import base64
import gzip
import json
from typing import Any

import pytest

from engine_tests.aws import Aws
from tests.waiting import until

JSON = "org.openx.data.jsonserde.JsonSerDe"
ROW = "struct<total:bigint,note:string,lines:array<struct<sku:string,price:decimal(10,2)>>,tags:map<string,int>>"


class Lake:
    """A database of the catalog with a bucket."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self.bucket = aws.name("lake")
        self.database = aws.name("db").replace("-", "_")
        aws.s3.create_bucket(Bucket=self.bucket)
        aws.glue.create_database(DatabaseInput={"Name": self.database})

    def table(self, name: str, columns: dict[str, str], *, partitions: tuple[str, ...] = (), **serde: str) -> None:
        """Add a table of JSON lines."""
        self._aws.glue.create_table(
            DatabaseName=self.database,
            TableInput={
                "Name": name,
                "TableType": "EXTERNAL_TABLE",
                "Parameters": {"classification": "json"},
                "PartitionKeys": [{"Name": each, "Type": "string"} for each in partitions],
                "StorageDescriptor": {
                    "Location": f"s3://{self.bucket}/{name}/",
                    "Columns": [{"Name": each, "Type": kind} for each, kind in columns.items()],
                    "SerdeInfo": {"SerializationLibrary": JSON, "Parameters": serde},
                },
            },
        )

    def view(self, name: str, sql: str, schema: str = "") -> None:
        """Add a view as CREATE VIEW would."""
        view = {"originalSql": sql, "catalog": "awsdatacatalog", "schema": schema or self.database, "columns": []}
        encoded = base64.b64encode(json.dumps(view).encode()).decode()
        self._aws.glue.create_table(
            DatabaseName=self.database,
            TableInput={
                "Name": name,
                "TableType": "VIRTUAL_VIEW",
                "Parameters": {"presto_view": "true"},
                "ViewOriginalText": f"/* Presto View: {encoded} */",
                "ViewExpandedText": "/* Presto View */",
                "StorageDescriptor": {"Columns": [{"Name": "id", "Type": "string"}], "Location": "", "SerdeInfo": {}},
            },
        )

    def put(self, key: str, *lines: Any) -> None:
        """Put an object of JSON lines, compressed."""
        text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
        self._aws.s3.put_object(Bucket=self.bucket, Key=f"{key}.gz", Body=gzip.compress(text.encode()))

    def query(self, sql: str, database: str = "") -> Any:
        """The rows of the answer, or why there is none."""
        query = self._aws.athena.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Database": database or self.database},
            ResultConfiguration={"OutputLocation": f"s3://{self.bucket}/answers/"},
        )["QueryExecutionId"]

        def over() -> Any:
            status = self._aws.athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
            return None if status["State"] in {"QUEUED", "RUNNING"} else status

        status = until(over, f"the answer to {sql}", seconds=20)
        if status["State"] != "SUCCEEDED":
            return status["StateChangeReason"]
        _, *rows = self._aws.athena.get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"]
        return [tuple(value.get("VarCharValue") for value in row["Data"]) for row in rows]


@pytest.fixture
def lake(aws: Aws) -> Lake:
    made = Lake(aws)
    made.table("sales", {"id": "string", "data": ROW}, partitions=("dt",))
    return made


def test_a_table_has_the_columns_of_the_catalog_whatever_its_lines_have(lake: Lake) -> None:
    lake.put("sales/dt=2026-10-08/a", {"id": "1", "data": {"total": 5}, "more": 1}, {"id": "2"})
    lake.put("sales/dt=2026-10-09/b", {"id": "3", "data": {"lines": [{"sku": "x", "price": 1.5}], "tags": {"a": 1}}})
    rows = lake.query("SELECT id, data.total, data.note, dt FROM sales ORDER BY id")
    assert rows == [("1", "5", None, "2026-10-08"), ("2", None, None, "2026-10-08"), ("3", None, None, "2026-10-09")]
    unnested = "SELECT line.sku, line.price FROM sales CROSS JOIN UNNEST(data.lines) AS t(line)"
    assert lake.query(unnested) == [("x", "1.50")]


def test_a_partition_is_called_what_its_folder_is_called(lake: Lake) -> None:
    lake.put("sales/dt=2026%2F10/a", {"id": "1"})
    assert lake.query("SELECT id, dt FROM sales WHERE dt = '2026%2F10'") == [("1", "2026%2F10")]


def test_a_table_without_objects_has_them_too(lake: Lake) -> None:
    assert lake.query("SELECT sum(data.total), count(*) FROM sales WHERE data.note IS NULL") == [(None, "0")]


def test_an_object_in_a_column_of_text_is_its_json(lake: Lake) -> None:
    lake.table("entries", {"context": "string"})
    lake.put("entries/a", {"context": {"b": [1, {"A": None, "a": 2}]}}, {"context": "plain"})
    assert [json.loads(text) if text != "plain" else text for (text,) in lake.query("SELECT context FROM entries")] == [
        {"b": [1, {"A": None, "a": 2}]},
        "plain",
    ]


def test_a_line_that_is_not_json_fails_the_query_unless_the_table_ignores_it(lake: Lake) -> None:
    lake.table("lenient", {"id": "string"}, **{"ignore.malformed.json": "true"})
    for table in ("sales", "lenient"):
        lake.put(f"{table}/dt=2026-10-08/a" if table == "sales" else "lenient/a", {"id": "1"}, "{broken", {"id": "2"})
    assert "Malformed JSON" in lake.query("SELECT id FROM sales")
    assert lake.query("SELECT id FROM lenient WHERE id IS NOT NULL ORDER BY id") == [("1",), ("2",)]


def test_a_view_is_asked_like_a_table(lake: Lake) -> None:
    lake.put("sales/dt=2026-10-08/a", {"id": "1", "data": {"total": 5}}, {"id": "1", "data": {"total": 5}})
    lake.put("sales/dt=2026-10-08/b", {"id": "2", "data": {"total": 7}})
    lake.view(
        "once",
        "SELECT id, data FROM (SELECT *, row_number() OVER (PARTITION BY id ORDER BY dt) AS copy FROM sales) "
        "WHERE copy = 1",
    )
    lake.view("large", "SELECT id FROM once WHERE data.total > 5")
    assert lake.query("SELECT sum(data.total) FROM once") == [("12",)]
    assert lake.query("SELECT once.id, s.dt FROM once JOIN sales AS s ON s.id = once.id WHERE once.id = '2'") == [
        ("2", "2026-10-08")
    ]
    assert lake.query(f"SELECT o.id FROM {lake.database}.once o ORDER BY o.id", "default") == [("1",), ("2",)]
    assert lake.query("SELECT id FROM large") == [("2",)]
    assert lake.query("WITH big AS (SELECT id FROM large) SELECT count(*) FROM big") == [("1",)]


def test_a_view_that_cannot_be_resolved_has_a_reason(lake: Lake) -> None:
    lake.view("loop", "SELECT * FROM loop")
    lake.view("with_first", "WITH x AS (SELECT 1 AS id) SELECT id FROM x")
    assert "refers to itself" in lake.query("SELECT * FROM loop")
    assert "begins with WITH" in lake.query("SELECT * FROM with_first")


def test_upstream_still_guesses_columns_and_has_no_views(upstream: Aws) -> None:
    lake = Lake(upstream)
    lake.table("sales", {"id": "string", "data": ROW})
    lake.put("sales/a", {"id": "1", "data": {"total": 5}})
    lake.view("once", "SELECT id FROM sales")
    assert "note" in lake.query("SELECT data.note FROM sales")
    assert "once does not exist" in lake.query("SELECT id FROM once")
