"""capture: every change of the stream is published, in order, or stored for an operator."""

import json
from typing import Any

import boto3
import pytest

from fanout.contracts.database_changes import RowChanged
from fanout.event import decode, decode_data
from fanout.testing import REGION
from tests.unit.conftest import ROOT, sample_payload
from tests.unit.database_changes.conftest import SOURCE, TABLE, Account, key, stream_record


def number(record: dict[str, Any]) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def aside() -> dict[str, dict[str, Any]]:
    """The stored changes, by object."""
    s3 = boto3.client("s3", region_name=REGION)
    names = [each["Key"] for each in s3.list_objects_v2(Bucket="unpublished").get("Contents", [])]
    return {name: json.loads(s3.get_object(Bucket="unpublished", Key=name)["Body"].read()) for name in names}


def test_the_sample_payload_is_published_as_the_sample_events(account: Account) -> None:
    assert account.capture(*sample_payload("database_changes", "capture-changes")["Records"]) == []
    valid = ROOT / "events/database_changes/valid"
    samples = [json.loads((valid / f"ordinary-{name}.json").read_bytes()) for name in ("insert", "update", "delete")]
    published = [
        {name: body[name] for name in sample} for body, sample in zip(account.sns.bodies, samples, strict=True)
    ]
    assert published == samples


def test_insert_update_and_delete_become_events_of_their_row(account: Account) -> None:
    update = stream_record("ada", 2, event_name="MODIFY", plan={"S": "pro"})
    update["dynamodb"]["OldImage"] = {**key("ada"), "plan": {"S": "free"}}
    records = [
        stream_record("ada", 1, plan={"S": "free"}),
        update,
        stream_record("ada", 3, event_name="REMOVE", plan={"S": "pro"}),
    ]
    assert account.capture(*records) == []
    events = [decode_data(decode(json.dumps(body)), RowChanged) for body in account.sns.bodies]
    assert [event.data.operation for event in events] == ["insert", "update", "delete"]
    assert [event.data.version for event in events] == [f"{100_000_000_000_000_000_000 + n:040d}" for n in (1, 2, 3)]
    assert {event.data.table for event in events} == {TABLE}
    assert [(event.data.before, event.data.after) for event in events] == [
        (None, {**key("ada"), "plan": {"S": "free"}}),
        ({**key("ada"), "plan": {"S": "free"}}, {**key("ada"), "plan": {"S": "pro"}}),
        ({**key("ada"), "plan": {"S": "pro"}}, None),
    ]
    assert {(event.source, event.id) for event in events} == {(SOURCE, f"event-{n}") for n in (1, 2, 3)}
    assert len({body["group"] for body in account.sns.bodies}) == 1


def test_a_redelivered_batch_publishes_the_same_events(account: Account) -> None:
    records = [stream_record("ada", 1), stream_record("maya", 2)]
    account.capture(*records)
    account.capture(*records)
    first, again = account.sns.ids[:2], account.sns.ids[2:]
    assert first == again


def test_versions_of_different_length_compare_as_numbers(account: Account) -> None:
    short, long = stream_record("ada", 1), stream_record("ada", 2)
    short["dynamodb"]["SequenceNumber"] = "9" * 21
    long["dynamodb"]["SequenceNumber"] = "1" + "0" * 21
    account.capture(short, long)
    first, second = (body["data"]["version"] for body in account.sns.bodies)
    assert first < second


@pytest.mark.guarantee("at-least-once/stream-position")
def test_a_change_that_cannot_be_published_blocks_its_row_and_is_where_the_batch_continues(account: Account) -> None:
    records = [stream_record(name, position) for position, name in enumerate(["maya", "ada", "ada", "jonas"])]
    account.sns.down = {"event-1"}
    assert account.capture(*records) == [number(records[1])]
    assert account.sns.ids == ["event-0", "event-3"]
    assert aside() == {}
    account.sns.down = set()
    assert account.capture(*records[1:]) == []
    assert account.sns.ids == ["event-0", "event-3", "event-1", "event-2", "event-3"]


def test_a_permanently_refused_change_is_stored_before_a_later_change_of_its_row_is_published(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [stream_record("ada", position, visits={"N": str(position)}) for position in range(3)]
    account.sns.refused = {"event-1"}
    assert account.capture(*records) == []
    assert account.sns.ids == ["event-0", "event-2"]
    [(name, document)] = aside().items()
    assert name == f"changes/{TABLE}/{number(records[1])}.json"
    assert document == {"code": "Refused", "reason": "no", "record": records[1]}
    [metrics] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert (metrics["unpublished"], metrics["published"]) == ([1.0], [2.0])
    assert metrics["service"] == "database_changes/capture", "what the alarm looks at"


def test_while_it_cannot_be_stored_no_later_change_of_its_row_is_published(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [stream_record("ada", 0), stream_record("ada", 1), stream_record("maya", 2)]
    account.sns.refused = {"event-0"}
    monkeypatch.setenv("UNPUBLISHED_BUCKET", "no-such-bucket")
    assert account.capture(*records) == [number(records[0])]
    assert account.sns.ids == ["event-2"]


def test_a_row_too_large_for_a_topic_travels_by_claim_check(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    boto3.client("s3", region_name=REGION).create_bucket(Bucket="claims")
    monkeypatch.setenv("FANOUT_CLAIM_CHECK_BUCKET", "claims")
    assert account.capture(stream_record("ada", 1, notes={"S": "x" * 300_000}), stream_record("ada", 2)) == []
    large, small = account.sns.bodies
    assert large["group"] == small["group"]
    assert large["data"] == {"table": TABLE, "operation": "insert", "version": f"{100_000_000_000_000_000_001:040d}"}
    [parked] = boto3.client("s3", region_name=REGION).list_objects_v2(Bucket="claims")["Contents"]
    assert parked["Key"] == f"database_changes/{large['claimcheck']}"


def test_without_a_claim_check_bucket_it_is_stored(account: Account) -> None:
    assert account.capture(stream_record("ada", 1, notes={"S": "x" * 300_000}), stream_record("ada", 2)) == []
    assert account.sns.ids == ["event-2"]
    assert [document["code"] for document in aside().values()] == ["TooLarge"]


@pytest.mark.parametrize("broken", ["eventName", "Keys", "NewImage"])
def test_an_unreadable_record_is_stored_and_the_others_are_published(account: Account, broken: str) -> None:
    record = stream_record("ada", 1, plan={"S": "pro"})
    (record if broken in record else record["dynamodb"]).pop(broken)
    assert account.capture(stream_record("maya", 0), record, stream_record("jonas", 2)) == []
    assert account.sns.ids == ["event-0", "event-2"]
    [(name, document)] = aside().items()
    assert name == f"changes/unreadable/{number(record)}.json"
    assert document["record"] == record
    assert document["code"] == "Unreadable"


def test_a_stored_change_can_be_captured_again_and_becomes_the_same_event(account: Account) -> None:
    """The README's procedure: {"Records": [the object's record]}."""
    records = [stream_record("ada", position) for position in range(2)]
    account.sns.refused = {"event-0"}
    account.capture(*records)
    [document] = aside().values()
    account.sns.refused = set()
    assert account.capture(document["record"]) == []
    assert account.sns.ids == ["event-1", "event-0"]
    first, again = account.sns.bodies
    assert again["data"]["version"] < first["data"]["version"], "so a replica that is beyond it discards it"


def test_an_empty_batch_succeeds(account: Account) -> None:
    """`fanout up` warms functions with one."""
    assert account.capture() == []
