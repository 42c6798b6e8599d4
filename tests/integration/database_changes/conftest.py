"""The use case as its tests see it: a primary table to write to, replicas to look at, one that can be switched off."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from fanout.contracts.database_changes import key_text
from fanout_cli.replicas.verification import Table
from fanout_cli.stack import sql_replica
from local_engine.postgres import server
from tests.integration.application import Application

DYNAMODB, SQL = "database_changes/replicate_to_dynamodb", "database_changes/replicate_to_sql"
Row = Mapping[str, Any]


def key(name: str) -> dict[str, dict[str, str]]:
    """The primary key of a row."""
    return {"pk": {"S": name}, "sk": {"S": "profile"}}


class Replication:
    """The deployed use case."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self._dynamodb = application.client("dynamodb")
        variables = application.subscriber(DYNAMODB).environment
        self.primary, self.replica = variables["PRIMARY_TABLE"], variables["REPLICA_TABLE"]

    def put(self, name: str, **values: Any) -> dict[str, Any]:
        """Write a row to the primary; values as DynamoDB has them."""
        row = {**key(name), **values}
        self._dynamodb.put_item(TableName=self.primary, Item=row)
        return row

    def delete(self, name: str) -> None:
        """Delete a row of the primary."""
        self._dynamodb.delete_item(TableName=self.primary, Key=key(name))

    def in_primary(self, prefix: str = "") -> dict[str, Row]:
        """The primary's rows, by key."""
        return self._rows(self.primary, prefix)

    def in_dynamodb(self, prefix: str = "") -> dict[str, Row]:
        """The DynamoDB replica's rows, without tombstones and marks."""
        return self._rows(self.replica, prefix)

    def _rows(self, table: str, prefix: str) -> dict[str, Row]:
        rows = Table("", self._dynamodb, table).rows()
        return {found: row for found, row in rows if row["pk"]["S"].startswith(prefix)}

    def in_sql(self, prefix: str = "") -> dict[str, Row]:
        """The SQL replica's rows, without tombstones."""
        with self.connected() as connection:
            if connection.execute("SELECT to_regclass('replicated_rows')").fetchone() == (None,):
                return {}  # the first change makes the table
            found = connection.execute(
                'SELECT key, "row" FROM replicated_rows WHERE table_name = %s AND NOT deleted', [self.primary]
            ).fetchall()
        return {name: row for name, row in found if row["pk"]["S"].startswith(prefix)}

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection of a person who works on the SQL replica by hand."""
        with psycopg.connect(
            sql_replica.dsn(self.application.client, self.application.topology), autocommit=True
        ) as connection:
            yield connection

    @contextmanager
    def sql_down(self) -> Iterator[None]:
        """Within the block there is no PostgreSQL; afterwards there is, with what it held, at another port."""
        assert server.stop(self.application.state)
        try:
            yield
        finally:
            sql_replica.provide(self.application.state, self.application.client, self.application.topology)

    def verify(self, *, code: int | None = 0, wait: float = 0) -> dict[str, Any]:
        """What `fanout replicas verify` finds."""
        found = self.application.fanout("replicas", "verify", "--json", "--wait", str(wait), check=code)
        report: dict[str, Any] = json.loads(found.stdout)
        return report


def by_key(rows: Mapping[str, Row]) -> dict[str, Row]:
    """Rows by name, as the replicas' rows come: by their key's text."""
    return {key_text(key(name)): row for name, row in rows.items()}


@pytest.fixture(scope="session")
def replication(application: Application) -> Replication:
    return Replication(application)
