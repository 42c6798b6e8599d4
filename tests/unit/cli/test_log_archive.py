"""Reading the archive: at-least-once objects give every entry once, by time, and only matching entries."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import boto3
import pytest

from fanout.testing import REGION
from fanout_cli.errors import UsageError, UserError
from fanout_cli.log_archive.archive import Archive, Selection
from fanout_cli.stack.topology import Subscriber, Topology
from fanout_cli.times import parse_time_option

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def entry(name: str, at: datetime, service: str = "shop", source: str = "urn:example:shop") -> dict[str, Any]:
    time = at.isoformat().replace("+00:00", "Z")
    return {"id": name, "source": source, "time": time, "data": {"service": service, "level": "INFO", "message": name}}


class Bucket:
    """The archive's bucket, written as the archive function does."""

    def __init__(self) -> None:
        self.s3: Any = boto3.client("s3", region_name=REGION)
        self.s3.create_bucket(Bucket="archive")
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.s3.meta.events.register("before-call.s3", lambda params, **_: self.requests.append(params["url"]))

    def put(self, name: str, *entries: dict[str, Any]) -> None:
        at, service = datetime.fromisoformat(entries[0]["time"]), entries[0]["data"]["service"]
        key = f"logs/service={quote(service, safe='')}/dt={at:%Y-%m-%d}/hour={at:%H}/{name}.jsonl.gz"
        body = gzip.compress("".join(json.dumps(each) + "\n" for each in entries).encode())
        self.s3.put_object(Bucket="archive", Key=key, Body=body)

    def read(self, **selection: Any) -> list[str]:
        subscriber = Subscriber("application_logs/archive", "f", "g", "i", "d", {"ARCHIVE_BUCKET": "archive"})
        archive = Archive(lambda _: self.s3, Topology("fanout", (), {subscriber.name: subscriber}))
        return [event["id"] for event in archive.read(Selection(**selection), self.problems.append)]


@pytest.fixture
def bucket(cloud: None) -> Bucket:
    return Bucket()


def test_an_entry_that_was_archived_twice_is_read_once(bucket: Bucket) -> None:
    a, b, c = (entry(name, NOON + timedelta(minutes=n)) for n, name in enumerate("abc"))
    bucket.put("first", a, b)
    bucket.put("second", b, c)
    assert bucket.read() == ["a", "b", "c"]


def test_an_id_of_two_sources_is_two_entries(bucket: Bucket) -> None:
    bucket.put("first", entry("a", NOON), entry("a", NOON, source="urn:example:other"))
    assert bucket.read() == ["a", "a"]


def test_entries_come_by_time_across_services_objects_and_hours(bucket: Bucket) -> None:
    bucket.put("x", entry("third", NOON + timedelta(hours=1)), entry("fourth", NOON + timedelta(minutes=90)))
    bucket.put("y", entry("second", NOON + timedelta(minutes=1), "office"))
    bucket.put("z", entry("first", NOON))
    assert bucket.read() == ["first", "second", "third", "fourth"]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"start": NOON + timedelta(minutes=30)}, ["half past", "one", "next day"]),
        ({"end": NOON + timedelta(minutes=30)}, ["noon"]),
        ({"start": NOON, "end": NOON + timedelta(hours=1)}, ["noon", "half past"]),
        ({"start": NOON + timedelta(days=2)}, []),
    ],
)
def test_from_is_included_and_to_is_not(bucket: Bucket, selection: dict[str, Any], expected: list[str]) -> None:
    bucket.put("a", entry("noon", NOON), entry("half past", NOON + timedelta(minutes=30)))
    bucket.put("b", entry("one", NOON + timedelta(hours=1)))
    bucket.put("c", entry("next day", NOON + timedelta(days=1)))
    assert bucket.read(**selection) == expected


def test_only_the_hours_asked_for_are_fetched(bucket: Bucket) -> None:
    for hour in range(5):
        bucket.put("a", entry(f"h{hour}", NOON + timedelta(hours=hour)))
    bucket.requests.clear()
    assert bucket.read(start=NOON + timedelta(hours=3)) == ["h3", "h4"]
    assert sum(".jsonl.gz" in url for url in bucket.requests) == 2


@pytest.mark.parametrize("service", ["shop", "a/dt=1", "Zoë & Söhne", "50%"])
def test_one_service_is_read_whatever_its_name_is(bucket: Bucket, service: str) -> None:
    bucket.put("a", entry("mine", NOON, service))
    bucket.put("b", entry("other", NOON, f"{service}-2"))
    assert bucket.read(service=service) == ["mine"]


def test_what_cannot_be_read_is_reported_and_the_rest_is_there(bucket: Bucket) -> None:
    bucket.put("a", entry("good", NOON))
    folder = "logs/service=shop/dt=2026-11-22/hour=12"
    bucket.s3.put_object(Bucket="archive", Key=f"{folder}/b.jsonl.gz", Body=b"no gzip")
    bucket.s3.put_object(Bucket="archive", Key=f"{folder}/c.jsonl.gz", Body=gzip.compress(b'{"id":"x"}\nnonsense\n'))
    assert bucket.read() == ["good"]
    assert sorted(problem.split(": ")[0] for problem in bucket.problems) == [
        f"{folder}/c.jsonl.gz, line 1",
        f"{folder}/c.jsonl.gz, line 2",
        f"s3://archive/{folder}/b.jsonl.gz is not a gzip file",
    ]


def test_without_application_logs_there_is_no_archive() -> None:
    with pytest.raises(UserError, match="application_logs is not deployed"):
        Archive(lambda _: None, Topology("fanout", (), {}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        ("2026-11-22T13:00:00+01:00", NOON),
        ("2026-11-22T12:00:00", NOON),
        ("90s", NOON - timedelta(seconds=90)),
        ("2h", NOON - timedelta(hours=2)),
        ("1w", NOON - timedelta(weeks=1)),
    ],
)
def test_times_are_read_as_people_write_them(text: str, expected: datetime) -> None:
    assert parse_time_option(text, "--from", NOON) == expected


@pytest.mark.parametrize("text", ["", "soon", "2 hours", "-1h", "25:00"])
def test_an_invalid_time_is_wrong_usage_and_names_the_option(text: str) -> None:
    with pytest.raises(UsageError, match="--to"):
        parse_time_option(text, "--to", NOON)
