"""The archive: every entry is in its partition's object, and redeliveries keep the archive correct."""

import importlib.util
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fanout import aws
from fanout.contracts.application_logs import LONGEST_SERVICE, LogEntry
from fanout.event import Event, encode

from ..conftest import Queues, spy
from .conftest import NOON, Archive, deliver, entry

Lines = Callable[[str], list[dict[str, Any]]]


def test_entries_are_kept_as_they_came_under_service_day_and_hour(archive: ModuleType, archive_bucket: Archive) -> None:
    events = [entry("INFO", message="grüße 👋"), entry(time=NOON + timedelta(hours=13)), entry(service="search")]
    assert deliver(archive, *events) == []
    found = {key.rpartition("/")[0]: archive_bucket.lines(key) for key in archive_bucket.objects()}
    assert found == {
        "logs/service=checkout/dt=2026-11-22/hour=12": [json.loads(encode(events[0]))],
        "logs/service=checkout/dt=2026-11-23/hour=01": [json.loads(encode(events[1]))],
        "logs/service=search/dt=2026-11-22/hour=12": [json.loads(encode(events[2]))],
    }
    assert all(key.endswith(".jsonl.gz") for key in archive_bucket.objects())


def test_a_partition_is_the_hour_in_utc_whatever_zone_the_entry_names(
    archive: ModuleType, archive_bucket: Archive
) -> None:
    tokyo = datetime(2026, 1, 1, 8, 59, tzinfo=timezone(timedelta(hours=9)))
    deliver(archive, entry(time=tokyo))
    assert archive_bucket.objects()[0].startswith("logs/service=checkout/dt=2025-12-31/hour=23/")


def test_a_batch_makes_one_object_per_partition(archive: ModuleType, archive_bucket: Archive) -> None:
    events = [entry(service=f"service-{number % 3}") for number in range(30)]
    deliver(archive, *events)
    assert len(archive_bucket.objects()) == 3
    assert sorted(archive_bucket.ids()) == sorted(event.id for event in events)


@pytest.mark.guarantee("exactly-once-effect/archive-object")
def test_a_redelivered_batch_in_any_order_overwrites_itself(archive: ModuleType, archive_bucket: Archive) -> None:
    events = [entry(time=NOON + timedelta(seconds=number)) for number in range(5)]
    deliver(archive, *events)
    [key] = archive_bucket.objects()
    before = archive_bucket.lines(key)
    deliver(archive, *reversed(events), receive_count=2)
    assert archive_bucket.objects() == [key]
    assert archive_bucket.lines(key) == before
    assert [line["id"] for line in before] == [event.id for event in events], "in the order they were logged in"


def test_copies_within_a_batch_are_kept_once(archive: ModuleType, archive_bucket: Archive, lines: Lines) -> None:
    event = entry()
    deliver(archive, event, event, event)
    assert archive_bucket.ids() == [event.id]
    assert [receipt["outcome"] for receipt in lines("receipt")] == ["processed", "duplicate", "duplicate"]


def test_an_invalid_entry_between_valid_ones_is_rejected_and_they_are_kept(
    archive: ModuleType, archive_bucket: Archive, queues: Queues
) -> None:
    good = [entry(), entry()]
    nameless = encode(entry()).decode().replace('"checkout"', '""')
    assert deliver(archive, good[0], nameless, "plain text", good[1]) == []
    assert sorted(archive_bucket.ids()) == sorted(event.id for event in good)
    assert len(queues.dead()) == 2


def test_when_an_object_cannot_be_written_the_batch_is_retried_and_an_invalid_entry_is_not(
    archive: ModuleType, archive_bucket: Archive, monkeypatch: pytest.MonkeyPatch, queues: Queues
) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "SlowDown", "Message": "..."}}, "PutObject")

    events = [entry(), entry(service="search")]
    with monkeypatch.context() as patch:
        patch.setattr(aws.client("s3"), "put_object", refuse)
        assert deliver(archive, events[0], "{", events[1]) == ["0", "2"]
    assert len(queues.dead()) == 1
    assert deliver(archive, *events, receive_count=2) == []
    assert sorted(archive_bucket.ids()) == sorted(event.id for event in events)


@pytest.mark.guarantee("hostile-input/archive-folder")
def test_a_service_cannot_escape_from_its_folder(archive: ModuleType, archive_bucket: Archive) -> None:
    names = ["../../other", "a/dt=1999-01-01/hour=00", "..", "a=b", "%2F", "a b\n", "ключ", "😀" * LONGEST_SERVICE]
    deliver(archive, *[entry(service=name) for name in names])
    keys = archive_bucket.objects()
    assert all(key.count("/") == 4 and len(key.encode()) <= 1024 for key in keys)
    folders = [key.split("/")[1] for key in keys]
    assert sorted(unquote(folder.removeprefix("service=")) for folder in folders) == sorted(names)
    assert all(folder.isascii() and folder.isprintable() and " " not in folder for folder in folders)


def test_one_request_per_object_and_no_other(archive: ModuleType, archive_bucket: Archive) -> None:
    calls = spy("s3", "*")
    deliver(archive, *[entry() for _ in range(100)])
    assert len(calls) == 1


entries = st.builds(
    entry,
    st.sampled_from(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]),
    service=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=LONGEST_SERVICE),
    message=st.text(st.characters(exclude_categories=["Cs"]), max_size=200),
    time=st.datetimes(
        min_value=datetime(2, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
        max_value=datetime(9998, 12, 31),  # noqa: DTZ001
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=-12)), timezone(timedelta(hours=14))]),
    ),
)


@pytest.fixture(scope="module")
def layout() -> ModuleType:
    path = Path(__file__).parents[3] / "functions/application_logs/application_logs/domain/archive_layout.py"
    spec = importlib.util.spec_from_file_location("archive_layout_under_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@hypothesis_settings(deadline=None)
@given(events=st.lists(entries, max_size=30))
def test_splitting_a_batch_by_partition_neither_loses_nor_duplicates_entries(
    layout: ModuleType, events: list[Event[LogEntry]]
) -> None:
    partitions = layout.split(events)
    assert Counter(event.id for part in partitions.values() for event in part) == Counter(event.id for event in events)
    for folder, part in partitions.items():
        assert part, "no empty objects"
        assert {layout.partition(event) for event in part} == {folder}
        _, service, day, hour = folder.split("/")
        assert unquote(service.removeprefix("service=")) == part[0].data.service
        assert day == f"dt={part[0].occurred_at.date().isoformat()}"
        assert hour == f"hour={part[0].occurred_at.hour:02}"
        assert len(f"{folder}/{layout.object_name(part)}".encode()) <= 1024
