"""2,000 likes, unlikes and duplicates by 50 users on 20 posts, shuffled; one post takes half of them."""

import random
from collections import Counter
from datetime import timedelta
from typing import Any

from fanout.contracts.user_interactions import PostLiked, PostUnliked
from fanout.event import Event, encode
from fanout.identity import new_id
from tests.integration.application import Application
from tests.integration.user_interactions.test_interactions import LIKES, ask, totals
from tests.interactions import NOW, expected_likes, expected_scores
from tests.waiting import until

FINAL = {"processed", "duplicate", "discarded"}


def test_every_post_has_the_likes_of_the_reference_computation(application: Application) -> None:
    chance, run = random.Random(20261122), new_id()
    posts = [f"{run}-{number}" for number in range(20)]
    users = [f"u-{number}" for number in range(50)]

    def interaction() -> Event[Any]:
        data = chance.choice([PostLiked, PostLiked, PostUnliked])(
            post_id=posts[0] if chance.random() < 0.5 else chance.choice(posts[1:]),
            user_id=chance.choice(users),
            occurred_at=NOW + timedelta(seconds=chance.randrange(0, 240)),  # coarse, so that some are simultaneous
        )
        return Event.new(data, source=f"urn:test:{chance.randrange(3)}")

    events = [interaction() for _ in range(1700)]
    deliveries = events + chance.sample(events, 200) + chance.choices(events, k=100)
    chance.shuffle(deliveries)
    assert len(deliveries) == 2000
    assert 900 < sum(event.data.post_id == posts[0] for event in deliveries) < 1100

    sns, topic = application.client("sns"), application.topic("UserInteractions")
    for start in range(0, len(deliveries), 10):
        chunk = deliveries[start : start + 10]
        entries = [{"Id": str(number), "Message": encode(event).decode()} for number, event in enumerate(chunk)]
        assert not sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries).get("Failed")

    copies = Counter(event.id for event in deliveries)

    def finished() -> bool:
        receipts = application.receipts(LIKES, list(copies))
        return Counter(receipt.event_id for receipt in receipts if receipt.outcome in FINAL) >= copies

    until(finished, "each of 2,000 deliveries has its final receipt", seconds=240, every=2)
    expected = expected_likes(events)
    assert {post: totals(application, post)["likes"] for post in posts} == {post: expected[post] for post in posts}

    table = application.subscriber(LIKES).environment["INTERACTIONS_TABLE"]
    items = [item for item in application.items(table) if run in item["pk"] + item["sk"]]
    scores: dict[str, Counter[str]] = {}
    for item in items:
        if item["pk"].startswith("trending#"):
            minute, _, post = item["sk"].partition("#")
            scores.setdefault(post, Counter())[minute] += int(item["score"])
    standing = {post: {minute: score for minute, score in each.items() if score} for post, each in scores.items()}
    assert {post: each for post, each in standing.items() if each} == expected_scores(events)
    shards = [int(item["likes"]) for item in items if item["pk"].startswith("totals#") and posts[0] in item["pk"]]
    assert len(shards) > 8, "the hot post's likes are in many items"
    assert min(shards) >= 0
    ranked = ask(application, "posts", action="trending", minutes=60, limit=100)["posts"]
    assert next(each["post_id"] for each in ranked if run in each["post_id"]) == posts[0]
    assert not [each for each in application.dead_letters(LIKES) if each.get("event_id") in copies]
