"""10,000 events of three sources, late and duplicate ones and poison among them: what the aggregates hold is what a
plain computation says, and Athena, asked for the lake's view, says the same."""

import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.application import Application
from tests.three_sources import Amounts, Sample, Sources, expected
from tests.waiting import until

NAMES = ("web", "mobile", "store")
DELIVERIES, UNIQUE, POISON = 10_000, 9_000, 60
WAITING = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


BY_HOUR = """
    SELECT dt, substr(occurred_at, 1, 13) AS hour, type, coalesce(data.country, data.geo.country) AS country,
           data.currency AS currency, count(*) AS contacts,
           sum(CASE WHEN type = 'web.pageview.v1' THEN 1 ELSE coalesce(data.screens, 0) END) AS views,
           sum(coalesce(data.visible_ms, data.end_ms - data.start_ms, 0)) AS engaged_ms,
           sum(data.item_count) AS items_sold, sum(data.total) AS revenue
    FROM events
    WHERE dt IN ({days})
    GROUP BY dt, substr(occurred_at, 1, 13), type, coalesce(data.country, data.geo.country), data.currency
"""


def days_of_its_own(seed: int) -> datetime:
    """The first hour of days that no other test, and no other run, has events in."""
    return datetime(2024, 2, 1, 22, tzinfo=UTC) + timedelta(days=3 * (seed % 250))


def poison(chance: random.Random, sample: Sample) -> str:
    """An event that its subscriber must reject."""
    broken = json.loads(json.dumps(sample.event))
    match chance.randrange(3):
        case 0:
            del broken["id"]
        case 1:
            broken["data"] = {**broken["data"], "country": "nowhere", "geo": "nowhere"}
        case _:
            broken["source"] = 7
    return json.dumps(broken)


def publish(application: Application, bodies: list[str]) -> None:
    sns, topic = application.client("sns"), application.topic("DataAggregation")

    def put(first: int) -> None:
        entries = [{"Id": str(n), "Message": body} for n, body in enumerate(bodies[first : first + 10])]
        assert not sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries).get("Failed")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, range(0, len(bodies), 10)))


def is_idle(application: Application) -> bool:
    def left(name: str) -> int:
        url = application.subscriber(f"data_aggregation/{name}").inbox_url
        counts = application.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=list(WAITING))
        return sum(int(counts["Attributes"][each]) for each in WAITING)

    return not any(left(name) for name in NAMES)


def aggregates(application: Application, days: set[str]) -> Amounts:
    """What the table holds about these days."""
    table = application.subscriber("data_aggregation/web").environment["AGGREGATES_TABLE"]
    return Counter(
        {
            (item["pk"], item["sk"]): int(item["total"])
            for item in application.items(table)
            if item["sk"].partition("#")[2][:10] in days
        }
    )


def ask(application: Application, sql: str) -> list[dict[str, Any]]:
    found = application.fanout("analytics", "query", "-", "--json", input=sql)
    return [json.loads(line) for line in found.stdout.splitlines()]


def in_the_lake(application: Application, days: set[str]) -> Amounts:
    """The aggregates by channel and by country, as the lake's view gives them."""
    rows = ask(application, BY_HOUR.format(days=", ".join(f"'{day}'" for day in sorted(days))))
    found: Amounts = Counter()
    for row in rows:
        assert row["hour"].startswith(row["dt"]), "an event is in the folder of its day"
        is_sale = row["type"] == "store.sale.v1"
        measures = {"contacts": row["contacts"]}
        measures |= {"items_sold": row["items_sold"], f"revenue_{row['currency']}": row["revenue"]} if is_sale else {}
        measures |= {} if is_sale else {"views": row["views"], "engaged_ms": row["engaged_ms"]}
        channel = {"web.pageview.v1": "web", "mobile.session.v1": "mobile", "store.sale.v1": "store"}[row["type"]]
        for measure, amount in measures.items():
            for where in (f"channel={channel}", row["country"] and f"country={row['country']}"):
                for window in (f"hour#{row['hour']}", f"day#{row['dt']}"):
                    if where and amount:
                        found[f"{measure}#{where}", window] += amount
    return found


@pytest.mark.timeout(600)  # a minute where the machine has nothing else to do
def test_aggregates_and_lake_equal_the_reference_computation(application: Application) -> None:
    seed = random.SystemRandom().randrange(10_000)
    chance, sources = random.Random(seed), Sources(seed, days_of_its_own(seed), hours=30)
    samples = [sources.sample() for _ in range(UNIQUE)]
    dead_letters = {name: len(application.dead_letters(f"data_aggregation/{name}")) for name in NAMES}

    # Some are published twice at once, some again after everything else; nothing is in order.
    again = chance.sample(samples, DELIVERIES - UNIQUE - POISON)
    at_once, later = again[: len(again) // 2], again[len(again) // 2 :]
    bodies = [json.dumps(each.event, indent=chance.choice([None, None, 2])) for each in [*samples, *at_once]]
    bodies += [poison(chance, chance.choice(samples)) for _ in range(POISON)]
    chance.shuffle(bodies)
    publish(application, bodies)
    until(lambda: is_idle(application), f"everything is counted (seed {seed})", seconds=240, every=1)
    publish(application, [json.dumps(each.event) for each in later])
    until(lambda: is_idle(application), f"nothing is counted twice (seed {seed})", seconds=60, every=1)

    right = expected(samples)
    days = {window.partition("#")[2][:10] for _, window in right}
    assert len(days) == 3, "they span midnight twice"
    assert aggregates(application, days) == right

    listed = ", ".join(f"'{day}'" for day in sorted(days))
    lines = f"SELECT count(*) AS lines FROM raw_events WHERE dt IN ({listed})"
    until(
        lambda: ask(application, lines) == [{"lines": DELIVERIES - POISON}],
        f"every delivery is a line of the lake (seed {seed})",
        seconds=60,
        every=1,
    )
    by_channel_and_country = {
        key: total for key, total in right.items() if key[0].partition("#")[2].startswith(("channel=", "country="))
    }
    assert in_the_lake(application, days) == by_channel_and_country
    [once] = ask(
        application,
        f"SELECT count(*) AS lines, count(DISTINCT id) AS events FROM events WHERE dt IN ({listed})",
    )
    assert once == {"lines": UNIQUE, "events": UNIQUE}

    found = {name: len(application.dead_letters(f"data_aggregation/{name}")) for name in NAMES}
    assert sum(found.values()) - sum(dead_letters.values()) == POISON, (
        "each poisonous event is a dead letter of its subscriber"
    )
    for name in NAMES:
        application.purge_dead_letters(f"data_aggregation/{name}")
