"""analytics_service: every user once, every day's counts right, and no person recognisable."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from types import ModuleType
from typing import Any

import msgspec
import pytest

from fanout import aws
from fanout.contracts.user_registration import UserRegistered
from fanout.event import Event
from fanout.testing import sns_record, sqs_record
from user_registration.domain import registration_counts
from user_registration.handlers import analytics_service

from ..conftest import Deployed
from .conftest import deliver, registration

Items = Callable[[str], list[dict[str, Any]]]
Lines = Callable[[str], list[dict[str, Any]]]
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def analytics(deployed: Deployed) -> ModuleType:
    return deployed(analytics_service)


def at(time: datetime, event: Event[UserRegistered]) -> Event[UserRegistered]:
    return msgspec.structs.replace(event, time=time)


def counts(items: Items) -> dict[str, Counter[str]]:
    """Each day's counts, its items added up as a reader would."""
    found: dict[str, Counter[str]] = {}
    for item in items("analytics"):
        if item["pk"].startswith("registrations#"):
            day = found.setdefault(item["pk"].removeprefix("registrations#"), Counter())
            day.update({name: int(value) for name, value in item.items() if name not in {"pk", "sk"}})
    return found


def users(items: Items) -> dict[str, dict[str, Any]]:
    return {item["pk"]: item for item in items("analytics") if item["pk"].startswith("user#")}


@pytest.mark.guarantee("personal-data/analytics-hash")
def test_the_record_for_analysis_has_neither_name_nor_address(analytics: ModuleType, items: Items) -> None:
    event = at(NOON, registration("u-1", "Ada@example.org", name="Lovelace", plan="pro", locale="de-CH"))
    deliver(analytics, sns_record(event))
    record = users(items)["user#u-1"]
    assert {key: value for key, value in record.items() if key != "email_hash"} == {
        "pk": "user#u-1",
        "sk": "registration",
        "event_id": event.id,
        "registered_at": "2026-11-20T12:00:00.000+00:00",
        "plan": "pro",
        "locale": "de-CH",
        "marketing_consent": False,
    }
    assert len(record["email_hash"]) == 64
    stored = str(items("analytics")).lower()
    assert "lovelace" not in stored
    assert "ada@" not in stored


def test_users_with_one_address_have_one_hash(analytics: ModuleType, items: Items) -> None:
    deliver(analytics, sns_record(registration("u-1", "ada@example.org")))
    deliver(analytics, sns_record(registration("u-2", "ADA@example.org")))
    deliver(analytics, sns_record(registration("u-3", "bob@example.org")))
    hashes = [users(items)[f"user#u-{number}"]["email_hash"] for number in (1, 2, 3)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_duplicates_and_second_events_count_once(analytics: ModuleType, items: Items, lines: Lines) -> None:
    event = at(NOON, registration("u-1", plan="pro"))
    deliver(analytics, sns_record(event))
    deliver(analytics, sqs_record(event), sqs_record(event))
    deliver(analytics, sns_record(at(NOON, registration("u-1", plan="free"))))
    assert counts(items) == {"2026-11-20": Counter({"registrations": 1, "plan:pro": 1, "locale:en": 1})}
    assert [receipt["outcome"] for receipt in lines("receipt")] == ["processed"] + ["duplicate"] * 3
    assert users(items)["user#u-1"]["plan"] == "pro"


def test_an_erased_user_is_not_restored_by_a_redelivery(analytics: ModuleType, items: Items) -> None:
    event = registration("u-1")
    deliver(analytics, sns_record(event))
    key = {"pk": {"S": "user#u-1"}, "sk": {"S": "registration"}}
    aws.client("dynamodb").delete_item(TableName="analytics", Key=key)
    deliver(analytics, sqs_record(event))
    assert users(items) == {}


def test_days_are_those_of_the_registration_in_utc(analytics: ModuleType, items: Items) -> None:
    tokyo = timezone(timedelta(hours=9))
    times = [
        datetime(2026, 11, 20, 23, 59, 59, 999_999, UTC),
        datetime(2026, 11, 21, tzinfo=UTC),
        datetime(2026, 11, 21, 8, 59, tzinfo=tokyo),  # still the 20th
    ]
    for number, time in enumerate(times):
        deliver(analytics, sns_record(at(time, registration(f"u-{number}"))))
    assert {day: count["registrations"] for day, count in counts(items).items()} == {"2026-11-20": 2, "2026-11-21": 1}


def test_an_event_without_a_time_counts_on_the_day_of_its_publishing(analytics: ModuleType, items: Items) -> None:
    record = sns_record(msgspec.structs.replace(registration(), time=None))
    record["Sns"]["Timestamp"] = "2026-01-02T03:04:05.678Z"
    deliver(analytics, record)
    assert list(counts(items)) == ["2026-01-02"]


def test_any_order_and_any_duplicates_give_the_same_counts(analytics: ModuleType, items: Items) -> None:
    plans, locales = ["free", "pro", "team"], ["en", "de", "ja", "pt-BR"]
    events = [
        at(
            NOON + timedelta(days=number % 2),
            registration(f"u-{number}", plan=plans[number % 3], locale=locales[number % 4]),
        )
        for number in range(24)
    ]
    deliveries = events + events[::3]
    random.Random(7).shuffle(deliveries)
    for first in range(0, len(deliveries), 10):
        deliver(analytics, *(sqs_record(event) for event in deliveries[first : first + 10]))
    expected: dict[str, Counter[str]] = {}
    for event in events:
        day = expected.setdefault(event.occurred_at.date().isoformat(), Counter())
        day.update(["registrations", f"plan:{event.data.plan}", f"locale:{event.data.locale}"])
    assert counts(items) == expected
    assert len(users(items)) == 24


def test_registrations_of_one_day_spread_over_all_items_that_count_it() -> None:
    keys = Counter(registration_counts.counts_key(date(2026, 11, 20), f"u-{number}")["sk"] for number in range(1600))
    assert len(keys) == registration_counts.SHARDS
    assert max(keys.values()) < 150


def test_a_malformed_address_does_not_keep_a_user_from_being_counted(analytics: ModuleType, items: Items) -> None:
    deliver(analytics, sns_record(registration(email="not an address")))
    assert len(users(items)) == 1


def test_without_the_key_nothing_is_stored_and_the_event_is_retried(
    analytics: ModuleType, items: Items, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMAIL_HASH_KEY_SECRET_ARN", "arn:aws:secretsmanager:us-east-1:123456789012:secret:gone")
    deliver(analytics, sns_record(registration()))
    [receipt] = lines("receipt")
    assert receipt["outcome"] == "retrying"
    assert "ResourceNotFoundException" in receipt["reason"]
    assert items("analytics") == []
