"""database_changes on the engine: what waits, what is refused, what comes twice or late, and what is too large."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fanout.contracts.database_changes import VERSION_DIGITS, RowChanged
from fanout.event import Event, encode
from fanout.identity import new_id
from fanout.publisher import message_group
from fanout_cli.replicas.verification import canonical
from tests.integration.database_changes.conftest import DYNAMODB, SQL, Replication, key
from tests.waiting import until

EVERYONE = (DYNAMODB, SQL)


def name() -> str:
    return f"row-{new_id()}"


def event(replication: Replication, row: str, version: int, values: dict[str, Any] | None) -> Event[RowChanged]:
    """A change as capture would publish it, with a version older than any of the stream's."""
    data = RowChanged(
        table=replication.primary,
        key=key(row),
        operation="delete" if values is None else "update",
        version=str(version).zfill(VERSION_DIGITS),
        after=None if values is None else {**key(row), **values},
    )
    return Event.new(data, source="urn:test")


def publish(replication: Replication, *events: Event[RowChanged]) -> None:
    """Publish each message with a deduplication id of its own, so that SNS does not drop it as a duplicate."""
    topic = replication.application.topic("DatabaseChanges")
    for each in events:
        replication.application.client("sns").publish(
            TopicArn=topic,
            Message=encode(each).decode(),
            MessageGroupId=message_group(each),
            MessageDeduplicationId=new_id(),
        )


def in_both(replication: Replication, row: str) -> list[Any]:
    found = (replication.in_dynamodb(row), replication.in_sql(row))
    return [canonical(next(iter(rows.values()))) if rows else None for rows in found]


def receipts(replication: Replication, subscriber: str, *events: Event[RowChanged]) -> list[str]:
    """The outcomes of events at a subscriber, in the order they were written."""
    ids = [each.id for each in events]
    return [str(each.outcome) for each in replication.application.receipts(subscriber, ids)]


def test_an_invalid_event_between_valid_ones_of_its_row_blocks_none_of_them(replication: Replication) -> None:
    row, poison = name(), new_id()
    good = [event(replication, row, version, {"visits": {"N": str(version)}}) for version in (1, 2, 3)]
    broken = json.loads(encode(good[1])) | {"id": poison}
    broken["data"]["version"] = "two"
    publish(replication, good[0])
    group = message_group(good[0])
    replication.application.publish_text("DatabaseChanges", json.dumps(broken), group=group)
    publish(replication, *good[1:])
    assert replication.application.outcomes(poison) == dict.fromkeys(EVERYONE, "rejected")
    for each in good:
        assert replication.application.outcomes(each.id) == dict.fromkeys(EVERYONE, "processed")
    assert in_both(replication, row) == [canonical({**key(row), "visits": {"N": "3"}})] * 2
    for subscriber in EVERYONE:
        [dead_letter] = [
            each for each in replication.application.dead_letters(subscriber) if each.get("event_id") == poison
        ]
        assert "row.changed.v1" in dead_letter["reason"]
        replication.application.purge_dead_letters(subscriber)
    forget(replication, row)


def test_duplicates_late_updates_and_insertions_after_deletions_leave_the_latest_version(
    replication: Replication,
) -> None:
    row = name()
    first, deletion = event(replication, row, 1, {"visits": {"N": "1"}}), event(replication, row, 3, None)
    late, again = event(replication, row, 2, {"visits": {"N": "2"}}), event(replication, row, 4, {"visits": {"N": "4"}})
    publish(replication, first, first, deletion, late, deletion, again, first)
    for subscriber in EVERYONE:
        until(
            lambda subscriber=subscriber: len(receipts(replication, subscriber, first, deletion, late, again)) == 7,  # type: ignore[misc]
            f"seven receipts of {subscriber}",
            every=0.3,
        )
        assert receipts(replication, subscriber, first) == ["processed", "duplicate", "discarded"]
        assert receipts(replication, subscriber, deletion) == ["processed", "duplicate"]
        assert receipts(replication, subscriber, late) == ["discarded"]
        assert receipts(replication, subscriber, again) == ["processed"]
    assert in_both(replication, row) == [canonical({**key(row), "visits": {"N": "4"}})] * 2
    forget(replication, row)


def forget(replication: Replication, row: str) -> None:
    """Take a row that the primary never had out of the replicas, for the next comparison."""
    replication.application.client("dynamodb").delete_item(TableName=replication.replica, Key=key(row))
    with replication.connected() as connection:
        connection.execute("DELETE FROM replicated_rows WHERE key LIKE %s", [f"%{row}%"])


def test_a_row_too_large_for_the_topic_arrives_whole_binary_values_included(replication: Replication) -> None:
    row = name()
    binary = {"M": {"list": {"L": [{"B": b"\x00\xff"}, {"BS": [b"\x01", b"\xfe\xff"]}]}}}
    written = replication.put(row, notes={"S": "ä" * 150_000}, visits={"N": "1"}, binary=binary)
    until(lambda: in_both(replication, row) == [canonical(written)] * 2, "both replicas have the row", every=0.3)


@contextmanager
def forbidden(replication: Replication, action: str) -> Iterator[None]:
    """Within the block capture may not do something."""
    iam = replication.application.client("iam")
    functions = replication.application.client("lambda")
    names = [
        each["FunctionName"]
        for page in functions.get_paginator("list_functions").paginate()
        for each in page["Functions"]
    ]
    [capture] = [each for each in names if "CaptureFunction" in each]
    role = functions.get_function_configuration(FunctionName=capture)["Role"].rsplit("/", 1)[-1]
    statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=role, PolicyName="forbidden", PolicyDocument=policy)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="forbidden")


def test_while_publishing_fails_changes_wait_in_the_stream_in_order(replication: Replication) -> None:
    row, began = name(), round(time.time() * 1000)
    with forbidden(replication, "sns:Publish"):
        for visit in range(20):
            replication.put(row, visits={"N": str(visit)})
        until(lambda: failures(replication) > 0, "capture has tried in vain", every=0.3)
        assert in_both(replication, row) == [None, None]
    expected = canonical({**key(row), "visits": {"N": "19"}})
    until(lambda: in_both(replication, row) == [expected] * 2, "the last change arrives", seconds=90, every=0.5)
    superseded = replication.application.client("logs").filter_log_events(
        logGroupName=replication.application.subscriber(SQL).log_group,
        filterPattern='"superseded"',
        startTime=began,
    )
    assert not superseded["events"], "a later change has come first"


def failures(replication: Replication) -> int:
    """Whether the mapping of the primary's stream has failed last."""
    mappings = replication.application.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    return sum("dynamodb" in each["EventSourceArn"] and "failed" in each["LastProcessingResult"] for each in mappings)


def test_changes_that_wait_behind_another_are_never_dead_lettered(replication: Replication) -> None:
    """Attempts follow each other at once here, so that the wait of hours fits into seconds."""
    row, began = name(), round(time.time() * 1000)
    expected = canonical({**key(row), "visits": {"N": "7"}})
    quick = {"FANOUT_BACKOFF_SECONDS": "0.0001", "FANOUT_MAX_ATTEMPTS": "1000"}
    with replication.application.environment_of(SQL, **quick):
        with replication.sql_down():
            for visit in range(8):
                replication.put(row, visits={"N": str(visit)})
            until(lambda: most_receives(replication, began) > 12, "those behind were received often", every=0.3)
        until(lambda: in_both(replication, row) == [expected] * 2, "the last change arrives", seconds=90, every=0.5)
    assert not replication.application.dead_letters(SQL)
    until(lambda: not counted(replication), "no count is left behind", every=0.3)


def most_receives(replication: Replication, began: int) -> int:
    """How often the SQL replica's function has been given a message that stood behind another of its batch."""
    found = replication.application.client("logs").filter_log_events(
        logGroupName=replication.application.subscriber(SQL).log_group, filterPattern='"received"', startTime=began
    )
    lines = [json.loads(each["message"]) for each in found["events"] if each["message"].startswith("{")]
    batches = [line["records"] for line in lines if line.get("message") == "received" and line["subscriber"] == SQL]
    return max((record["attempt"] for batch in batches for record in batch[1:]), default=0)


def counted(replication: Replication) -> list[dict[str, Any]]:
    table = replication.application.subscriber(SQL).environment["FANOUT_ATTEMPTS_TABLE"]
    return replication.application.items(table)


def test_all_rows_are_equal_at_the_end(replication: Replication) -> None:
    report = replication.verify(wait=30)
    assert report["differences"] == []
