"""preserve: one locked version of each event's document, the same bytes that record keeps, and never a second one."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from fanout import aws
from fanout.contracts.audit_logs import AuditRecorded
from fanout.event import decode, decode_data
from fanout_cli.audit.stores import AwsStores
from fanout_cli.audit.trail import name_of, sha256
from fanout_cli.audit.verification import verify

from ..conftest import Queues, spy
from .conftest import BUCKET, deliver, recorded

Stores = Callable[[str], AwsStores]
Function = Callable[[str], ModuleType]
Lines = Callable[[str], list[dict[str, Any]]]
ROOT = Path(__file__).parents[3]
SAMPLES = sorted((ROOT / "events" / "audit_logs" / "valid").glob("*.json"))


def outcomes(lines: Lines) -> list[str]:
    return [receipt["outcome"] for receipt in lines("receipt")]


def versions(stores: Stores) -> list[bytes]:
    trail = stores("acme")
    return trail.read(list(trail.versions()))


def test_a_document_is_named_after_source_and_id(preserve: ModuleType, stores: Stores) -> None:
    event = recorded(after={"password": "x"})
    deliver(preserve, event)
    [version] = stores("acme").versions()
    assert version.name == name_of(event.source, event.id) == sha256(f'["urn:test:iam","{event.id}"]'.encode())
    [document] = versions(stores)
    assert json.loads(document)["event"]["data"]["after"] == {"password": "[masked]"}


@pytest.mark.guarantee("exactly-once-effect/locked-object")
def test_a_redelivered_event_adds_no_version(preserve: ModuleType, stores: Stores, lines: Lines) -> None:
    event = recorded()
    deliver(preserve, event, event)
    deliver(preserve, event)
    assert outcomes(lines) == ["processed", "duplicate", "duplicate"]
    assert len(versions(stores)) == 1


def test_another_event_under_the_same_id_is_rejected_and_adds_no_version(
    preserve: ModuleType, stores: Stores, lines: Lines, queues: Queues
) -> None:
    deliver(preserve, recorded(id="e1"), recorded(id="e1", outcome="denied"))
    assert outcomes(lines) == ["processed", "rejected"]
    assert queues.dead()[0]["reason"].startswith("conflict:")
    assert len(versions(stores)) == 1


def test_a_conditional_write_that_conflicts_is_retried(preserve: ModuleType, lines: Lines) -> None:
    calls = spy("s3", "PutObject")
    refusal = {"Error": {"Code": "ConditionalRequestConflict", "Message": "try again"}}
    answer = SimpleNamespace(status_code=409, headers={}, content=b"")
    aws.client("s3").meta.events.register("before-call.s3.PutObject", lambda **_: (answer, refusal))
    assert deliver(preserve, recorded()) != []
    [receipt] = lines("receipt")
    assert receipt["outcome"] == "retrying"
    assert receipt["reason"].startswith("preserved: another write of it is in progress")
    assert calls[0]["IfNoneMatch"] == "*"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_both_functions_keep_the_same_bytes_of_every_sample_and_the_trail_verifies(
    function: Function, stores: Stores, sample: Path
) -> None:
    text = sample.read_text("utf-8")
    for name in ("record", "preserve"):
        module = function(name)
        assert deliver(module, text, text) == []
    tenant = decode_data(decode(text), AuditRecorded).data.tenant
    verdict = verify(tenant, stores(tenant), lambda *_: None)
    assert (verdict.findings, verdict.entries, verdict.preserved) == ([], 1, 1)


def test_the_request_contains_the_checksum_of_the_document(preserve: ModuleType, stores: Stores) -> None:
    calls = spy("s3", "PutObject")
    deliver(preserve, recorded())
    [document] = versions(stores)
    assert calls[0]["Bucket"] == BUCKET
    assert base64.b64decode(calls[0]["ChecksumSHA256"]).hex() == sha256(document)
