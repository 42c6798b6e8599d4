"""web, mobile and store: each event counts once, where it belongs, and writes grow with keys and not with events."""

import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from data_aggregation import settings
from data_aggregation.handlers import mobile, store, web
from fanout import aws, contracts
from fanout.contracts import data_aggregation
from fanout.event import decode, decode_data
from tests.three_sources import Amounts, Sample, Sources, expected

from ..conftest import Deployed, Queues, spy
from .conftest import FUNCTIONS, deliver

Totals = Callable[[], Amounts]
Lines = Callable[[str], list[dict[str, Any]]]
NOON = datetime(2026, 10, 8, 12, tzinfo=UTC)
VIEW = {"site": "shop", "path": "/", "visitor": "v_1", "viewed_at": "2026-10-08T12:30:00Z"}
SESSION = {"app": "shop-app", "platform": "ios", "device": "d_1", "start_ms": 1791462600000, "end_ms": 1791462660500}
SALE = {
    "store_id": "vienna-01", "till": 1, "receipt": "R-1", "sold_at": "2026-10-08T14:30:00+02:00", "country": "AT",
    "currency": "EUR", "total": 1250, "item_count": 3,
    "lines": [{"sku": "A", "quantity": 1, "unit_price": 250}, {"sku": "B", "quantity": 2, "unit_price": 500}],
}  # fmt: skip


def event(kind: str, data: dict[str, Any], event_id: str = "e1", **attributes: Any) -> Sample:
    envelope = {"specversion": "1.0", "id": event_id, "source": "urn:test", "type": kind, "data": data, **attributes}
    return Sample(envelope, Counter())


def in_hour_and_day(measure: str, where: str, total: int) -> Amounts:
    pk = f"{measure}#{where}"
    return Counter({(pk, "hour#2026-10-08T12"): total, (pk, "day#2026-10-08"): total})


def outcomes(lines: Lines) -> list[str]:
    return [receipt["outcome"] for receipt in lines("receipt")]


def transactions(calls: list[dict[str, Any]]) -> list[Counter[str]]:
    """How many actions of each kind every transaction had."""
    return [Counter(next(iter(action)) for action in call["TransactItems"]) for call in calls]


def test_a_pageview_is_a_contact_and_a_view_with_the_attention_it_got(deployed: Deployed, totals: Totals) -> None:
    deliver(deployed(web), event("web.pageview.v1", {**VIEW, "visible_ms": 1500, "country": "DE"}))
    assert totals() == sum(
        (
            in_hour_and_day(measure, where, total)
            for measure, total in {"contacts": 1, "views": 1, "engaged_ms": 1500}.items()
            for where in ("channel=web", "country=DE", "site=shop")
        ),
        Counter(),
    )


def test_a_session_has_as_many_views_as_screens_and_belongs_to_the_hour_it_began_in(
    deployed: Deployed, totals: Totals
) -> None:
    deliver(deployed(mobile), event("mobile.session.v1", {**SESSION, "screens": 4, "end_ms": 1791470000000}))
    assert totals() == sum(
        (
            in_hour_and_day(measure, where, total)
            for measure, total in {"contacts": 1, "views": 4, "engaged_ms": 7_400_000}.items()
            for where in ("channel=mobile", "app=shop-app", "platform=ios")
        ),
        Counter(),
    )


def test_a_sale_counts_items_and_its_currency_s_revenue(deployed: Deployed, totals: Totals) -> None:
    swiss = {**SALE, "currency": "CHF"}
    deliver(deployed(store), event("store.sale.v1", SALE), event("store.sale.v1", swiss, "e2"))
    found = totals()
    assert found["items_sold#store=vienna-01", "day#2026-10-08"] == 6
    assert found["revenue_EUR#country=AT", "hour#2026-10-08T12"] == 1250
    assert found["revenue_CHF#channel=store", "day#2026-10-08"] == 1250
    assert not [pk for pk, _ in found if pk.startswith("revenue#")], "currencies never meet in one number"


@pytest.mark.parametrize(
    ("viewed_at", "hour", "day"),
    [
        ("2026-10-08T23:59:59.999-11:00", "hour#2026-10-09T10", "day#2026-10-09"),
        ("2026-10-09T00:00:00+14:00", "hour#2026-10-08T10", "day#2026-10-08"),
        ("2026-10-08T12:59:59.999999Z", "hour#2026-10-08T12", "day#2026-10-08"),
        ("2000-01-01T00:00:00Z", "hour#2000-01-01T00", "day#2000-01-01"),
    ],
)
def test_an_event_belongs_to_the_window_of_its_own_time_in_utc_however_late_it_arrives(
    deployed: Deployed, totals: Totals, viewed_at: str, hour: str, day: str
) -> None:
    deliver(deployed(web), event("web.pageview.v1", {**VIEW, "viewed_at": viewed_at}, time="2026-11-22T08:00:00Z"))
    assert {window for _, window in totals()} == {hour, day}


def test_a_zero_or_unknown_value_makes_no_aggregate(deployed: Deployed, totals: Totals) -> None:
    deliver(deployed(web), event("web.pageview.v1", VIEW))
    assert {pk for pk, _ in totals()} == {
        "contacts#channel=web", "contacts#site=shop", "views#channel=web", "views#site=shop"
    }  # fmt: skip


def test_an_event_counts_once_however_often_and_in_whichever_envelope_it_is_delivered(
    deployed: Deployed, totals: Totals, lines: Lines
) -> None:
    deployed(web)
    first, second = event("web.pageview.v1", VIEW), event("web.pageview.v1", VIEW, "e2")
    deliver(web, first, first)
    deliver(web, event("web.pageview.v1", VIEW, time="2026-11-22T08:00:00Z"), second)
    assert outcomes(lines) == ["processed", "duplicate", "duplicate", "processed"]
    assert totals()["views#channel=web", "day#2026-10-08"] == 2


@pytest.mark.parametrize(
    ("kind", "data", "updates"),
    [
        ("web.pageview.v1", VIEW, 8),
        ("web.pageview.v1", {**VIEW, "visible_ms": 1500, "country": "DE"}, 18),
        ("mobile.session.v1", {**SESSION, "screens": 3, "geo": {"country": "DE"}}, 24),
        ("store.sale.v1", SALE, 18),
    ],
)
def test_an_event_causes_the_number_of_updates_in_the_readme(
    deployed: Deployed, kind: str, data: dict[str, Any], updates: int
) -> None:
    module = deployed(FUNCTIONS[kind])
    calls = spy("dynamodb", "TransactWriteItems")
    deliver(module, event(kind, data))
    assert [each["Update"] for each in transactions(calls)] == [updates]


def test_the_same_id_of_another_source_is_another_event(deployed: Deployed, totals: Totals) -> None:
    deliver(deployed(web), event("web.pageview.v1", VIEW), event("web.pageview.v1", VIEW, source="urn:other"))
    assert totals()["views#channel=web", "day#2026-10-08"] == 2


def test_an_invalid_event_between_valid_ones_affects_none_of_them(
    deployed: Deployed, totals: Totals, queues: Queues, lines: Lines
) -> None:
    bad = event("web.pageview.v1", {**VIEW, "country": "Germany"}, "bad")
    good = [event("web.pageview.v1", VIEW, f"e{number}") for number in range(3)]
    assert deliver(deployed(web), good[0], bad, good[1], "{broken", good[2]) == []
    assert totals()["views#channel=web", "day#2026-10-08"] == 3
    assert Counter(outcomes(lines)) == {"processed": 3, "rejected": 2}
    assert len(queues.dead()) == 2


@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.parametrize("seed", range(2))
def test_any_mixture_of_batches_duplicates_and_orders_equals_the_reference_computation(
    deployed: Deployed, totals: Totals, kind: str, seed: int
) -> None:
    chance, sources = random.Random(seed), Sources(seed, NOON, hours=30)
    make = {web: sources.pageview, mobile: sources.session, store: sources.sale}[FUNCTIONS[kind]]
    samples = [make() for _ in range(50)]
    deliveries = samples + chance.sample(samples, 15)
    chance.shuffle(deliveries)
    module = deployed(FUNCTIONS[kind])
    while deliveries:
        size = chance.choice([3, 17, 40])
        assert deliver(module, *deliveries[:size]) == []
        del deliveries[:size]
    assert totals() == expected(samples)


def same_hour(number: int) -> list[Sample]:
    return [event("web.pageview.v1", {**VIEW, "visible_ms": 5}, f"e{n}") for n in range(number)]


def test_updates_grow_with_the_keys_of_a_batch_and_not_with_its_events(deployed: Deployed, lines: Lines) -> None:
    deployed(web)
    calls = spy("dynamodb", "TransactWriteItems")
    deliver(web, *same_hour(1))
    deliver(web, *[event("web.pageview.v1", VIEW | {"visible_ms": 5}, f"f{n}") for n in range(80)])
    one, eighty = transactions(calls)
    assert (one["Put"], eighty["Put"]) == (1, 80), "a marker per event"
    assert one["Update"] == eighty["Update"] == 12, "three measures by two dimensions, in an hour and a day"
    hours = [{**VIEW, "visible_ms": 5, "viewed_at": f"2026-10-08T{hour:02}:30:00Z"} for hour in (1, 2)]
    deliver(web, *[event("web.pageview.v1", hours[n % 2], f"g{n}") for n in range(40)])
    assert transactions(calls)[-1]["Update"] == 6 * 3, "two hours and one day"
    assert set(outcomes(lines)) == {"processed"}


def test_a_batch_too_large_for_one_transaction_is_split_and_each_stays_within_the_limit(
    deployed: Deployed, totals: Totals
) -> None:
    deployed(web)
    calls = spy("dynamodb", "TransactWriteItems")
    samples = same_hour(400)
    random.Random(1).shuffle(samples)
    assert deliver(web, *samples) == []
    made = transactions(calls)
    assert {each.total() for each in made[:-1]} == {100}, "as full as can be"
    assert sum(each["Put"] for each in made) == 400
    assert sum(each["Update"] for each in made) == 12 * len(made) == 12 * 5
    assert totals()["engaged_ms#site=shop", "day#2026-10-08"] == 2000


def test_events_that_share_no_key_are_split_too(deployed: Deployed, totals: Totals) -> None:
    deployed(store)
    calls = spy("dynamodb", "TransactWriteItems")
    sources = Sources(7, datetime(2026, 1, 1, tzinfo=UTC), hours=24 * 300)
    samples = [sources.sale() for _ in range(40)]
    assert deliver(store, *samples) == []
    assert len(transactions(calls)) > 5
    assert all(each.total() <= 100 for each in transactions(calls))
    assert totals() == expected(samples)


def test_a_batch_is_split_in_the_same_way_whatever_its_order(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, make_table: Callable[[str], str]
) -> None:
    deployed(store)
    calls = spy("dynamodb", "TransactWriteItems")
    samples = [Sources(3, NOON, hours=20).sale() for _ in range(1)] + [
        Sources(s, NOON, hours=20).sale() for s in range(60)
    ]
    deliver(store, *samples)
    written = [call["TransactItems"] for call in calls]
    calls.clear()
    monkeypatch.setenv("AGGREGATES_TABLE", make_table("again"))
    settings.load.cache_clear()
    deliver(store, *reversed(samples))
    assert [keys(call["TransactItems"]) for call in calls] == [keys(items) for items in written]


def keys(items: list[dict[str, Any]]) -> list[str]:
    """What a transaction writes to, in order."""
    return [
        json.dumps(each.get("Key") or {n: each["Item"][n] for n in ("pk", "sk")})
        for item in items
        for each in item.values()
    ]


def test_a_failed_transaction_blocks_no_other(
    deployed: Deployed, totals: Totals, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(web)
    client = aws.client("dynamodb")
    write, calls = client.transact_write_items, []

    def unwell(**request: Any) -> Any:
        calls.append(request)
        if len(calls) == 2:
            raise ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "TransactWriteItems")
        return write(**request)

    monkeypatch.setattr(client, "transact_write_items", unwell)
    samples = same_hour(200)
    again = deliver(web, *samples)
    assert len(again) == 88, "the second of three transactions"
    assert totals()["views#channel=web", "day#2026-10-08"] == 112
    assert deliver(web, *[samples[number] for number in again], receive_count=2) == []
    assert totals()["views#channel=web", "day#2026-10-08"] == 200


def test_a_batch_redelivered_because_its_response_was_lost_changes_nothing(
    deployed: Deployed, totals: Totals, lines: Lines
) -> None:
    deployed(web)
    samples = same_hour(30)
    deliver(web, *samples)
    before = totals()
    lines("receipt")
    assert deliver(web, *samples, *[event("web.pageview.v1", VIEW | {"visible_ms": 5}, "new")], receive_count=2) == []
    assert Counter(outcomes(lines)) == {"duplicate": 30, "processed": 1}
    assert totals()["views#channel=web", "day#2026-10-08"] == before["views#channel=web", "day#2026-10-08"] + 1


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_no_event_has_more_keys_than_fit_a_transaction_beside_its_idempotency_record(
    deployed: Deployed, kind: str
) -> None:
    module = deployed(FUNCTIONS[kind])
    everything: dict[str, dict[str, Any]] = {
        "web.pageview.v1": {**VIEW, "visible_ms": 1, "country": "DE"},
        "mobile.session.v1": {**SESSION, "screens": 1, "geo": {"country": "DE"}},
        "store.sale.v1": SALE,
    }
    contracts.load("data_aggregation")
    whole = decode_data(decode(json.dumps(event(kind, everything[kind]).event)), _schema(kind))
    assert len(module.observe(whole.data).amounts()) <= 24


def _schema(kind: str) -> Any:
    schemas = (data_aggregation.WebPageview, data_aggregation.MobileSession, data_aggregation.StoreSale)
    return next(schema for schema in schemas if contracts.contract_of(schema).type == kind)


def test_a_type_of_another_source_is_discarded(deployed: Deployed, totals: Totals, lines: Lines) -> None:
    deliver(deployed(web), event("store.sale.v1", SALE))
    assert outcomes(lines) == ["discarded"]
    assert totals() == Counter()


@pytest.mark.guarantee("personal-data/receipt-fields")
def test_receipts_show_no_pseudonym_and_no_path(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    deliver(deployed(web), event("web.pageview.v1", {**VIEW, "visitor": "v_secret", "path": "/me"}))
    shown = capsys.readouterr().out
    assert '"site":"shop"' in shown
    assert "v_secret" not in shown
    assert "/me" not in shown
