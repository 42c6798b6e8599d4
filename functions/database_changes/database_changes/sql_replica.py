"""The PostgreSQL replica: every row as JSON, with the version it has; a deleted row stays as a tombstone."""

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

# json, not jsonb: it keeps what it is given, \u0000 included, which jsonb refuses.
# Collation "C": versions are compared as the digits they are, whatever the database's language.
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
# Two that create one table at once, IF NOT EXISTS or not, can still collide in PostgreSQL's own catalogue.
_SCHEMA_LOCK = 7_314_005
_CONNECT_SECONDS = 5
_STATEMENT_MILLISECONDS = 10_000


class Secret(msgspec.Struct, frozen=True):
    """What stands in the secret: {"dsn": "postgresql://user:password@host/database"}."""

    dsn: str = ""


def apply(event: Event[RowChanged]) -> Outcome:
    """Bring the row to this version if it has an older one.

    Returns PROCESSED or DUPLICATE. Raises Discard if the replica is beyond it, Retry while it cannot be reached, Reject
    for what it cannot hold.
    """
    import psycopg  # noqa: PLC0415 - loaded with the first event: a cold start need not wait for libpq

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
    except psycopg.errors.UndefinedTable:  # dropped since this process has looked; connecting anew makes it anew
        present = _write(values)
    return Outcome.PROCESSED if present is None else check_staleness(change.version, present)


def _write(values: dict[str, Any]) -> str | None:
    """Write the row unless the replica has this version or a later one: return which. Raises like `apply`."""
    import psycopg  # noqa: PLC0415 - see apply

    connection = None
    try:
        connection = _connection()
        if connection.execute(_APPLY, values).rowcount:
            return None
        [present] = connection.execute(_PRESENT, values).fetchone() or [""]
    except psycopg.errors.ProgramLimitExceeded as error:  # a kind of OperationalError: a key beyond what an index takes
        raise Reject("refused", f"PostgreSQL cannot index the row's key ({_what(error)})") from None
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        _forget(connection)
        raise Retry(f"unreachable: the SQL replica ({_what(error)})") from error
    except psycopg.DataError as error:
        raise Reject("refused", f"PostgreSQL does not take the row or its event's id ({_what(error)})") from None
    except BaseException:  # the deadline among them: the state of the connection is unknown
        _forget(connection)
        raise
    return str(present)


@cache
def _connection() -> "Connection[Any]":
    """The process's connection, with the schema there."""
    import psycopg  # noqa: PLC0415 - see apply

    try:
        connection = psycopg.connect(
            _dsn(),
            autocommit=True,
            connect_timeout=_CONNECT_SECONDS,
            # A connection that a network has dropped silently is noticed before the function's time is up.
            keepalives_idle=30,
            tcp_user_timeout=_STATEMENT_MILLISECONDS,
            application_name="fanout database_changes/replicate_to_sql",
        )
        # Not as `options`: the DSN may have its own, and RDS Proxy takes none.
        connection.execute(f"SET statement_timeout = {_STATEMENT_MILLISECONDS:d}")
    except psycopg.ProgrammingError:  # its message quotes the DSN
        raise Retry("misconfigured: the SQL replica's DSN is not to be understood") from None
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_SCHEMA_LOCK])
        [present] = connection.execute("SELECT to_regclass('replicated_rows')").fetchone() or [None]
        if present is None:  # else the role need not be one that may create tables
            connection.execute(_SCHEMA)
    return connection


def _forget(connection: "Connection[Any] | None") -> None:
    """The next attempt connects anew, and asks for the DSN again, too: it may have changed."""
    if connection is not None:
        connection.close()
    _connection.cache_clear()


def _dsn() -> str:
    secret = aws.client("secretsmanager").get_secret_value(SecretId=settings.sql().sql_secret_arn)
    try:
        dsn = msgspec.json.decode(secret["SecretString"], type=Secret).dsn
    except (KeyError, ValueError):  # what is wrong with it may quote it
        raise Retry("misconfigured: the SQL replica's secret is no JSON object with a text under dsn") from None
    if not dsn:
        raise Retry("unconfigured: the SQL replica's secret holds no dsn")
    return dsn


def _what(error: Exception) -> str:
    """Return a loggable description: the message can contain host, user and parts of the DSN."""
    state = getattr(error, "sqlstate", None)
    return f"{type(error).__name__} {state}" if state else type(error).__name__
