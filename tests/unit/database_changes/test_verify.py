"""`fanout replicas verify`: differences are named, and equal values in another form are not one."""

import base64
import json
from collections.abc import Callable
from typing import Any

import boto3
import psycopg
import pytest

from fanout.testing import REGION
from fanout_cli.errors import UserError
from fanout_cli.output import step
from fanout_cli.replicas import verification
from fanout_cli.replicas.verification import Report, canonical
from fanout_cli.stack.topology import Subscriber, Topology
from tests.unit.database_changes.conftest import TABLE, Account, change, key

Connection = psycopg.Connection[Any]


def client(service: str) -> Any:
    return boto3.client(service, region_name=REGION)


@pytest.fixture
def topology(account: Account, make_table: Callable[[str], str], postgres: str, sql: Connection) -> Topology:
    """The use case deployed, its primary table empty."""
    make_table(TABLE)
    account.set_dsn(postgres)
    variables = {"PRIMARY_TABLE": TABLE, "REPLICA_TABLE": "replica", "SQL_SECRET_ARN": "sql"}
    names = ("database_changes/replicate_to_dynamodb", "database_changes/replicate_to_sql")
    return Topology("fanout", (), {name: Subscriber(name, name, "", "", "", variables) for name in names})


def verified(topology: Topology, **options: Any) -> Report:
    with step("verify") as progress:
        return verification.verify(client, topology, progress, **options)


@pytest.fixture
def rows(account: Account, topology: Topology) -> list[str]:
    """Three rows in the primary and in both replicas, and a fourth that was deleted in all."""
    names = ["ada", "jonas", "maya"]
    for number, name in enumerate(names, 1):
        row = {"visits": {"N": str(number)}, "tags": {"SS": ["a", "b"]}}
        client("dynamodb").put_item(TableName=TABLE, Item={**key(name), **row})
        for replica in ("replicate_to_dynamodb", "replicate_to_sql"):
            assert account.deliver(replica, change(name, number, row)) == ["processed"]
    for replica in ("replicate_to_dynamodb", "replicate_to_sql"):
        account.deliver(replica, change("gone", 1, {}), change("gone", 2, None))
    return names


def found(report: Report) -> set[tuple[str, str, str, tuple[str, ...]]]:
    return {
        (each.replica, json.loads(each.key)["pk"]["S"], each.problem, each.attributes) for each in report.differences
    }


def test_equal_replicas_are_found_equal(rows: list[str], topology: Topology) -> None:
    report = verified(topology)
    assert report.ok
    assert report.to_json() == {
        "ok": True,
        "table": TABLE,
        "rows": 3,
        "replicas": ["dynamodb", "sql"],
        "differences": [],
    }


def test_differences_are_named(rows: list[str], topology: Topology, sql: Connection) -> None:
    dynamodb = client("dynamodb")
    dynamodb.put_item(TableName=TABLE, Item={**key("ada"), "visits": {"N": "9"}, "plan": {"S": "pro"}})
    dynamodb.delete_item(TableName="replica", Key=key("jonas"))
    dynamodb.put_item(TableName="replica", Item={**key("stranger"), "replica:version": {"S": "1"}})
    sql.execute("""UPDATE replicated_rows SET deleted = true, "row" = NULL WHERE key LIKE '%maya%'""")
    sql.execute("""UPDATE replicated_rows SET deleted = false, "row" = '{}' WHERE key LIKE '%gone%'""")
    changed = ("plan", "tags", "visits")
    assert found(verified(topology)) == {
        ("dynamodb", "ada", "different", changed),
        ("sql", "ada", "different", changed),
        ("dynamodb", "jonas", "missing", ()),
        ("dynamodb", "stranger", "extra", ()),
        ("sql", "maya", "missing", ()),
        ("sql", "gone", "extra", ()),
    }


def test_rows_with_binary_keys_are_replicated_and_compared(
    topology: Topology, account: Account, sql: Connection, make_table: Callable[..., str]
) -> None:
    """Written, deleted and read one by one under the bytes themselves, not under their base64 text."""
    dynamodb = client("dynamodb")
    for name in (TABLE, "replica"):
        dynamodb.delete_table(TableName=name)
        make_table(name, pk="B", sk="N")
    keys = {name: {"pk": {"B": name}, "sk": {"N": "1"}} for name in (b"\x00\xff", b"\xfb", b"\x01")}
    for number, (name, present) in enumerate(keys.items(), 1):
        as_sent = {"pk": {"B": base64.b64encode(name).decode()}, "sk": {"N": "1"}}
        written = change("", number, {"photo": {"B": "AAE="}}, row_key=as_sent)
        for replica in ("replicate_to_dynamodb", "replicate_to_sql"):
            assert account.deliver(replica, written) == ["processed"]
            if name == b"\x01":
                assert account.deliver(replica, change("", 9, None, row_key=as_sent)) == ["processed"]
        if name != b"\x01":
            dynamodb.put_item(TableName=TABLE, Item={**present, "photo": {"B": b"\x00\x01"}})
    assert verified(topology).ok
    dynamodb.put_item(TableName=TABLE, Item={**keys[b"\xfb"], "photo": {"B": b"\x00\x02"}})
    dynamodb.delete_item(TableName=TABLE, Key=keys[b"\x00\xff"])
    report = verified(topology)
    assert {(each.replica, each.problem, each.attributes) for each in report.differences} == {
        (replica, *difference)
        for replica in ("dynamodb", "sql")
        for difference in (("different", ("photo",)), ("extra", ()))
    }
    assert json.dumps(report.to_json())


def test_a_change_that_arrives_in_the_meantime_is_not_a_difference(
    rows: list[str], topology: Topology, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The replica gets the row after the first look and before the last."""
    row = {"visits": {"N": "9"}}
    client("dynamodb").put_item(TableName=TABLE, Item={**key("ada"), **row})
    sleeps: list[float] = []

    def arrive(seconds: float) -> None:
        sleeps.append(seconds)
        for replica in ("replicate_to_dynamodb", "replicate_to_sql"):
            account.deliver(replica, change("ada", 7, row))

    monkeypatch.setattr(verification.time, "sleep", arrive)
    assert verified(topology, wait_seconds=30).ok
    assert len(sleeps) == 1


def test_before_the_first_change_an_empty_primary_has_equal_replicas(topology: Topology) -> None:
    assert verified(topology).ok


def test_a_replica_that_cannot_be_read_is_a_message_without_the_password(topology: Topology, account: Account) -> None:
    account.set_dsn("postgresql://fanout:not-to-be-shown@127.0.0.1:1/postgres")
    with pytest.raises(UserError) as raised:
        verified(topology)
    assert "cannot be read" in raised.value.problem
    assert "not-to-be-shown" not in f"{raised.value.problem} {raised.value.next_step}"


def test_a_secret_without_a_dsn_is_named(topology: Topology) -> None:
    client("secretsmanager").put_secret_value(SecretId="sql", SecretString="{}")
    with pytest.raises(UserError, match="the secret sql has no dsn"):
        verified(topology)


def test_where_the_use_case_is_not_deployed_it_says_so() -> None:
    with pytest.raises(UserError, match="database_changes is not deployed in stack other"):
        verified(Topology("other", (), {}))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"N": "1.50"}, {"N": "1.5"}, True),
        ({"N": "100"}, {"N": "1E+2"}, True),
        ({"N": "12345678901234567890123456789012345678"}, {"N": "12345678901234567890123456789012345679"}, False),
        ({"N": "1"}, {"S": "1"}, False),
        ({"SS": ["a", "b"]}, {"SS": ["b", "a"]}, True),
        ({"NS": ["1", "2.0"]}, {"NS": ["2", "1"]}, True),
        ({"L": [{"S": "a"}, {"S": "b"}]}, {"L": [{"S": "b"}, {"S": "a"}]}, False),
        ({"B": b"\x00\x01"}, {"B": "AAE="}, True),
        ({"BS": [b"\x01", b"\x00"]}, {"BS": ["AA==", "AQ=="]}, True),
        ({"M": {"a": {"N": "1.0"}, "b": {"NULL": True}}}, {"M": {"b": {"NULL": True}, "a": {"N": "1"}}}, True),
        ({"BOOL": False}, {"NULL": True}, False),
    ],
)
def test_values_are_the_same_if_dynamodb_says_so(one: Any, other: Any, same: bool) -> None:
    assert (canonical({"value": one}) == canonical({"value": other})) is same
    assert (verification.digest({"value": one}) == verification.digest({"value": other})) is same


@pytest.mark.parametrize("written", ['{"visits": "Eve"}', "null", "[1]", '{"visits": {"N": "many"}}', '{"visits": {}}'])
def test_a_row_altered_into_an_invalid_row_is_named(
    topology: Topology, rows: list[str], sql: Connection, written: str
) -> None:
    sql.execute("""UPDATE replicated_rows SET "row" = %s WHERE key LIKE '%%maya%%'""", [written])
    assert {(each.replica, json.loads(each.key)["pk"]["S"]) for each in verified(topology).differences} == {
        ("sql", "maya")
    }


@pytest.mark.parametrize("written", ["x", "{}", '{"pk": {"S": 5}, "sk": {"S": "x"}}', '{"pk": 1, "sk": 2}'])
def test_a_row_inserted_under_an_invalid_key_is_named(
    topology: Topology, rows: list[str], sql: Connection, written: str
) -> None:
    columns = 'SELECT table_name, %s, version, deleted, "row", changed_at, event_id'
    sql.execute(f"INSERT INTO replicated_rows {columns} FROM replicated_rows WHERE key LIKE '%%maya%%'", [written])
    report = verified(topology)
    assert [(each.replica, each.key, each.problem) for each in report.differences] == [("sql", written, "extra")]
    assert json.dumps(report.to_json())


def test_an_attribute_that_only_the_replica_may_have_is_seen_in_the_primary(
    topology: Topology, rows: list[str]
) -> None:
    table = client("dynamodb")
    for name in ("replica:note", "replica:deleted"):
        table.put_item(TableName=TABLE, Item={**key(name), "visits": {"N": "1"}, name: {"S": "x"}})
    assert {each[:3] for each in found(verified(topology))} == {
        (replica, name, "missing") for replica in ("dynamodb", "sql") for name in ("replica:note", "replica:deleted")
    }


def test_an_invalid_dsn_is_never_shown(topology: Topology, account: Account) -> None:
    account.set_dsn("postgresql//ada:a-password@host/d")
    with pytest.raises(UserError) as raised:
        verified(topology)
    assert "a-password" not in str(raised.value)
    assert raised.value.__suppress_context__
