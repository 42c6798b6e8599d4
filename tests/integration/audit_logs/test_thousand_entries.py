"""1,000 entries of three tenants with duplicates among them, on the engine: what is there is what a plain computation
over the list gives; then everything a tamperer could do is done, and named.
"""

import hashlib
import json
import random
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fanout.contracts.audit_logs import AuditRecorded
from fanout.dynamodb import to_item
from fanout.event import Event, encode
from fanout.identity import new_id
from tests.integration.application import ROOT, Application
from tests.integration.audit_logs.auditing import (
    audited,
    bucket,
    chain,
    deliver,
    document_key,
    settled,
    table,
    verify,
)

Trails = dict[str, list[Event[AuditRecorded]]]


@pytest.fixture(scope="module")
def trails(application: Application) -> Trails:
    """The tenants with their events, in the order in which they were first published."""
    chance = random.Random(20261122)
    tenants = [f"{name}-{new_id()[-12:]}" for name in ("acme", "globex", "initech")]
    events = [
        audited(
            chance.choice(tenants),
            actor=f"user/{chance.randrange(50)}",
            after={"password": f"hunter{number}", "limits": [number / 3, 1e21, -0.0], "öffnung": "日本語"},
        )
        for number in range(1000)
    ]
    deliveries = list(events)
    for event in chance.sample(events, 60):
        again = chance.randrange(deliveries.index(event) + 1, len(deliveries) + 1)
        deliveries.insert(again, event)
    deliver(application, deliveries)
    settled(application, [event.id for event in deliveries], seconds=200)
    found: Trails = defaultdict(list)
    for event in events:
        found[event.data.tenant].append(event)
    return found


def test_every_chain_and_document_equals_the_reference_computation(application: Application, trails: Trails) -> None:
    assert sum(map(len, trails.values())) == 1000
    for tenant, events in trails.items():
        previous = "0" * 64
        for sequence, (event, item) in enumerate(zip(events, chain(application, tenant), strict=True), 1):
            sent = json.loads(encode(event))
            number = sent["data"]["after"]["limits"][0]
            sent["data"]["after"] |= {"password": "[masked]", "limits": ["@number", "@big", 0]}
            # The three numbers as RFC 8785 writes them; the rest of these documents is plain enough for json.
            text = json.dumps(
                {"event": sent, "masked": ["**.password"]}, sort_keys=True, ensure_ascii=False, separators=(",", ":")
            )
            whole = number == int(number)
            document = text.replace('"@number"', str(int(number)) if whole else repr(number)).replace('"@big"', "1e+21")
            assert item["body"] == document
            link = {
                "format": "fanout-audit-1",
                "tenant": tenant,
                "sequence": sequence,
                "recorded_at": item["recorded_at"],
                "source": event.source,
                "id": event.id,
                "document_sha256": hashlib.sha256(document.encode()).hexdigest(),
                "previous": previous,
            }
            previous = hashlib.sha256(json.dumps(link, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
            assert item["hash"] == previous
        verdict = verify(application, tenant, "--passes-through", f"{len(events)}:{previous}", expected=0)
        assert (verdict["ok"], verdict["entries"], verdict["preserved"]) == (True, len(events), len(events))
        assert verdict["head"] == {"sequence": len(events), "hash": previous}


def test_the_program_in_the_readme_needs_only_an_auditors_permissions_and_finds_an_altered_entry(
    application: Application, trails: Trails
) -> None:
    tenant, events = list(trails.items())[2]
    readme = (ROOT / "usecases" / "audit_logs" / "README.md").read_text("utf-8")
    [program] = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    auditor = new_auditor(application)

    def audit() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program, table(application), bucket(application), tenant],
            env=auditor,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    found = audit()
    last = chain(application, tenant)[-1]
    assert found.stdout == f"{len(events)}:{last['hash']}\n", found.stderr
    with restored(application, last):
        put(application, last | {"recorded_at": "2020-01-01T00:00:00.000Z"})
        assert f"entry {len(events)} was altered" in audit().stderr
    remove = ["aws", "s3api", "delete-object", "--bucket", bucket(application), "--key", document_key(events[0])]
    refused = subprocess.run(remove, env=auditor, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "AccessDenied" in refused.stderr


def new_auditor(application: Application) -> dict[str, str]:
    """The environment of a user with the managed policy for auditors, and nothing else."""
    iam, user = application.client("iam"), f"auditor-{new_id()[-12:]}"
    iam.create_user(UserName=user)
    iam.attach_user_policy(UserName=user, PolicyArn=application.output("AuditorPolicyArn"))
    key = iam.create_access_key(UserName=user)["AccessKey"]
    keys = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    inherited = {name: value for name, value in application.environment().items() if name != "AWS_PROFILE"}
    return inherited | keys


@contextmanager
def restored(application: Application, *items: dict[str, Any]) -> Iterator[None]:
    """Put items back as they were when the block ends."""
    try:
        yield
    finally:
        for item in items:
            put(application, item)


def put(application: Application, item: dict[str, Any]) -> None:
    application.client("dynamodb").put_item(TableName=table(application), Item=to_item(item))


def delete(application: Application, item: dict[str, Any]) -> None:
    key = to_item({"pk": item["pk"], "sk": item["sk"]})
    application.client("dynamodb").delete_item(TableName=table(application), Key=key)


def first(application: Application, tenant: str) -> tuple[str, str, int | None, str | None]:
    """Kind, where, entry and event of the first finding."""
    finding = verify(application, tenant, expected=1)["first"]
    return finding["kind"], finding["where"], finding["sequence"], finding["event_id"]


def test_an_altered_a_deleted_an_added_and_two_swapped_entries_are_each_named(
    application: Application, trails: Trails
) -> None:
    tenant, events = next(iter(trails.items()))
    entries = chain(application, tenant)
    one, other, last = entries[16], entries[40], entries[-1]

    with restored(application, one):
        put(application, one | {"body": one["body"].replace("user/grace", "user/mallory")})
        assert first(application, tenant) == ("altered", "chain", 17, events[16].id)
    with restored(application, one):
        delete(application, one)
        assert first(application, tenant) == ("missing", "chain", 17, events[16].id)
    added = last | {"sk": f"entry#{len(entries) + 1:020}", "sequence": len(entries) + 1, "id": "forged"}
    put(application, added)
    assert first(application, tenant) == ("added", "chain", len(entries) + 1, "forged")
    delete(application, added)
    with restored(application, one, other):
        put(application, other | {"sk": one["sk"]})
        put(application, one | {"sk": other["sk"]})
        verdict = verify(application, tenant, expected=1)
        named = [(each["kind"], each["sequence"], each["event_id"]) for each in verdict["findings"]]
        assert named == [("reordered", 17, events[40].id), ("reordered", 41, events[16].id)]
    assert verify(application, tenant, expected=0)["ok"], "everything is as it was"


def test_a_preserved_version_can_be_neither_deleted_nor_released_and_an_overwrite_is_named(
    application: Application, trails: Trails
) -> None:
    tenant, events = list(trails.items())[1]
    s3, event = application.client("s3"), events[4]
    preserved = {"Bucket": bucket(application), "Key": document_key(event)}
    [version] = s3.list_object_versions(Bucket=preserved["Bucket"], Prefix=preserved["Key"])["Versions"]
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(**preserved, VersionId=version["VersionId"])
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object_retention(
            **preserved,
            VersionId=version["VersionId"],
            Retention={"Mode": "GOVERNANCE", "RetainUntilDate": "2020-01-01T00:00:00Z"},
        )
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(**preserved, Body=b"{}", IfNoneMatch="*")

    marker = s3.delete_object(**preserved)["VersionId"]
    assert first(application, tenant) == ("delete-marker", "bucket", 5, event.id)
    s3.delete_object(**preserved, VersionId=marker)
    later = s3.put_object(**preserved, Body=b"{}")["VersionId"]
    assert first(application, tenant) == ("later-version", "bucket", 5, event.id)
    s3.delete_object(**preserved, VersionId=later, BypassGovernanceRetention=True)
    other = preserved | {"Key": f"documents/{tenant}/{'0' * 64}.json"}
    put_in = s3.put_object(**other, Body=encode(event))["VersionId"]
    assert first(application, tenant) == ("added", "bucket", None, None)
    s3.delete_object(**other, VersionId=put_in, BypassGovernanceRetention=True)
    assert verify(application, tenant, expected=0)["ok"]


def test_no_secret_is_in_any_store_or_log(application: Application, trails: Trails) -> None:
    stored = json.dumps(application.items(table(application)), default=str)
    assert "hunter" not in stored
    logs = application.client("logs").get_paginator("filter_log_events")
    group = application.subscriber("audit_logs/record").log_group
    lines = "".join(event["message"] for page in logs.paginate(logGroupName=group) for event in page["events"])
    assert trails
    assert '"outcome":"processed"' in lines
    assert "hunter" not in lines
    assert "user/grace" not in lines
