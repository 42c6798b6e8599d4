"""The PostgreSQL replica: every row as JSON with its version; a deleted row stays as a tombstone."""

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from database_changes import settings
from database_changes.staleness import check_staleness
from fanout import Event, Outcome, Reject, Retry, aws
from fanout.contracts.database_changes import RowChanged

if TYPE_CHECKING:
    from psycopg import Connection

aws.prepare("secretsmanager")

# json, not jsonb: jsonb refuses \u0000.
# Collation "C": versions are compared digit by digit, whatever the database's locale.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS replicated_rows (
    table_name text NOT NULL,
    key text NOT NULL,
    version text COLLATE "C" NOT NULL,
    deleted boolean NOT NULL,
    "row" json,
    changed_at timestamptz NOT NULL,
    event_id text NOT NULL,
    PRIMARY KEY (table_name, key),
    CHECK (deleted = ("row" IS NULL))
)
"""
_APPLY = """
INSERT INTO replicated_rows AS replica (table_name, key, version, deleted, "row", changed_at, event_id)
VALUES (%(table)s, %(key)s, %(version)s, %(row)s::json IS NULL, %(row)s, %(changed_at)s, %(event_id)s)
ON CONFLICT (table_name, key) DO UPDATE SET
    version = excluded.version,
    deleted = excluded.deleted,
    "row" = excluded."row",
    changed_at = excluded.changed_at,
    event_id = excluded.event_id
WHERE replica.version < excluded.version
"""
_PRESENT = "SELECT version FROM replicated_rows WHERE table_name = %(table)s AND key = %(key)s"
# Concurrent CREATE TABLE IF NOT EXISTS may fail with a conflict in PostgreSQL's catalogue.
_SCHEMA_LOCK = 7_314_005
_CONNECT_SECONDS = 5
_STATEMENT_MILLISECONDS = 10_000


class Secret(msgspec.Struct, frozen=True):
    """The content of the secret: {"dsn": "postgresql://user:password@host/database"}."""

    dsn: str = ""


def apply(event: Event[RowChanged]) -> Outcome:
    """Bring the row to this version if it has an older one.

    Return PROCESSED or DUPLICATE. Raises Discard if the replica has a later version, Retry while PostgreSQL cannot be
    reached, Reject for a row that it cannot store.
    """
    import psycopg  # noqa: PLC0415 - not at cold start, which would wait for libpq

    change = event.data
    values = {
        "table": change.table,
        "key": change.key_text,
        "version": change.version,
        "row": None if change.after is None else msgspec.json.encode(change.after, order="sorted").decode(),
        "changed_at": event.occurred_at,
        "event_id": event.id,
    }
    try:
        present = _write(values)
    except psycopg.errors.UndefinedTable:  # dropped since this process connected; a new connection creates it again
        present = _write(values)
    return Outcome.PROCESSED if present is None else check_staleness(change.version, present)


def _write(values: dict[str, Any]) -> str | None:
    """Write the row; return the present version instead if it is not older. Raises like `apply`."""
    import psycopg  # noqa: PLC0415 - see apply

    connection = None
    try:
        connection = _connection()
        if connection.execute(_APPLY, values).rowcount:
            return None
        [present] = connection.execute(_PRESENT, values).fetchone() or [""]
    except psycopg.errors.ProgramLimitExceeded as error:  # an OperationalError: the key is too large for an index
        raise Reject("refused", f"PostgreSQL cannot index the row's key ({_what(error)})") from None
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        _forget(connection)
        raise Retry(f"unreachable: the SQL replica ({_what(error)})") from error
    except psycopg.DataError as error:
        raise Reject("refused", f"PostgreSQL does not take the row or its event's id ({_what(error)})") from None
    except BaseException:  # including the deadline: the state of the connection is unknown
        _forget(connection)
        raise
    return str(present)


@cache
def _connection() -> "Connection[Any]":
    """Return the process's connection; the schema exists."""
    import psycopg  # noqa: PLC0415 - see apply

    try:
        connection = psycopg.connect(
            _dsn(),
            autocommit=True,
            connect_timeout=_CONNECT_SECONDS,
            # Detects a silently dropped connection before the function times out.
            keepalives_idle=30,
            tcp_user_timeout=_STATEMENT_MILLISECONDS,
            application_name="fanout database_changes/replicate_to_sql",
        )
        # Not as `options`: the DSN may have its own, and RDS Proxy supports none.
        connection.execute(f"SET statement_timeout = {_STATEMENT_MILLISECONDS:d}")
    except psycopg.ProgrammingError:  # its message quotes the DSN
        raise Retry("misconfigured: the SQL replica's DSN is invalid") from None
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_SCHEMA_LOCK])
        [present] = connection.execute("SELECT to_regclass('replicated_rows')").fetchone() or [None]
        if present is None:  # else the role needs no permission to create tables
            connection.execute(_SCHEMA)
    return connection


def _forget(connection: "Connection[Any] | None") -> None:
    """Close the connection. The next attempt connects again and reads the DSN again, which may have changed."""
    if connection is not None:
        connection.close()
    _connection.cache_clear()


def _dsn() -> str:
    secret = aws.client("secretsmanager").get_secret_value(SecretId=settings.sql().sql_secret_arn)
    try:
        dsn = msgspec.json.decode(secret["SecretString"], type=Secret).dsn
    except (KeyError, ValueError):  # the error may quote the secret
        raise Retry("misconfigured: the SQL replica's secret is not a JSON object with a string under dsn") from None
    if not dsn:
        raise Retry("unconfigured: the SQL replica's secret holds no dsn")
    return dsn


def _what(error: Exception) -> str:
    """Return a loggable description: the message can contain host, user and parts of the DSN."""
    state = getattr(error, "sqlstate", None)
    return f"{type(error).__name__} {state}" if state else type(error).__name__
