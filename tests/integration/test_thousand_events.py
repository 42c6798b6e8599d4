"""1,000 events, 5 % of them twice, 2 % invalid: one effect per subscriber, or one rejection."""

import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta

from fanout.contracts.team_events import TeamMessagePosted
from fanout.event import Event, encode
from fanout.identity import new_id
from tests.integration.application import Application
from tests.waiting import until

EVERYONE = ("team_events/team_a", "team_events/team_b", "team_events/broadcast")


def test_every_valid_event_has_one_effect_per_subscriber_and_every_invalid_one_its_reason(
    application: Application,
) -> None:
    chance = random.Random(20261122)
    run = new_id()
    good = [
        Event.new(TeamMessagePosted(text=f"{run} {number}", author="Ada"), source=f"urn:test:{run}")
        for number in range(980)
    ]
    poison = [
        json.dumps({**json.loads(encode(good[number])), "id": new_id(), "data": {"text": "", "author": "Ada"}})
        for number in range(20)
    ]
    messages = [encode(event).decode() for event in [*good, *chance.sample(good, 50)]] + poison
    chance.shuffle(messages)
    sns, topic = application.client("sns"), application.topic("TeamEvents")
    for start in range(0, len(messages), 10):
        entries = [{"Id": str(n), "Message": text} for n, text in enumerate(messages[start : start + 10])]
        assert not sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries).get("Failed")

    poison_ids = [json.loads(text)["id"] for text in poison]
    ids = [event.id for event in good] + poison_ids
    for name in EVERYONE:
        until(
            lambda name=name: len(application.receipts(name, ids)) >= len(messages),
            f"{name} has written a receipt for each of {len(messages)} deliveries",
            seconds=120,
        )

    table = application.subscriber(EVERYONE[0]).environment["FEED_TABLE"]
    effects = Counter(
        (item["pk"], item["event_id"]) for item in application.items(table) if item["text"].startswith(run)
    )
    assert len(effects) == 3 * 980, "an effect is missing"
    assert set(effects.values()) == {1}, "an effect was doubled"

    traces = application.tracer.trace_all(ids, datetime.now(UTC) - timedelta(hours=1))
    for trace in traces:
        expected = "rejected" if trace.event_id in poison_ids else "processed"
        assert {each.subscriber: each.outcome for each in trace.deliveries} == dict.fromkeys(EVERYONE, expected)

    for name in EVERYONE:
        dead_letters = {
            dead_letter.get("event_id"): dead_letter.get("reason", "") for dead_letter in application.dead_letters(name)
        }
        assert set(poison_ids) <= set(dead_letters)
        assert all("$.data.text" in dead_letters[event_id] for event_id in poison_ids)
