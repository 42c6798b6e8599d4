"""Both replicas hold every row as its last change left it."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import psycopg

from fanout.contracts.database_changes import REPLICA, key_text
from fanout_cli.demo.definition import Event
from fanout_cli.replicas.verification import canonical
from fanout_cli.stack import sql_replica
from tests.chaos import ledger

_Row = tuple[str, Mapping[str, Any] | None]
"""its version, and what it holds; None: deleted"""


class Ledger(ledger.Ledger):
    """Reads both replicas. A row is a state: applied twice it is the same, applied in a wrong order it is not."""

    def times(self, event: Event, subscriber: str) -> int:
        """Once if the replica shows this change, or a later one of the row; never if it shows an earlier one."""
        data = event["data"]
        replica = self._in_sql if subscriber == "replicate_to_sql" else self._in_dynamodb
        version, row = replica.get(key_text(data["key"]), ("", None))
        if version == data["version"]:
            return int(_same(row) == _same(data.get("after")))
        return int(version > data["version"])

    @cached_property
    def _in_dynamodb(self) -> dict[str, _Row]:
        table = self.demo.setting("replicate_to_dynamodb", "REPLICA_TABLE")
        pages = self.stores.client("dynamodb").get_paginator("scan").paginate(TableName=table)
        found: dict[str, _Row] = {}
        for item in (item for page in pages for item in page["Items"]):
            row = {name: value for name, value in item.items() if not name.startswith(REPLICA)}
            is_deleted = f"{REPLICA}deleted" in item
            key = {name: item[name] for name in ("pk", "sk")}
            found[key_text(key)] = (item[f"{REPLICA}version"]["S"], None if is_deleted else row)
        return found

    @cached_property
    def _in_sql(self) -> dict[str, _Row]:
        dsn = sql_replica.dsn(self.stores.client, self.demo.topology)
        with psycopg.connect(dsn) as connection:
            found = connection.execute('SELECT key, version, "row", deleted FROM replicated_rows').fetchall()
        return {key: (version, None if deleted else row) for key, version, row, deleted in found}


def _same(row: Mapping[str, Any] | None) -> Any:
    return None if row is None else canonical(row)
