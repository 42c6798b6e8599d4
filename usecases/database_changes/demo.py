"""database_changes: the samples are written to the primary table as rows; capture publishes the changes."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from fanout.contracts.database_changes import REPLICA, RowChanged, key_text, table_arn
from fanout_cli.demo.definition import Event, UseCaseDemo
from fanout_cli.errors import UserError
from fanout_cli.replicas.verification import canonical
from fanout_cli.stack import sql_replica

# A stream shows a change within a second or so.
_STREAM_SECONDS = 30.0
_POLL_SECONDS = 0.1


class Demo(UseCaseDemo):
    """Every sample has its own row."""

    def fresh(self, event: Event, run: str) -> Event:
        """Return the change with a new row key."""
        data = event["data"]
        pk = {"pk": {"S": f"{data['key']['pk']['S']}-{run}"}}
        rows = {name: {**data[name], **pk} for name in ("before", "after") if data.get(name)}
        return self.with_data(event, key={**data["key"], **pk}, **rows)

    def bring_about(self, events: Sequence[Event]) -> list[Event]:
        """Write the rows in their old state, then change them; return the events of the stream's records.

        Raises UserError if the stream does not show them.
        """
        stream = self.client("dynamodb").describe_table(TableName=self._primary)["Table"]["LatestStreamArn"]
        shards = self._open_shards(stream)
        wanted: dict[str, int] = {}
        for event in events:
            data = event["data"]
            rows = [row for row in (data.get("before"), data.get("after")) if row]
            for row in rows:
                self.client("dynamodb").put_item(TableName=self._primary, Item=row)
            if data["operation"] == "delete":
                self.client("dynamodb").delete_item(TableName=self._primary, Key=data["key"])
            wanted[key_text(data["key"])] = len(rows) + (data["operation"] == "delete")
        found: list[Event] = []
        deadline = time.monotonic() + _STREAM_SECONDS
        while len(found) < sum(wanted.values()):
            if time.monotonic() > deadline:
                raise UserError(
                    f"{sum(wanted.values())} changes were written to {self._primary}, its stream shows {len(found)}",
                    "See whether the table still has its stream: aws dynamodb describe-table.",
                )
            time.sleep(_POLL_SECONDS)
            for record in self._records(shards):
                event = _event({**record, "eventSourceARN": stream})
                found += [event] if key_text(event["data"]["key"]) in wanted else []
        return found

    @property
    def _primary(self) -> str:
        return self.setting("replicate_to_dynamodb", "PRIMARY_TABLE")

    def _open_shards(self, stream: str) -> list[str]:
        """Return an iterator after the last record of each open shard."""
        streams = self.client("dynamodbstreams")
        shards = streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
        return [
            streams.get_shard_iterator(StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="LATEST")[
                "ShardIterator"
            ]
            for shard in shards
            if "EndingSequenceNumber" not in shard["SequenceNumberRange"]
        ]

    def _records(self, shards: list[str]) -> Iterator[Mapping[str, Any]]:
        """Return the records since the last call, and advance the iterators."""
        for number, iterator in enumerate(shards):
            answer = self.client("dynamodbstreams").get_records(ShardIterator=iterator)
            shards[number] = answer.get("NextShardIterator", iterator)
            yield from answer["Records"]

    def effect(self, event: Event, subscriber: str) -> str:
        """Return where the row is in the replica; "" unless it has the change's version or a later one."""
        row = event["data"].get("after")
        if subscriber == "replicate_to_sql":
            version, found = self._in_sql(event)
            where = "PostgreSQL"
        else:
            version, found = self._in_dynamodb(event)
            where = "the second table"
        name = event["data"]["key"]["pk"]["S"]
        if version > event["data"]["version"]:
            return f"{where} holds a later version of {name}"
        if version != event["data"]["version"] or _same(found) != _same(row):
            return ""
        return f"{where} holds a tombstone of {name}" if row is None else f"{where} holds {name}: {len(row)} attributes"

    def _in_dynamodb(self, event: Event) -> tuple[str, Mapping[str, Any] | None]:
        answer = self.client("dynamodb").get_item(
            TableName=self.setting("replicate_to_dynamodb", "REPLICA_TABLE"),
            Key=event["data"]["key"],
            ConsistentRead=True,
        )
        item = answer.get("Item", {})
        row = {name: value for name, value in item.items() if not name.startswith(REPLICA)}
        is_deleted = f"{REPLICA}deleted" in item
        return item.get(f"{REPLICA}version", {}).get("S", ""), None if is_deleted else row

    def _in_sql(self, event: Event) -> tuple[str, Mapping[str, Any] | None]:
        import psycopg  # noqa: PLC0415 - only this check needs it

        with psycopg.connect(sql_replica.dsn(self.client, self.topology)) as connection:
            found = connection.execute(
                'SELECT version, "row" FROM replicated_rows WHERE table_name = %s AND key = %s',
                [event["data"]["table"], key_text(event["data"]["key"])],
            ).fetchone()
        return (found[0], found[1]) if found else ("", None)


def _same(row: Mapping[str, Any] | None) -> Any:
    return None if row is None else canonical(row)


def _event(record: Mapping[str, Any]) -> Event:
    """Return the event that capture publishes for a record of the stream."""
    change = RowChanged.from_stream(record)
    return {
        "id": record["eventID"],
        "source": table_arn(record),
        "type": "row.changed.v1",
        "time": record["dynamodb"]["ApproximateCreationDateTime"].isoformat(),
        "data": msgspec.to_builtins(change),
    }
