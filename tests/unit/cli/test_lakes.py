"""Asking a lake: SQL in, rows out, and every mistake in words; Athena is played by a stand-in."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fanout_cli.commands import analytics
from fanout_cli.errors import UsageError, UserError
from fanout_cli.lakes.athena import Lake
from fanout_cli.stack.topology import Topic, Topology
from tests.unit.cli.conftest import Result

Run = Callable[..., Result]
OUTPUTS = {"AnalyticsWorkGroup": "fanout-1", "AnalyticsDatabase": "db_1"}
COLUMNS = [("kind", "varchar"), ("events", "bigint"), ("share", "double"), ("known", "boolean"), ("price", "decimal")]


class Athena:
    """Answers one query, page by page, after having been busy for a while."""

    def __init__(
        self, *rows: list[str | None], statement: str = "DML", columns: list[tuple[str, str]] = COLUMNS
    ) -> None:
        self.rows = rows
        self.columns = columns
        self.statement = statement
        self.states = ["QUEUED", "RUNNING", "SUCCEEDED"]
        self.reason = ""
        self.refusal: ClientError | None = None
        self.requests: list[dict[str, Any]] = []
        self.stopped: list[str] = []

    def start_query_execution(self, **request: Any) -> dict[str, str]:
        if self.refusal:
            raise self.refusal
        self.requests.append(request)
        return {"QueryExecutionId": "q1"}

    def get_query_execution(self, **request: str) -> dict[str, Any]:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        status = {"State": state, "StateChangeReason": self.reason}
        statistics = {"DataScannedInBytes": 12_345}
        return {
            "QueryExecution": {
                "QueryExecutionId": request["QueryExecutionId"],
                "Status": status,
                "StatementType": self.statement,
                "Statistics": statistics,
            }
        }

    def stop_query_execution(self, **request: str) -> None:
        self.stopped.append(request["QueryExecutionId"])

    def get_paginator(self, operation: str) -> "Athena":
        assert operation == "get_query_results"
        return self

    def paginate(self, **request: str) -> Iterator[dict[str, Any]]:
        assert request == {"QueryExecutionId": "q1"}
        about = [{"Name": name, "Type": kind} for name, kind in self.columns]
        header = [[name for name, _ in self.columns]] if self.statement == "DML" else []
        lines = [*header, *self.rows]
        for first in range(0, len(lines) or 1, 2):  # pages of two
            rows = [
                {"Data": [{} if value is None else {"VarCharValue": value} for value in line]}
                for line in lines[first : first + 2]
            ]
            yield {"ResultSet": {"Rows": rows, "ResultSetMetadata": {"ColumnInfo": about}}}


def topology(**outputs: dict[str, str]) -> Topology:
    topics = tuple(Topic(use_case, f"arn:{use_case}", use_case, ()) for use_case in outputs)
    return Topology("fanout-dev", topics, {}, outputs)


def lake(athena: Athena) -> Lake:
    return Lake(lambda _: athena, topology(data_aggregation=OUTPUTS), "data_aggregation")


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fanout_cli.lakes.athena.time.sleep", lambda _: None)


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Athena:
    """What the command finds: a stack whose data_aggregation has a lake and whose team_events has none."""
    athena = Athena(["a", "3", "0.5", "true", "1.50"], [None, "4", None, "false", None], ["[red]", "5", "1", None, "2"])

    class Target:
        def client(self, _: str) -> Athena:
            return athena

        def topology(self) -> Topology:
            return topology(data_aggregation=OUTPUTS, team_events={})

    monkeypatch.setattr(analytics, "resolve", lambda *_: Target())
    return athena


def test_rows_come_with_numbers_as_numbers_and_null_as_none_across_pages() -> None:
    athena = Athena(["a", "3", "0.5", "true", "1.50"], [None, "4", None, "false", None], ["b", "5", "1", None, "2"])
    answer = lake(athena).query("SELECT 1")
    assert answer.columns == [name for name, _ in COLUMNS]
    assert list(answer.rows) == [
        ["a", 3, 0.5, True, "1.50"], [None, 4, None, False, None], ["b", 5, 1.0, None, "2"]
    ]  # fmt: skip
    assert athena.requests == [
        {"QueryString": "SELECT 1", "QueryExecutionContext": {"Database": "db_1"}, "WorkGroup": "fanout-1"}
    ]


def test_a_row_that_reads_like_the_names_of_the_columns_is_kept_where_there_is_no_such_header() -> None:
    names = [name for name, _ in COLUMNS[:1]]
    answer = lake(Athena(["kind", "1", "1", "true", "1"], statement="UTILITY")).query("SHOW TABLES")
    assert [row[:1] for row in answer.rows] == [names]


def test_what_describe_answers_in_one_text_with_tabs_comes_in_its_columns() -> None:
    columns = [("col_name", "string"), ("data_type", "string"), ("comment", "string")]
    rows: list[list[str | None]] = [
        ["dt                  \tstring              \t                    "], ["# Partition Information\t\t "], [""]
    ]  # fmt: skip
    answer = lake(Athena(*rows, statement="UTILITY", columns=columns)).query("DESCRIBE events")
    assert list(answer.rows) == [["dt", "string", ""], ["# Partition Information", "", ""], ["", None, None]]


def test_columns_of_one_name_are_told_apart() -> None:
    names = ["total", "total", "total_2", "total", "other"]
    athena = Athena([*"12345"], columns=[(name, "bigint") for name in names])
    answer = lake(athena).query("SELECT 1")
    assert answer.columns == ["total", "total_3", "total_2", "total_4", "other"]
    assert list(answer.rows) == [[1, 2, 3, 4, 5]]


def test_an_answer_without_rows_has_its_columns() -> None:
    answer = lake(Athena()).query("SELECT 1")
    assert (answer.columns[0], list(answer.rows)) == ("kind", [])


def test_progress_shows_the_state_of_the_query() -> None:
    said: list[str] = []
    lake(Athena()).query("SELECT 1", said.append)
    assert said == ["Athena says: queued", "Athena says: running"]


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED"])
def test_a_failed_query_shows_athenas_message(state: str) -> None:
    athena = Athena()
    athena.states, athena.reason = ["RUNNING", state], "SYNTAX_ERROR: line 1:8: Column 'x' cannot be resolved"
    with pytest.raises(UserError, match="Column 'x' cannot be resolved") as raised:
        lake(athena).query("SELECT x FROM events")
    assert "view" in raised.value.next_step


def test_a_query_that_athena_does_not_even_take_is_a_mistake_and_not_a_traceback() -> None:
    athena = Athena()
    error = {"Error": {"Code": "InvalidRequestException", "Message": "Only one sql statement is allowed"}}
    athena.refusal = ClientError(error, "StartQueryExecution")
    with pytest.raises(UserError, match="Only one sql statement"):
        lake(athena).query("SELECT 1; SELECT 2")


def test_missing_permission_stays_what_it_is() -> None:
    athena = Athena()
    athena.refusal = ClientError({"Error": {"Code": "AccessDeniedException"}}, "StartQueryExecution")
    with pytest.raises(ClientError):
        lake(athena).query("SELECT 1")


def test_who_stops_waiting_stops_the_query() -> None:
    athena = Athena()

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lake(athena).query("SELECT 1", interrupt)
    assert athena.stopped == ["q1"]


def test_a_use_case_that_is_not_deployed_is_named() -> None:
    with pytest.raises(UserError, match="data_aggregation is not deployed in stack fanout-dev"):
        Lake(lambda _: Athena(), topology(team_events={}), "data_aggregation")


def test_a_use_case_without_a_lake_is_told_which_have_one() -> None:
    with pytest.raises(UsageError, match="team_events has no lake") as raised:
        Lake(lambda _: Athena(), topology(team_events={}, data_aggregation=OUTPUTS), "team_events")
    assert raised.value.next_step == "These have one: data_aggregation."


def test_the_answer_is_a_table_whose_cells_are_not_markup(run: Run, deployed: Athena) -> None:
    result = run("analytics", "query", " SELECT 1 ")
    assert result.exit_code == 0
    assert deployed.requests[0]["QueryString"] == "SELECT 1"
    for text in ("kind", "events", "0.5", "[red]"):
        assert text in result.out
    assert "3 rows, 12,345 bytes read." in result.err


def test_with_json_each_line_is_a_row(run: Run, deployed: Athena) -> None:
    result = run("analytics", "query", "SELECT 1", "--json")
    rows = [json.loads(line) for line in result.out.splitlines()]
    assert rows[0] == {"kind": "a", "events": 3, "share": 0.5, "known": True, "price": "1.50"}
    assert [row["events"] for row in rows] == [3, 4, 5]


def test_a_dash_reads_the_query_from_standard_input(
    run: Run, deployed: Athena, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT\n  2\n"))
    assert run("analytics", "query", "-", "--json").exit_code == 0
    assert deployed.requests[0]["QueryString"] == "SELECT\n  2"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["  "], "there is no query"),
        (["SELECT 1", "--use-case", "data_agregation"], "did you mean data_aggregation?"),
        (["SELECT 1", "--use-case", "team_events"], "team_events has no lake"),
        ([], "Missing argument"),
    ],
)
def test_wrong_usage_has_a_message(run: Run, deployed: Athena, arguments: list[str], said: str) -> None:
    result = run("analytics", "query", *arguments)
    assert (result.exit_code, result.out) == (2, "")
    assert said in result.err
    assert not deployed.requests
