"""audit_logs on the engine under faults: invalid events, killed functions, a chain that is not writable."""

import json
import subprocess
from pathlib import Path

import pytest

from fanout.dynamodb import from_item, to_item
from fanout.event import encode
from fanout.identity import new_id
from tests.integration.application import ROOT, Application
from tests.integration.audit_logs.auditing import PRESERVE, RECORD, audited, chain, deliver, table, verify
from tests.integration.faults.crash_injection import struck, wait_for_strike
from tests.waiting import until


def recorded_ids(application: Application, tenant: str) -> list[str]:
    return [entry["id"] for entry in chain(application, tenant)]


def test_an_event_published_with_the_aws_cli_is_recorded_and_preserved(application: Application) -> None:
    event = audited(f"cli-{new_id()[-12:]}")
    arn = application.topic("AuditLogs")
    subprocess.run(
        [
            "aws",
            "sns",
            "publish",
            "--topic-arn",
            arn,
            "--message-group-id",
            event.data.tenant,
            "--message",
            encode(event),
        ],
        env=application.environment(),
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    assert application.outcomes(event.id) == {RECORD: "processed", PRESERVE: "processed"}
    assert verify(application, event.data.tenant, expected=0)["entries"] == 1


def test_an_invalid_event_between_valid_ones_is_dead_lettered_and_blocks_no_other(application: Application) -> None:
    tenant, poison = f"poison-{new_id()[-12:]}", new_id()
    good = [audited(tenant) for _ in range(6)]
    body = json.loads(encode(audited(tenant)))
    body = {**body, "id": poison, "data": {**body["data"], "before": {"n": 2**60}}}
    deliver(application, good[:3])
    application.publish_text("AuditLogs", json.dumps(body), group=tenant)
    deliver(application, good[3:])
    for event in good:
        assert application.outcomes(event.id) == {RECORD: "processed", PRESERVE: "processed"}
    assert application.outcomes(poison) == {RECORD: "rejected", PRESERVE: "rejected"}
    assert recorded_ids(application, tenant) == [event.id for event in good]
    assert verify(application, tenant, expected=0)["ok"]
    for subscriber in (RECORD, PRESERVE):
        [dead_letter] = [each for each in application.dead_letters(subscriber) if each.get("event_id") == poison]
        assert "2^53-1" in dead_letter["reason"]


def test_a_tenant_whose_chain_is_not_writable_blocks_no_other_and_continues_in_order_once_it_is_fixed(
    application: Application,
) -> None:
    stuck, free = f"stuck-{new_id()[-12:]}", f"free-{new_id()[-12:]}"
    events = [audited(stuck) for _ in range(4)]
    deliver(application, events[:1])
    assert application.outcomes(events[0].id)[RECORD] == "processed"
    dynamodb, key = application.client("dynamodb"), to_item({"pk": f"chain#{stuck}", "sk": "head"})
    head = dynamodb.get_item(TableName=table(application), Key=key)["Item"]
    dynamodb.put_item(TableName=table(application), Item=to_item(from_item(head) | {"hash": "0" * 64, "sequence": 0}))

    deliver(application, events[1:])
    until(lambda: application.receipts(RECORD, [events[1].id]), "the second is tried, in vain", seconds=30)
    other = audited(free)
    deliver(application, [other])
    assert application.outcomes(other.id)[RECORD] == "processed"
    assert recorded_ids(application, stuck) == [events[0].id]
    assert not application.receipts(RECORD, [events[2].id, events[3].id]), "nothing overtakes within a tenant"

    dynamodb.put_item(TableName=table(application), Item=head)
    for event in events:
        assert application.outcomes(event.id) == {RECORD: "processed", PRESERVE: "processed"}
    assert recorded_ids(application, stuck) == [event.id for event in events]
    assert verify(application, stuck, expected=0)["ok"]


def test_an_event_that_fails_its_final_attempt_unblocks_its_group(application: Application) -> None:
    tenant = f"last-{new_id()[-12:]}"
    hopeless, good = audited(tenant), audited(tenant)
    with application.environment_of(RECORD, AUDIT_TABLE="no-such-table", FANOUT_MAX_ATTEMPTS="2"):
        deliver(application, [hopeless])
        assert application.outcomes(hopeless.id)[RECORD] == "dead-lettered"
    deliver(application, [good])
    assert application.outcomes(good.id) == {RECORD: "processed", PRESERVE: "processed"}
    assert recorded_ids(application, tenant) == [good.id]
    finding = verify(application, tenant, expected=1)["first"]
    assert (finding["kind"], finding["event_id"]) == ("added", hopeless.id), "preserved, and not recorded"

    # Redriving it completes the trail: its entry is at the end, where it was recorded.
    deliver(application, [hopeless])
    until(lambda: recorded_ids(application, tenant) == [good.id, hopeless.id], "it is recorded", seconds=30)
    assert verify(application, tenant, expected=0)["ok"]


@pytest.mark.parametrize(
    ("subscriber", "at"),
    [
        (RECORD, "before TransactWriteItems"),
        (RECORD, "after TransactWriteItems"),
        (PRESERVE, "after PutObject"),
        (PRESERVE, "before acknowledgement"),
    ],
)
def test_a_function_killed_at_work_leaves_one_entry_and_one_version(
    application: Application, tmp_path: Path, subscriber: str, at: str
) -> None:
    tenant = f"killed-{new_id()[-12:]}"
    events = [audited(tenant) for _ in range(3)]
    with struck(application, subscriber, at, tmp_path):
        deliver(application, events)
        wait_for_strike(tmp_path)
        for event in events:
            assert application.outcomes(event.id)[subscriber] in {"processed", "duplicate"}
    for event in events:
        application.outcomes(event.id)
    assert recorded_ids(application, tenant) == [event.id for event in events]
    verdict = verify(application, tenant, expected=0)
    assert (verdict["entries"], verdict["preserved"]) == (3, 3)


def test_an_unknown_tenant_is_reported_as_having_no_trail(application: Application) -> None:
    found = application.fanout("audit", "verify", "--tenant", "nobody", check=1)
    assert "tenant 'nobody' has no audit trail" in found.stderr
    assert "Traceback" not in found.stderr
