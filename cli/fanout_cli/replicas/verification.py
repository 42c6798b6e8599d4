"""Whether the replicas of database_changes hold what the primary table holds, row by row."""

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, Literal, Protocol

import msgspec
from botocore.exceptions import ClientError, ParamValidationError

from fanout.contracts.database_changes import REPLICA, attribute_values, key_text
from fanout_cli.errors import UserError
from fanout_cli.output import Step
from fanout_cli.stack import sql_replica
from fanout_cli.stack.topology import Topology

Row = Mapping[str, Any]
"""A row in DynamoDB's own JSON."""
Problem = Literal["missing", "extra", "different"]

_DYNAMODB = "database_changes/replicate_to_dynamodb"
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Difference:
    """One row that a replica does not hold as the primary does."""

    replica: str
    key: str
    """The primary key as JSON."""
    problem: Problem
    """missing: the primary has it, the replica not; extra: the other way round; different: both, but not the same"""
    attributes: tuple[str, ...] = ()
    """Of a row that is different: which attributes are."""

    def to_json(self) -> dict[str, Any]:
        """Return the difference as `fanout replicas verify --json` shows it."""
        about = {"replica": self.replica, "key": _parsed(self.key), "problem": self.problem}
        return about | {"attributes": list(self.attributes)} if self.attributes else about


@dataclass(frozen=True)
class Report:
    """What was compared, and what differs."""

    table: str
    rows: int
    """how many the primary has"""
    replicas: tuple[str, ...]
    differences: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    def to_json(self) -> dict[str, Any]:
        """Return the report as `fanout replicas verify --json` shows it."""
        return {
            "ok": self.ok,
            "table": self.table,
            "rows": self.rows,
            "replicas": list(self.replicas),
            "differences": [each.to_json() for each in self.differences],
        }


class Store(Protocol):
    """The primary table or a replica of it."""

    name: str

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Yield every row that is not deleted, by its key's text."""

    def row(self, key: str) -> Row | None:
        """One row as it is now; None if there is none."""


def verify(client: Callable[[str], Any], topology: Topology, progress: Step, *, wait_seconds: float = 0) -> Report:
    """Compare the primary table with both replicas.

    Of a row no more than a digest is kept. What differs is read a second time, so that a change which came in between
    is no difference; and again until nothing differs or the time is up. Raises UserError if the use case is not
    deployed or a replica cannot be read.
    """
    if _DYNAMODB not in topology.subscribers:
        raise UserError(
            f"database_changes is not deployed in stack {topology.stack_name}", "Deploy it: fanout up, or sam deploy."
        )
    variables = topology.subscribers[_DYNAMODB].environment
    primary = Table("primary", client("dynamodb"), variables["PRIMARY_TABLE"], has_marks=False)
    replicas: list[Store] = [
        Table("dynamodb", client("dynamodb"), variables["REPLICA_TABLE"]),
        Sql(sql_replica.dsn(client, topology), variables["PRIMARY_TABLE"]),
    ]
    progress.update("the primary table")
    present = {key: digest(row) for key, row in primary.rows()}
    suspects: list[tuple[Store, str]] = []
    for replica in replicas:
        progress.update(f"the {replica.name} replica")
        missing = set(present)
        for key, row in replica.rows():
            missing.discard(key)
            if present.get(key) != digest(row):
                suspects.append((replica, key))
        suspects += [(replica, key) for key in missing]
    deadline = time.monotonic() + wait_seconds
    while True:
        progress.update(f"{len(suspects)} rows a second time")
        compared = [(replica, key, _compare(primary, replica, key)) for replica, key in suspects]
        suspects = [(replica, key) for replica, key, difference in compared if difference]
        if not suspects or time.monotonic() > deadline:
            break
        time.sleep(_POLL_SECONDS)
    differences = [difference for _, _, difference in compared if difference]
    differences.sort(key=lambda each: (each.replica, each.key))
    return Report(primary.table, len(present), tuple(each.name for each in replicas), tuple(differences))


def _compare(primary: Store, replica: Store, key: str) -> Difference | None:
    here, there = primary.row(key), replica.row(key)
    if here is None or there is None:
        if here is there:
            return None
        return Difference(replica.name, key, "extra" if here is None else "missing")
    before, after = canonical(here), canonical(there)
    names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    return Difference(replica.name, key, "different", tuple(names)) if names else None


class Table:
    """A DynamoDB table: the primary, or the replica with its tombstones and attributes of its own."""

    def __init__(self, name: str, dynamodb: Any, table: str, *, has_marks: bool = True) -> None:
        """has_marks: whether rows have the replica's own attributes, and tombstones."""
        self.name = name
        self._has_marks = has_marks
        self.table = table
        self._dynamodb = dynamodb
        schema = dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]
        self._key_names = [each["AttributeName"] for each in schema]

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Yield every row that is not deleted."""
        for page in self._dynamodb.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True):
            for item in page["Items"]:
                row = self._row(item)
                if row is not None:
                    yield key_text({name: item[name] for name in self._key_names}), row

    def row(self, key: str) -> Row | None:
        """One row as it is now; None also for a key that no row of this table can have."""
        parsed = _parsed(key)
        if not isinstance(parsed, dict) or parsed.keys() != set(self._key_names):
            return None
        try:
            answer = self._dynamodb.get_item(TableName=self.table, Key=attribute_values(parsed), ConsistentRead=True)
        except (ValueError, ParamValidationError):
            return None
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationException":
                raise
            return None
        return self._row(answer["Item"]) if "Item" in answer else None

    def _row(self, item: Row) -> Row | None:
        return _without_marks(item) if self._has_marks else item


class Sql:
    """The SQL replica's rows of one table."""

    name = "sql"

    def __init__(self, dsn: str, table: str) -> None:
        import psycopg

        self._table = table
        with _readable():
            self._connection = psycopg.connect(dsn, autocommit=True, connect_timeout=5)

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Yield every row that is not deleted, read a piece at a time."""
        with _readable():
            [present] = self._connection.execute("SELECT to_regclass('replicated_rows')").fetchone() or [None]
            if present is None:  # no change has come yet
                return
            with self._connection.transaction(), self._connection.cursor(name="rows") as cursor:
                cursor.execute(
                    'SELECT key, "row" FROM replicated_rows WHERE table_name = %s AND NOT deleted', [self._table]
                )
                yield from cursor

    def row(self, key: str) -> Row | None:
        """One row as it is now."""
        with _readable():
            found = self._connection.execute(
                'SELECT "row" FROM replicated_rows WHERE table_name = %s AND key = %s', [self._table, key]
            ).fetchone()
        return found[0] if found else None


@contextmanager
def _readable() -> Iterator[None]:
    """Make psycopg's errors one for the user, without their messages: those may show the DSN."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise UserError(
            f"the SQL replica cannot be read ({type(error).__name__})",
            "Is it up, is the DSN in its secret right, and may its user read replicated_rows? Locally: fanout up.",
        ) from None


def _parsed(key: str) -> Any:
    """Return a key's text as JSON; unchanged if it is not JSON."""
    try:
        return json.loads(key)
    except (ValueError, RecursionError):
        return key


def _without_marks(item: Row) -> Row | None:
    """Return the row as the primary has it; None for a tombstone."""
    if f"{REPLICA}deleted" in item:
        return None
    return {name: value for name, value in item.items() if not name.startswith(REPLICA)}


def digest(row: Any) -> bytes:
    """Return what equal rows have in common."""
    return hashlib.sha256(msgspec.json.encode(canonical(row), order="sorted")).digest()


def canonical(row: Any) -> dict[str, Any]:
    """Return a row such that equal means the same: numbers as they count, sets in order, binary as text.

    A value that is not a row, put there by hand, equals no row.
    """
    if not isinstance(row, Mapping):
        return {"": ("no row", row)}
    return {name: _canonical(value) for name, value in row.items()}


def _canonical(value: Any) -> tuple[str, Any]:
    """Return the same for one value in DynamoDB's JSON: {"S": ...}, {"NS": [...]}, {"M": {...}}, ..."""
    try:
        ((kind, content),) = value.items()
        return kind, _SAME[kind](content) if kind in _SAME else content
    except (AttributeError, TypeError, ValueError, ArithmeticError):
        return "no value", value


def _number(text: str) -> str:
    return str(Decimal(text).normalize(_NUMBERS))


def _text(content: str | bytes) -> str:
    """boto3 gives binary as bytes, JSON as base64."""
    return base64.b64encode(content).decode() if isinstance(content, bytes) else content


# DynamoDB's numbers have up to 38 digits.
_NUMBERS = Context(prec=38)
_SAME: Mapping[str, Callable[[Any], Any]] = {
    "N": _number,
    "NS": lambda numbers: sorted(map(_number, numbers)),
    "B": _text,
    "SS": sorted,
    "BS": lambda texts: sorted(map(_text, texts)),
    "M": canonical,
    "L": lambda values: list(map(_canonical, values)),
}
