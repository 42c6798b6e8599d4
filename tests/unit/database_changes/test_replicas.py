"""Both replicas converge to the primary, also if changes are delivered twice, late or in another order."""

import itertools
import json
from collections.abc import Mapping
from typing import Any

import boto3
import psycopg
import pytest

from fanout.contracts.database_changes import key_text
from fanout.event import Event
from fanout.testing import REGION
from fanout_cli.replicas.verification import Table, canonical
from tests.unit.database_changes.conftest import TABLE, Account, change, key

DYNAMODB, SQL = "replicate_to_dynamodb", "replicate_to_sql"
Connection = psycopg.Connection[Any]


@pytest.fixture(params=[DYNAMODB, SQL])
def replica(request: pytest.FixtureRequest, account: Account, sql: Connection, postgres: str) -> str:
    account.set_dsn(postgres)
    return str(request.param)


def rows(replica: str, sql: Connection) -> dict[str, Mapping[str, Any]]:
    """What the replica holds, tombstones aside, by the name of the row."""
    if replica == DYNAMODB:
        return {
            row["pk"]["S"]: row for _, row in Table("", boto3.client("dynamodb", region_name=REGION), "replica").rows()
        }
    found = sql.execute('SELECT "row" FROM replicated_rows WHERE NOT deleted').fetchall()
    return {row["pk"]["S"]: row for (row,) in found}


HISTORY = [
    change("ada", 1, {"visits": {"N": "1"}}),
    change("ada", 2, {"visits": {"N": "2"}}),
    change("ada", 3, None),
    change("ada", 4, {"visits": {"N": "4"}, "name": {"S": "Ada"}}),
]


@pytest.mark.guarantee("exactly-once-effect/row-version")
@pytest.mark.parametrize("order", list(itertools.permutations(range(len(HISTORY)))), ids=str)
def test_in_any_order_the_latest_version_stays(
    replica: str, account: Account, sql: Connection, order: tuple[int, ...]
) -> None:
    for position in order:
        assert account.deliver(replica, HISTORY[position])[0] in {"processed", "discarded"}
        assert account.deliver(replica, HISTORY[position])[0] in {"duplicate", "discarded"}
    assert rows(replica, sql) == {"ada": {**key("ada"), "visits": {"N": "4"}, "name": {"S": "Ada"}}}


def test_a_deletion_wins_over_an_older_update_that_arrives_late(
    replica: str, account: Account, sql: Connection
) -> None:
    assert account.deliver(replica, change("ada", 3, None)) == ["processed"]
    [(outcome, reason)] = account.receipts(replica, change("ada", 2, {"visits": {"N": "2"}}))
    assert (outcome, reason) == ("discarded", "superseded: the replica has a later version of the row")
    assert rows(replica, sql) == {}


def test_an_insert_wins_over_an_older_tombstone(replica: str, account: Account, sql: Connection) -> None:
    assert account.deliver(replica, change("ada", 3, None), change("ada", 4, {})) == ["processed", "processed"]
    assert rows(replica, sql) == {"ada": key("ada")}


@pytest.mark.guarantee("exactly-once-effect/row-version")
def test_the_same_change_twice_is_a_duplicate(replica: str, account: Account, sql: Connection) -> None:
    event = change("ada", 1, {"visits": {"N": "1"}})
    assert account.deliver(replica, event) == ["processed"]
    assert account.deliver(replica, event) == ["duplicate"]


def test_removed_attributes_are_removed_from_the_replica(replica: str, account: Account, sql: Connection) -> None:
    account.deliver(replica, change("ada", 1, {"plan": {"S": "pro"}, "visits": {"N": "1"}}))
    account.deliver(replica, change("ada", 2, {"visits": {"N": "1"}}))
    assert rows(replica, sql) == {"ada": {**key("ada"), "visits": {"N": "1"}}}


EVERYTHING = {
    "text": {"S": "Zoë \u0000 王 🚲 \\ \" '"},
    "number": {"N": "-12345678901234567890123456789012345678"},
    "binary": {"B": "AAEC/w=="},
    "no_bytes": {"B": ""},
    "texts": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "-2.5"]},
    "binaries": {"BS": ["AA==", "/v8="]},
    "flag": {"BOOL": False},
    "nothing": {"NULL": True},
    "nested": {"M": {"list": {"L": [{"M": {"b": {"B": "ECA="}}}, {"L": [{"BS": ["AQ=="]}]}, {"S": ""}]}}},
}


def test_values_of_every_kind_arrive_unchanged(account: Account, sql: Connection, postgres: str) -> None:
    account.set_dsn(postgres)
    assert account.deliver(SQL, change("\u0000 ünï", 1, EVERYTHING, id="1")) == ["processed"]
    [[name, text]] = sql.execute('SELECT key, "row"::text FROM replicated_rows').fetchall()
    assert name == key_text(key("\u0000 ünï"))
    assert json.loads(text) == {**key("\u0000 ünï"), **EVERYTHING}


def test_the_dynamodb_replica_contains_every_type_of_value_of_the_primary(account: Account) -> None:
    assert account.deliver(DYNAMODB, change("ada", 1, EVERYTHING)) == ["processed"]
    item = boto3.client("dynamodb", region_name=REGION).get_item(TableName="replica", Key=key("ada"))["Item"]
    assert item["binary"] == {"B": b"\x00\x01\x02\xff"}
    assert sorted(item["binaries"]["BS"]) == [b"\x00", b"\xfe\xff"]
    item.pop("replica:version")
    assert canonical(item) == canonical({**key("ada"), **EVERYTHING})


@pytest.mark.parametrize(
    "value",
    [
        {"B": "not base64"},
        {"B": "AAE"},
        {"B": 7},
        {"BS": ["AA==", None]},
        {"L": [{"B": "AA==", "S": "two types"}]},
        {"M": "no map"},
        {"S": 5},
    ],
    ids=str,
)
def test_a_value_that_dynamodb_cannot_hold_is_rejected_at_once(account: Account, value: dict[str, Any]) -> None:
    [(outcome, reason)] = account.receipts(DYNAMODB, change("ada", 1, {"value": value}))
    assert outcome == "rejected"
    assert reason.startswith("refused: ")


def test_a_value_that_postgresql_cannot_hold_is_rejected(account: Account, sql: Connection, postgres: str) -> None:
    account.set_dsn(postgres)
    [(outcome, reason)] = account.receipts(SQL, change("ada", 1, {}, id="\u0000"))
    assert (outcome, reason) == (
        "rejected",
        "refused: PostgreSQL does not take the row or its event's id (DataError)",
    )


def test_a_row_with_a_name_of_the_replicas_own_is_rejected(account: Account) -> None:
    [(outcome, reason)] = account.receipts(DYNAMODB, change("ada", 1, {"replica:version": {"S": "9"}}))
    assert (outcome, reason) == ("rejected", "reserved: the row has an attribute whose name begins with replica:")


def test_a_row_that_no_item_can_hold_is_rejected(account: Account) -> None:
    [(outcome, reason)] = account.receipts(DYNAMODB, change("ada", 1, {"notes": {"S": "x" * 409_600}}))
    assert outcome == "rejected"
    assert reason.startswith("refused: ")


def test_a_tombstone_in_dynamodb_expires_and_a_row_does_not(account: Account) -> None:
    account.deliver(DYNAMODB, change("ada", 1, None), change("maya", 1, {}))
    items = boto3.client("dynamodb", region_name=REGION).scan(TableName="replica")["Items"]
    assert {item["pk"]["S"]: "replica:expires_at" in item for item in items} == {"ada": True, "maya": False}


def test_a_row_of_another_table_is_not_in_the_dynamodb_replica(
    account: Account, sql: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIMARY_TABLE", "orders")
    assert account.deliver(DYNAMODB, change("ada", 1, {})) == ["discarded"]
    assert rows(DYNAMODB, sql) == {}


def test_rows_of_different_tables_are_different_rows_in_sql(account: Account, sql: Connection, postgres: str) -> None:
    account.set_dsn(postgres)
    event = change("ada", 1, {})
    data = event.data.__class__(table="orders", key=key("ada"), operation="delete", version=event.data.version)
    account.deliver(SQL, event, Event.new(data, source="urn:test"))
    found = sql.execute("SELECT table_name, deleted FROM replicated_rows ORDER BY table_name").fetchall()
    assert found == [(TABLE, False), ("orders", True)]


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("{}", "unconfigured: the SQL replica's secret holds no dsn"),
        (
            "postgresql://somewhere",
            "misconfigured: the SQL replica's secret is not a JSON object with a string under dsn",
        ),
        ('{"dsn": "postgresql://fanout@127.0.0.1:1/postgres"}', "unreachable: the SQL replica (OperationalError)"),
        ('{"dsn": "no dsn at all"}', "misconfigured: the SQL replica's DSN is invalid"),
    ],
)
def test_while_the_replica_cannot_be_reached_its_changes_wait_in_order(
    account: Account, sql: Connection, postgres: str, secret: str, reason: str
) -> None:
    boto3.client("secretsmanager", region_name=REGION).put_secret_value(SecretId="sql", SecretString=secret)
    events = [change("ada", 1, {}), change("ada", 2, {"plan": {"S": "pro"}})]
    assert account.receipts(SQL, *events)[0] == ("retrying", reason)
    assert account.queues.inbox_counts()[0] >= 1, "they are still there"
    account.queues.empty()
    account.set_dsn(postgres)
    assert account.deliver(SQL, *events) == ["processed", "processed"]


def test_a_lost_connection_is_opened_again(account: Account, sql: Connection, postgres: str) -> None:
    account.set_dsn(postgres)
    account.deliver(SQL, change("ada", 1, {}))
    sql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'fanout%'")
    [(outcome, reason)] = account.receipts(SQL, change("ada", 2, {}))
    assert outcome == "retrying"
    assert reason.startswith("unreachable: the SQL replica (AdminShutdown")
    assert account.deliver(SQL, change("ada", 2, {})) == ["processed"]


def test_a_table_dropped_under_a_warm_function_is_created_again_at_once(
    account: Account, sql: Connection, postgres: str
) -> None:
    account.set_dsn(postgres)
    account.deliver(SQL, change("ada", 1, {}))
    sql.execute("DROP TABLE replicated_rows")
    assert account.deliver(SQL, change("ada", 2, {}), change("maya", 3, {})) == ["processed", "processed"]
    assert sql.execute("SELECT count(*) FROM replicated_rows").fetchone() == (2,)


def test_a_user_may_add_an_index_to_the_rows(account: Account, sql: Connection, postgres: str) -> None:
    account.set_dsn(postgres)
    account.deliver(SQL, change("ada", 1, {"plan": {"S": "pro"}}))
    sql.execute("""CREATE INDEX ON replicated_rows (("row" -> 'plan' ->> 'S'))""")
    assert account.deliver(SQL, change("ada", 2, {"plan": {"S": "free"}})) == ["processed"]
