"""Query the lakes of the use cases that have one: SQL through Athena, locally and on AWS."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from fanout_cli.errors import UsageError, UserError
from fanout_cli.stack.topology import Topology

_FIRST_POLL, _LONGEST_POLL = 0.1, 2.0
_NUMBERS: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), int),
    **dict.fromkeys(("float", "real", "double"), float),
    "boolean": lambda text: text == "true",
}


@dataclass(frozen=True)
class Answer:
    """The answer to a query."""

    columns: list[str]
    """Each of its own name: a second `total` is `total_2`."""
    rows: Iterator[list[Any]]
    """Numbers and truth values as such, everything else as Athena's text; None for NULL. Read page by page."""
    scanned_bytes: int


class Lake:
    """The lake of a deployed use case."""

    def __init__(self, client: Callable[[str], Any], topology: Topology, use_case: str) -> None:
        if use_case not in topology.use_cases:
            raise UserError(
                f"{use_case} is not deployed in stack {topology.stack_name}",
                "Deploy it: fanout up locally, sam deploy on AWS.",
            )
        outputs = topology.outputs.get(use_case, {})
        if "AnalyticsWorkGroup" not in outputs or "AnalyticsDatabase" not in outputs:
            others = sorted(name for name, each in topology.outputs.items() if "AnalyticsWorkGroup" in each)
            raise UsageError(f"use case {use_case} has no lake", f"These have one: {', '.join(others) or 'none'}.")
        self._work_group = outputs["AnalyticsWorkGroup"]
        self._database = outputs["AnalyticsDatabase"]
        self._athena = client("athena")

    def query(self, sql: str, progress: Callable[[str], None] = lambda _: None) -> Answer:
        """Return the answer to a query in Athena's SQL (locally DuckDB's).

        progress: called repeatedly with what is being waited for. Raises UserError with Athena's message if it refuses
        the query or fails. An interruption stops the query.
        """
        try:
            started = self._athena.start_query_execution(
                QueryString=sql, QueryExecutionContext={"Database": self._database}, WorkGroup=self._work_group
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidRequestException":
                raise
            raise UserError(f"Athena refuses the query: {error.response['Error']['Message']}", _HINT) from None
        query_id = started["QueryExecutionId"]
        try:
            execution = self._wait(query_id, progress)
        except BaseException:
            self._athena.stop_query_execution(QueryExecutionId=query_id)
            raise
        status = execution["Status"]
        if status["State"] != "SUCCEEDED":
            reason = status.get("StateChangeReason") or status["State"].lower()
            raise UserError(f"the query has failed: {reason}", _HINT)
        return self._answer(execution)

    def _wait(self, query_id: str, progress: Callable[[str], None]) -> dict[str, Any]:
        pause = _FIRST_POLL
        while True:
            execution: dict[str, Any] = self._athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            state = execution["Status"]["State"]
            if state not in {"QUEUED", "RUNNING"}:
                return execution
            progress(f"Athena says: {state.lower()}")
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_POLL)

    def _answer(self, execution: dict[str, Any]) -> Answer:
        pages = iter(
            self._athena.get_paginator("get_query_results").paginate(QueryExecutionId=execution["QueryExecutionId"])
        )
        first = next(pages)["ResultSet"]
        about = first["ResultSetMetadata"]["ColumnInfo"]
        # The first row of a SELECT's answer holds the names of its columns.
        first_rows = first["Rows"][1:] if execution.get("StatementType") == "DML" else first["Rows"]

        def rows() -> Iterator[list[Any]]:
            for row in first_rows:
                yield _values(row, about)
            for page in pages:
                for row in page["ResultSet"]["Rows"]:
                    yield _values(row, about)

        scanned = execution.get("Statistics", {}).get("DataScannedInBytes", 0)
        return Answer(_distinct(column["Name"] for column in about), rows(), scanned)


_HINT = (
    "The tables: raw data and a view that gives each event once; the use case's README names them and their columns."
)


def _values(row: dict[str, Any], about: list[dict[str, Any]]) -> list[Any]:
    texts = [value.get("VarCharValue") for value in row["Data"]]
    if len(texts) == 1 < len(about):  # DESCRIBE: several columns, and each row one text with tabs and spaces in it
        parts = [part.strip() for part in (texts[0] or "").split("\t", len(about) - 1)]
        texts = [*parts, *[None] * (len(about) - len(parts))]
    return [
        None if text is None else _NUMBERS.get(column["Type"], str)(text)
        for text, column in zip(texts, about, strict=True)
    ]


def _distinct(names: Iterable[str]) -> list[str]:
    """Return the names, duplicates numbered."""
    given = list(names)
    found: list[str] = []
    for name in given:
        number, candidate = 2, name
        while candidate in found or (candidate != name and candidate in given):
            candidate, number = f"{name}_{number}", number + 1
        found.append(candidate)
    return found
