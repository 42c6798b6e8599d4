"""record: each event has one entry in its tenant's chain, also if it is delivered twice, late or concurrently."""

import json
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import boto3
import pytest

from audit_logs import chain as module
from audit_logs import settings
from fanout import aws
from fanout.dynamodb import from_item, to_item
from fanout.event import encode
from fanout.testing import REGION
from fanout_cli.audit.stores import AwsStores
from fanout_cli.audit.trail import NO_HEAD, entry_from

from ..conftest import Queues
from .conftest import TABLE, deliver, recorded

Stores = Callable[[str], AwsStores]
Lines = Callable[[str], list[dict[str, Any]]]


def chain(stores: Stores, tenant: str = "acme") -> list[tuple[int, str]]:
    """The events of a chain in order, each entry linked to the one before and up to the head."""
    previous, found = NO_HEAD.hash, []
    for item in stores(tenant).items():
        entry = entry_from(item)
        assert entry is not None
        assert entry.linked() == entry.hash
        assert (entry.previous, entry.digest) == (previous, entry.document_sha256)
        found.append((entry.sequence, entry.id))
        previous = entry.hash
    assert stores(tenant).head().hash == previous
    return found


def outcomes(lines: Lines) -> list[str]:
    return [receipt["outcome"] for receipt in lines("receipt")]


def test_entries_are_linked_in_order_of_arrival(record: ModuleType, stores: Stores) -> None:
    events = [recorded() for _ in range(5)]
    assert deliver(record, *events) == []
    assert chain(stores) == [(number, event.id) for number, event in enumerate(events, 1)]


def test_each_tenant_has_a_chain_of_its_own(record: ModuleType, stores: Stores) -> None:
    first, second = recorded("acme", id="same"), recorded("globex", id="same")
    deliver(record, first)
    deliver(record, second, group="globex")
    assert chain(stores, "acme") == chain(stores, "globex") == [(1, "same")]


def test_a_redelivered_event_is_a_duplicate_and_adds_nothing(record: ModuleType, stores: Stores, lines: Lines) -> None:
    events = [recorded(after={"password": "one"}), recorded()]
    deliver(record, *events, events[0])
    deliver(record, *events)
    assert outcomes(lines) == ["processed", "processed", "duplicate", "duplicate", "duplicate"]
    assert len(chain(stores)) == 2


def test_a_redelivered_event_is_a_duplicate_after_the_sensitive_fields_changed_too(
    record: ModuleType, stores: Stores, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:

    event = recorded(after={"password": "one", "card": {"number": 1, "name": "Ada"}}, before={"big": 2.0**60})
    deliver(record, event)
    monkeypatch.setenv("SENSITIVE_FIELDS", "after.card,actor")
    settings.sensitive_paths.cache_clear()
    deliver(record, event)
    assert outcomes(lines) == ["processed", "duplicate"]
    assert len(chain(stores)) == 1


def test_another_event_under_the_same_id_is_rejected(
    record: ModuleType, stores: Stores, lines: Lines, queues: Queues
) -> None:
    deliver(record, recorded(id="e1"), recorded(id="e1", action="user.deleted"), recorded(id="e2"))
    assert outcomes(lines) == ["processed", "rejected", "processed"]
    assert [dead_letter["reason"][:9] for dead_letter in queues.dead()] == ["conflict:"]
    assert [event_id for _, event_id in chain(stores)] == ["e1", "e2"]


def test_an_invalid_event_between_valid_ones_does_not_block_its_group(
    record: ModuleType, stores: Stores, queues: Queues
) -> None:
    good = [recorded() for _ in range(4)]
    poison = json.loads(encode(recorded()))
    del poison["data"]["actor"]
    assert deliver(record, *good[:2], json.dumps(poison), "no json", *good[2:]) == []
    assert [event_id for _, event_id in chain(stores)] == [event.id for event in good]
    assert len(queues.dead()) == 2


def test_an_event_without_a_time_stays_without_one(record: ModuleType, stores: Stores) -> None:
    event = json.loads(encode(recorded()))
    del event["time"]
    deliver(record, json.dumps(event), json.dumps(event))
    [item] = stores("acme").items()
    assert json.loads(item["body"])["event"] == event


@pytest.mark.guarantee("personal-data/audit-masking")
def test_a_document_is_the_event_with_sensitive_fields_masked_and_names_the_paths(
    record: ModuleType, stores: Stores, lines: Lines
) -> None:
    event = recorded(
        source_ip="192.0.2.1",
        before={"password": "old-secret", "n": 1.0},
        after={"users": [{"Password": "new-secret"}], "card": {"number": "4111-secret", "name": "Ada"}},
    )
    deliver(record, event)
    [item] = stores("acme").items()
    document = json.loads(item["body"])
    assert document["masked"] == ["**.password", "after.card.number", "source_ip"]
    assert document["event"]["data"] == {
        "tenant": "acme",
        "actor": "user/ada",
        "action": "user.role.changed",
        "resource": "user/grace",
        "outcome": "success",
        "source_ip": "[masked]",
        "before": {"password": "[masked]", "n": 1},
        "after": {"users": [{"Password": "[masked]"}], "card": {"number": "[masked]", "name": "Ada"}},
    }
    table = json.dumps(boto3.client("dynamodb", region_name=REGION).scan(TableName=TABLE)["Items"])
    assert not any(secret in table for secret in ("old-secret", "new-secret", "4111-secret", "192.0.2.1"))


@pytest.mark.guarantee("personal-data/receipt-fields")
def test_nothing_about_a_person_is_logged(
    record: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    event = recorded(actor="user/who-may-not-be-logged", after={"password": "the-secret"})
    deliver(record, event, event)
    monkeypatch.setenv("AUDIT_TABLE", "gone")

    settings.chain.cache_clear()
    deliver(record, recorded(actor="user/who-may-not-be-logged", after={"password": "the-secret"}))
    said = capsys.readouterr()
    assert "retrying" in said.out
    assert "who-may-not" not in said.out + said.err
    assert "the-secret" not in said.out + said.err


def test_a_document_too_large_for_the_table_is_rejected_before_anything_is_written(
    record: ModuleType, stores: Stores, queues: Queues
) -> None:
    deliver(record, recorded(after={"text": "x" * 350_000}), recorded(id="next"))
    assert [dead_letter["reason"][:10] for dead_letter in queues.dead()] == ["too-large:"]
    assert chain(stores) == [(1, "next")]


def test_the_largest_document_fits_into_the_table(record: ModuleType, stores: Stores) -> None:
    event = recorded(actor="a" * 256, resource="r" * 1024, after={"text": ""})
    room = 350_000 - len(encode(event)) - len('{"event":,"masked":[]}')
    deliver(record, recorded(id=event.id, actor="a" * 256, resource="r" * 1024, after={"text": "x" * room}))
    [item] = stores("acme").items()
    assert 349_000 < len(item["body"]) <= 350_000


def test_two_concurrent_functions_do_not_fork_a_chain(
    record: ModuleType, stores: Stores, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one's entry goes in between our reading of the head and our writing."""

    ours, theirs = recorded(id="ours"), recorded(id="theirs")
    transact, met = module.transact, threading.Event()

    def slowly(actions: Any) -> None:
        if not met.is_set():
            met.set()
            module.append(theirs)
        transact(actions)

    monkeypatch.setattr(module, "transact", slowly)
    deliver(record, ours)
    assert chain(stores) == [(1, "theirs"), (2, "ours")]
    assert outcomes(lines) == ["processed"]


def test_the_same_event_in_two_concurrent_functions_has_one_entry(
    record: ModuleType, stores: Stores, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:

    event = recorded()
    transact, met = module.transact, threading.Event()

    def slowly(actions: Any) -> None:
        if not met.is_set():
            met.set()
            module.append(event)
        transact(actions)

    monkeypatch.setattr(module, "transact", slowly)
    deliver(record, event)
    assert chain(stores) == [(1, event.id)]
    assert outcomes(lines) == ["duplicate"]


def test_a_chain_whose_head_was_altered_is_not_forked_and_waits_for_an_operator(
    record: ModuleType, stores: Stores, lines: Lines
) -> None:
    deliver(record, recorded(id="e1"), recorded(id="e2"))
    key = to_item({"pk": "chain#acme", "sk": "head"})
    dynamodb = aws.client("dynamodb")
    head = from_item(dynamodb.get_item(TableName=TABLE, Key=key)["Item"])
    dynamodb.put_item(TableName=TABLE, Item=to_item({**head, "sequence": 1}))
    assert deliver(record, recorded(id="e3")) != []
    dynamodb.delete_item(TableName=TABLE, Key=key)
    assert deliver(record, recorded(id="e3")) != []
    assert outcomes(lines)[2:] == ["retrying", "retrying"]
    assert len(list(stores("acme").items())) == 2
