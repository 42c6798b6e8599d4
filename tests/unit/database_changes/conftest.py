"""What the use case's functions run against: moto's tables, a topic and a bucket, and a real PostgreSQL."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import psycopg
import pytest

from fanout import publisher
from fanout.contracts.database_changes import VERSION_DIGITS, RowChanged
from fanout.event import Event
from fanout.testing import REGION, LambdaContext
from tests.unit.conftest import Functions, Harness

TABLE = "customers"
SOURCE = f"arn:aws:dynamodb:{REGION}:123456789012:table/{TABLE}"

Row = dict[str, Any]


def key(name: str) -> Row:
    return {"pk": {"S": name}, "sk": {"S": "profile"}}


def change(
    name: str, version: int, row: Row | None, *, id: str | None = None, row_key: Row | None = None
) -> Event[RowChanged]:
    """The event that a row has these values besides its key now, or none. row_key: `key(name)` unless given."""
    row_key = row_key or key(name)
    data = RowChanged(
        table=TABLE,
        key=row_key,
        operation="delete" if row is None else "update",
        version=str(version).zfill(VERSION_DIGITS),
        after=None if row is None else {**row_key, **row},
    )
    return Event.new(data, source=SOURCE, id=id or f"change-{name}-{version}")


def stream_record(name: str, number: int, *, event_name: str = "INSERT", **values: Any) -> Row:
    """A record of the primary's stream, as Lambda hands it over."""
    image = {"NewImage": {**key(name), **values}} if event_name != "REMOVE" else {"OldImage": {**key(name), **values}}
    return {
        "eventID": f"event-{number}",
        "eventName": event_name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": REGION,
        "eventSourceARN": f"{SOURCE}/stream/2026-10-08T09:00:00.000",
        "dynamodb": {
            "ApproximateCreationDateTime": 1791450000 + number,
            "Keys": key(name),
            "SequenceNumber": str(100_000_000_000_000_000_000 + number),
            "SizeBytes": 100,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            **image,
        },
    }


class Sns:
    """SNS's side of PublishBatch: refuses an event permanently or for now, by its id."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.refused: set[str] = set()
        self.down: set[str] = set()

    def publish_batch(self, *, TopicArn: str, PublishBatchRequestEntries: list[Row]) -> Row:  # noqa: N803
        successful, failed = [], []
        for entry in PublishBatchRequestEntries:
            body = json.loads(entry["Message"])
            if body["id"] in self.refused | self.down:
                fault = body["id"] in self.refused
                failed.append({"Id": entry["Id"], "Code": "Refused", "Message": "no", "SenderFault": fault})
            else:
                self.bodies.append(body | {"group": entry["MessageGroupId"]})
                successful.append({"Id": entry["Id"], "MessageId": f"m-{body['id']}"})
        return {"Successful": successful, "Failed": failed}

    @property
    def ids(self) -> list[str]:
        """The events that it took, in order."""
        return [body["id"] for body in self.bodies]


@pytest.fixture
def sql(postgres: str) -> Iterator["psycopg.Connection[Any]"]:
    """A connection to an empty database."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS replicated_rows")
        yield connection


class Account(Functions):
    """The functions of the use case, each with what it works on."""

    def __init__(self, harness: Harness) -> None:
        super().__init__("database_changes", harness)
        self.sns = Sns()

    def _received(self, event: Event[Any] | str) -> Row:
        """Return an event as the record that Lambda reads from a FIFO queue."""
        record = super()._received(event)
        record["attributes"]["MessageGroupId"] = publisher.message_group(event) if isinstance(event, Event) else "g"
        return {**record, "eventSourceARN": f"{record['eventSourceARN']}.fifo"}

    def capture(self, *records: Row) -> list[str]:
        """Hand records of the stream to capture; return the sequence numbers it wants to go on from."""
        answer = self.module("capture").handler({"Records": list(records)}, LambdaContext())
        return [each["itemIdentifier"] for each in answer["batchItemFailures"]]

    def set_dsn(self, dsn: str) -> None:
        """Put a DSN into the replica's secret."""
        boto3.client("secretsmanager", region_name=REGION).put_secret_value(
            SecretId="sql", SecretString=json.dumps({"dsn": dsn})
        )


@pytest.fixture(autouse=True)
def account(harness: Harness, make_table: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setenv("REPLICA_TABLE", make_table("replica"))
    monkeypatch.setenv("PRIMARY_TABLE", TABLE)
    secret = boto3.client("secretsmanager", region_name=REGION).create_secret(Name="sql", SecretString="{}")
    monkeypatch.setenv("SQL_SECRET_ARN", secret["ARN"])
    monkeypatch.setenv("TOPIC_ARN", f"arn:aws:sns:{REGION}:123456789012:DatabaseChanges.fifo")
    boto3.client("s3", region_name=REGION).create_bucket(Bucket="unpublished")
    monkeypatch.setenv("UNPUBLISHED_BUCKET", "unpublished")
    made = Account(harness)
    monkeypatch.setattr(publisher.Publisher, "_sns", lambda _: made.sns)
    monkeypatch.setattr(publisher.time, "sleep", lambda _: None)
    return made
