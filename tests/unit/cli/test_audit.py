"""`fanout audit verify` on a deployed trail: what it reads of table and bucket, what it says, and how it ends."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from fanout.dynamodb import to_item
from fanout.testing import REGION
from fanout_cli.audit.stores import AwsStores, Trails
from fanout_cli.commands import audit
from fanout_cli.stack.topology import Subscriber, Topology
from tests.unit.audit_logs.trails import TENANT, MemoryStores, name
from tests.unit.cli.conftest import Result

Run = Callable[..., Result]
TABLE, BUCKET = "audit", "trail"


class Deployed:
    """A deployed audit_logs in moto's AWS, which is a target too."""

    def __init__(self) -> None:
        settings = {"record": {"AUDIT_TABLE": TABLE}, "preserve": {"TRAIL_BUCKET": BUCKET}}
        self.subscribers = {
            f"audit_logs/{each}": Subscriber(f"audit_logs/{each}", "f", "g", "i", "d", given)
            for each, given in settings.items()
        }
        self.s3, self.dynamodb = self.client("s3"), self.client("dynamodb")
        self.s3.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
        self.lock({"Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}})

    def client(self, service: Any) -> Any:
        return boto3.client(service, region_name=REGION)

    def topology(self) -> Topology:
        return Topology("fanout", (), self.subscribers)

    def lock(self, rule: Any) -> None:
        configuration = {"ObjectLockEnabled": "Enabled", **rule}
        self.s3.put_object_lock_configuration(Bucket=BUCKET, ObjectLockConfiguration=configuration)

    def put(self, **item: Any) -> None:
        self.dynamodb.put_item(TableName=TABLE, Item=to_item(item))

    def fill(self, trail: MemoryStores) -> None:
        """Put a trail into table and bucket, the oldest versions first."""
        for item in trail.items():
            self.put(**item)
        if trail.end.sequence:
            self.put(pk=f"chain#{TENANT}", sk="head", sequence=trail.end.sequence, hash=trail.end.hash)
        for event, sequence in trail.markers.items():
            self.put(pk=f"event#{TENANT}#{event}", sk="entry", sequence=sequence)
        for document, versions in trail.bucket.items():
            for _, content in reversed(versions):
                if content is None:
                    self.s3.delete_object(Bucket=BUCKET, Key=trail.key(document))
                else:
                    self.s3.put_object(Bucket=BUCKET, Key=trail.key(document), Body=content)


@pytest.fixture
def deployed(cloud: None, make_table: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Deployed:
    make_table(TABLE)
    made = Deployed()
    monkeypatch.setattr(audit, "resolve", lambda *_: made)
    return made


def verify(run: Run, *options: str) -> tuple[int, dict[str, Any]]:
    result = run("audit", "verify", "--tenant", TENANT, "--json", *options)
    return result.exit_code, json.loads(result.out)


def test_the_stores_read_what_is_deployed_as_the_ones_in_memory_do(deployed: Deployed) -> None:
    trail = MemoryStores(12)
    trail.bucket[name("e3")].insert(0, ("v2", b"later"))
    trail.bucket[name("e4")].insert(0, ("v2", None))
    deployed.fill(trail)
    stores = AwsStores(deployed.client, TABLE, BUCKET, TENANT)
    assert stores.head() == trail.head()
    assert list(stores.items()) == list(trail.items())
    assert [stores.place(name(f"e{number}")) for number in (1, 12, 13)] == [1, 12, None]
    found = sorted((version.name, version.is_marker) for version in stores.versions())
    assert found == sorted((version.name, version.is_marker) for version in trail.versions())
    newest, oldest = stores.versions_of(name("e3"))
    assert stores.read([oldest, newest]) == [trail.document("e3").encode(), b"later"]
    assert stores.versions_of(name("nobody")) == []


def test_an_intact_trail_exits_with_0_and_shows_its_last_entry(deployed: Deployed, run: Run) -> None:
    trail = MemoryStores(3)
    deployed.fill(trail)
    result = run("audit", "verify", "--tenant", TENANT)
    assert result.exit_code == 0
    assert result.out == f"acme: 3 entries, 3 preserved documents: all as recorded\nends in 3:{trail.end.hash}\n"
    code, verdict = verify(run, "--passes-through", f"3:{trail.end.hash}")
    assert (code, verdict["ok"], verdict["first"], verdict["findings"]) == (0, True, None, [])


def test_what_is_wrong_is_named_on_the_first_line_and_the_end_is_1(deployed: Deployed, run: Run) -> None:
    trail = MemoryStores(5)
    trail.chain[f"entry#{2:020}"]["body"] = "{}"
    trail.bucket[name("e4")].insert(0, ("v2", None))
    deployed.fill(trail)
    result = run("audit", "verify", "--tenant", TENANT)
    assert result.exit_code == 1
    first, second, last, _ = result.out.splitlines()
    assert first.startswith("entry 2 was altered (event e2 of urn:test): its document")
    assert second.startswith("entry 4 is hidden by a delete marker (event e4 of urn:test): version ")
    assert "NOT" in last
    code, verdict = verify(run)
    assert (code, verdict["ok"], len(verdict["findings"])) == (1, False, 2)
    assert verdict["first"] == verdict["findings"][0]
    assert {"kind": "altered", "where": "chain", "sequence": 2, "event_id": "e2"}.items() <= verdict["first"].items()


def test_of_many_findings_the_first_twenty_are_shown_and_all_are_in_the_json(deployed: Deployed, run: Run) -> None:
    trail = MemoryStores(30)
    trail.bucket.clear()
    deployed.fill(trail)
    lines = run("audit", "verify", "--tenant", TENANT).out.splitlines()
    assert lines[20] == "... and 10 more (--json has them all)"
    assert len(verify(run)[1]["findings"]) == 30


def test_a_bucket_without_a_lock_is_reported_first(deployed: Deployed, run: Run) -> None:
    deployed.lock({})
    deployed.fill(MemoryStores(1))
    result = run("audit", "verify", "--tenant", TENANT)
    assert (result.exit_code, result.out.splitlines()[0]) == (1, "bucket trail locks nothing that is written to it")
    assert verify(run)[1]["first"]["kind"] == "unlocked"


def test_an_unknown_tenant_is_named_with_those_that_have_a_trail(deployed: Deployed, run: Run) -> None:
    result = run("audit", "verify", "--tenant", "acmee")
    assert (result.exit_code, result.out) == (1, "")
    assert "tenant 'acmee' has no audit trail in stack fanout\nNo tenant has one yet." in result.err
    deployed.fill(MemoryStores(1))
    assert "Tenants with one: acme." in run("audit", "verify", "--tenant", "acmee").err


def test_a_tenant_of_whom_only_documents_are_left_is_known(deployed: Deployed, run: Run) -> None:
    trail = MemoryStores(2)
    trail.chain.clear()
    deployed.fill(trail)
    deployed.dynamodb.delete_item(TableName=TABLE, Key=to_item({"pk": f"chain#{TENANT}", "sk": "head"}))
    code, verdict = verify(run)
    assert (code, verdict["first"]["kind"], verdict["first"]["event_id"]) == (1, "missing", "e1")


def test_a_missing_audit_logs_is_reported(deployed: Deployed, run: Run) -> None:
    deployed.subscribers.clear()
    result = run("audit", "verify", "--tenant", TENANT)
    assert result.exit_code == 1
    assert "audit_logs is not deployed in stack fanout\nDeploy it" in result.err


@pytest.mark.parametrize("entry", ["3", "3:abc", "0:" + "0" * 64, ":key:"])
def test_an_invalid_entry_is_wrong_usage_and_quoted(run: Run, entry: str) -> None:
    result = run("audit", "verify", "--tenant", TENANT, "--passes-through", entry)
    assert result.exit_code == 2
    assert f"--passes-through {entry}: no entry" in result.err


def test_the_trails_of_a_stack_know_their_tenants_stores(deployed: Deployed) -> None:
    deployed.fill(MemoryStores(1))
    assert Trails(deployed.client, deployed.topology()).of(TENANT).head().sequence == 1
