"""shares and comments: each counts once; comments are sorted newest first; blocked words wait for a moderator."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanout.contracts.user_interactions import LONGEST_COMMENT, PostCommented
from fanout.event import Event, encode
from fanout.identity import new_id
from fanout.testing import REGION, LambdaContext
from tests.interactions import NOW, comment, expected_likes, expected_scores, like, share
from user_interactions import comment_store, counters
from user_interactions.handlers import comments, likes, review, shares

from ..conftest import Deployed, Queues, sample_payload
from .conftest import TABLE, WORDS, deliver, deliver_batch

Items = Callable[[str], list[dict[str, Any]]]
Lines = Callable[[str], list[dict[str, Any]]]
Totals = Callable[[str], dict[str, int]]
FIRST_MINUTE = NOW.strftime("%Y-%m-%dT%H:%MZ")


@pytest.fixture(name="shares")
def shares_fixture(deployed: Deployed) -> ModuleType:
    return deployed(shares)


@pytest.fixture(name="comments")
def comments_fixture(deployed: Deployed) -> ModuleType:
    return deployed(comments)


@pytest.fixture(name="review")
def review_fixture(deployed: Deployed) -> ModuleType:
    return deployed(review)


def texts(posts: ModuleType, post_id: str = "p-1", **request: Any) -> list[str]:
    answer = posts.handler({"action": "comments", "post_id": post_id, **request}, None)
    assert answer["ok"], answer
    return [each["text"] for each in answer["comments"]]


def waiting(review: ModuleType) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = review.handler({"action": "list"}, None)["comments"]
    return found


def outcomes(lines: Lines) -> list[str]:
    return [receipt["outcome"] for receipt in lines("receipt")]


@pytest.mark.guarantee("exactly-once-effect/record-refuses")
def test_every_share_counts_once_by_its_channel(shares: ModuleType, totals: Totals, lines: Lines) -> None:
    first = share("ada", channel="mail")
    deliver(shares, first, share("ada", channel="mail"), share("bob", channel="link"))
    assert deliver_batch(shares, first, first) == []
    assert totals("p-1") == {"likes": 0, "shares": 3, "comments": 0, "channel:mail": 2, "channel:link": 1}
    assert outcomes(lines) == ["processed"] * 3 + ["duplicate"] * 2


def test_a_share_of_an_older_producer_names_no_channel(shares: ModuleType, totals: Totals) -> None:
    deliver(shares, encode(share()).decode().replace(',"channel":"link"', ""))
    assert totals("p-1")["channel:other"] == 1


def test_a_comment_is_stored_as_typed_and_counted(comments: ModuleType, posts: ModuleType, totals: Totals) -> None:
    text = "¡Qué bonito! 👩‍🚀 山田\n<script>"
    event = comment(text)
    deliver(comments, event)
    [stored] = posts.handler({"action": "comments", "post_id": "p-1"}, None)["comments"]
    assert (stored["text"], stored["user_id"], stored["comment_id"]) == (text, "ada", event.id)
    assert stored["occurred_at"] == NOW.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    assert totals("p-1")["comments"] == 1


def test_comments_are_stored_newest_first_in_any_order_of_arrival(
    comments: ModuleType, posts: ModuleType, items: Items
) -> None:
    events = [comment(f"{number}", at=number * 0.7) for number in range(12)]
    shuffled = random.Random(3).sample(events, len(events))
    deliver(comments, *shuffled)
    newest_first = [event.data.text for event in reversed(events)]
    stored = sorted((item for item in items(TABLE) if item["pk"] == "comments#p-1"), key=lambda item: item["sk"])
    assert [item["text"] for item in stored] == newest_first
    assert texts(posts) == newest_first


def test_comments_are_read_page_by_page_each_once(comments: ModuleType, posts: ModuleType) -> None:
    deliver(comments, *(comment(f"{number}", at=number) for number in range(5)), comment("elsewhere", post="p-2"))
    seen, after = [], None
    while True:
        request = {"action": "comments", "post_id": "p-1", "limit": 2} | ({"after": after} if after else {})
        page = posts.handler(request, None)
        seen += [each["text"] for each in page["comments"]]
        after = page["next"]
        if after is None:
            break
    assert seen == ["4", "3", "2", "1", "0"]


def test_a_redelivered_comment_is_stored_and_counted_once_and_not_restored_after_its_deletion(
    comments: ModuleType, posts: ModuleType, totals: Totals, items: Items, lines: Lines
) -> None:
    from fanout import aws  # noqa: PLC0415 - its client belongs to this test's account
    from fanout.dynamodb import to_item  # noqa: PLC0415

    event = comment()
    deliver(comments, event, event)
    assert (totals("p-1")["comments"], texts(posts)) == (1, ["Lovely!"])
    [item] = [item for item in items(TABLE) if item["pk"] == "comments#p-1"]
    aws.client("dynamodb").delete_item(TableName=TABLE, Key=to_item({"pk": item["pk"], "sk": item["sk"]}))
    deliver(comments, event)
    assert texts(posts) == []
    assert outcomes(lines) == ["processed", "duplicate", "duplicate"]


@pytest.mark.parametrize("text", ["", " \n\t", "x" * (LONGEST_COMMENT + 1), "👍" * (LONGEST_COMMENT + 1)])
def test_a_comment_that_is_empty_or_too_long_is_rejected_naming_the_field(
    comments: ModuleType, account: Queues, items: Items, text: str
) -> None:
    event = Event.new(PostCommented(post_id="p-1", user_id="ada", occurred_at=NOW, text=text), source="urn:test")
    deliver(comments, event)
    [dead_letter] = account.dead()
    assert dead_letter["reason"].startswith("invalid-event: post.commented.v1: ")
    assert "$.data.text" in dead_letter["reason"]
    assert items(TABLE) == []


def test_the_longest_comment_is_stored_whole(comments: ModuleType, posts: ModuleType) -> None:
    text = "👍" * LONGEST_COMMENT
    deliver(comments, comment(text))
    assert texts(posts) == [text]


def test_a_comment_with_a_blocked_word_waits_and_counts_nowhere(
    comments: ModuleType, posts: ModuleType, review: ModuleType, totals: Totals, lines: Lines
) -> None:
    event = comment("Best ＣＡＳＩＮＯ in town, buy  Followers here")
    deliver(comments, event, event, comment("Lovely!", at=1))
    assert texts(posts) == ["Lovely!"]
    assert totals("p-1")["comments"] == 1
    [held] = waiting(review)
    assert (held["text"], held["words"]) == (event.data.text, ["casino", "buy followers"])
    assert outcomes(lines) == ["processed", "duplicate", "processed"]


def test_words_added_to_the_list_apply_without_a_deployment(
    comments: ModuleType, posts: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(comments, comment("tulips"))
    boto3.client("ssm", region_name=REGION).put_parameter(Name=WORDS, Value="tulips", Type="String", Overwrite=True)
    monkeypatch.setattr(comments.word_list, "_SECONDS", 0)
    comments.word_list._parameters.cache_clear()
    deliver(comments, comment("tulips", at=1), comment("casino", at=2))
    assert texts(posts) == ["casino", "tulips"]


def test_without_a_list_nothing_is_held(
    comments: ModuleType, posts: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLOCKED_WORDS_PARAMETER", "")
    deliver(comments, comment("casino"))
    assert texts(posts) == ["casino"]


def test_while_the_list_cannot_be_read_no_comment_is_published_unread(
    comments: ModuleType, posts: ModuleType, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLOCKED_WORDS_PARAMETER", "no-such-parameter")
    deliver(comments, comment("casino"))
    assert (outcomes(lines), texts(posts)) == (["retrying"], [])


def test_an_approved_comment_is_stored_in_its_original_place_and_counted(
    comments: ModuleType, posts: ModuleType, review: ModuleType, totals: Totals
) -> None:
    events = [comment("old"), comment("casino", at=1), comment("new", at=2)]
    deliver(comments, *events)
    [held] = waiting(review)
    assert review.handler({"action": "approve", "entry": held["entry"]}, None) == {"ok": True, "decided": True}
    assert texts(posts) == ["new", "casino", "old"]
    assert totals("p-1")["comments"] == 3

    assert counters.scores(NOW - timedelta(days=1)) == expected_scores(events)
    assert waiting(review) == []


def test_the_sample_payloads_of_posts_and_review_are_about_the_sample_that_is_held(
    comments: ModuleType, posts: ModuleType, review: ModuleType
) -> None:
    def answer(module: ModuleType, name: str) -> dict[str, Any]:
        found: dict[str, Any] = module.handler(sample_payload("user_interactions", name), None)
        assert found.pop("ok"), found
        return found

    held = sample_payload("user_interactions", "comments-held-for-review")
    comments.handler(held, LambdaContext())
    assert len(answer(review, "review-list")["comments"]) == 1
    assert answer(review, "review-approve") == {"decided": True}
    assert answer(posts, "posts-totals")["totals"]["comments"] == 1
    assert len(answer(posts, "posts-comments")["comments"]) == 1
    assert set(answer(posts, "posts-trending")) == {"since", "posts"}


def test_the_sample_payload_that_refuses_deletes_the_sample_that_is_held(
    comments: ModuleType, review: ModuleType
) -> None:
    comments.handler(sample_payload("user_interactions", "comments-held-for-review"), LambdaContext())
    assert review.handler(sample_payload("user_interactions", "review-refuse"), None)["decided"]
    assert waiting(review) == []


def test_a_decision_counts_once_and_a_redelivery_restores_nothing(
    comments: ModuleType, posts: ModuleType, review: ModuleType, totals: Totals
) -> None:
    approved, refused = comment("casino!"), comment("casino?", at=1)
    deliver(comments, approved, refused)
    entries = [held["entry"] for held in waiting(review)]
    for action, entry in zip(("approve", "refuse"), entries, strict=True):
        assert review.handler({"action": action, "entry": entry}, None)["decided"]
        for again in ("approve", "refuse"):
            assert review.handler({"action": again, "entry": entry}, None) == {"ok": True, "decided": False}
    deliver(comments, approved, refused)
    assert (texts(posts), totals("p-1")["comments"], waiting(review)) == (["casino!"], 1, [])


def test_two_moderators_at_the_same_time_decide_once(
    comments: ModuleType, review: ModuleType, totals: Totals, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(comments, comment("casino"))
    [held] = waiting(review)

    real = comment_store.transact

    def after_another(actions: Any) -> None:
        real(actions)
        real(actions)

    monkeypatch.setattr(comment_store, "transact", after_another)
    assert review.handler({"action": "approve", "entry": held["entry"]}, None) == {"ok": True, "decided": False}
    assert totals("p-1")["comments"] == 1


def test_no_log_line_contains_the_comment_or_its_author(
    comments: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    deliver(comments, comment("a secret", "u-secret"), comment("a secret casino", "u-secret", at=1))
    deliver(comments, encode(comment("a secret", "u-secret")).decode().replace('"p-1"', "7"))
    written = capsys.readouterr()
    assert "p-1" in written.out
    assert "secret" not in written.out + written.err


def test_trending_posts_are_ranked_by_the_weights_of_current_interactions(
    deployed: Deployed, posts: ModuleType
) -> None:
    now = (datetime.now(UTC) - NOW).total_seconds()
    deliver(deployed(likes), *(like(f"u-{number}", "p-likes", at=now) for number in range(4)))
    deliver(deployed(likes), like("ada", "p-old", at=now - 7 * 60), *(like("ada", "p-2", at=now),))
    deliver(deployed(shares), share(post="p-share", at=now), share(post="p-2", at=now))
    deliver(deployed(comments), comment(post="p-comment", at=now))
    answer = posts.handler({"action": "trending", "minutes": 5, "limit": 3}, None)
    assert answer["posts"] == [
        {"post_id": "p-2", "score": 6},
        {"post_id": "p-share", "score": 5},
        {"post_id": "p-likes", "score": 4},
    ]
    assert {post["post_id"] for post in posts.handler({"action": "trending", "minutes": 60}, None)["posts"]} == {
        "p-2",
        "p-share",
        "p-likes",
        "p-comment",
        "p-old",
    }


@given(data=st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_and_any_number_of_copies_of_all_interactions_give_the_same_post(
    deployed: Deployed, posts: ModuleType, totals: Totals, data: st.DataObject
) -> None:
    post = f"p-{new_id()}"
    makers: dict[str, Callable[..., Event[Any]]] = {"likes": like, "shares": share, "comments": comment}
    events: list[tuple[str, Event[Any]]] = []
    for number in range(data.draw(st.integers(1, 7))):
        name = data.draw(st.sampled_from(sorted(makers)))
        at = data.draw(st.sampled_from([0, 1, 31, 75])) + number / 1000
        who = data.draw(st.sampled_from(["ada", "bob"]))
        event = comment(f"{number}", who, post, at=at) if name == "comments" else makers[name](who, post, at=at)
        events.append((name, event))
    modules = {"likes": likes, "shares": shares, "comments": comments}
    copies = data.draw(st.lists(st.sampled_from(events), max_size=6))
    for name, event in data.draw(st.permutations(events + copies)):
        deliver(deployed(modules[name]), event)
    of = {name: [event for each, event in events if each == name] for name in makers}
    found = totals(post)
    assert (found["shares"], found["comments"]) == (len(of["shares"]), len(of["comments"]))
    assert found["likes"] == expected_likes(of["likes"])[post]
    newest_first = sorted(of["comments"], key=lambda event: event.data.occurred_at, reverse=True)
    assert texts(posts, post) == [event.data.text for event in newest_first]

    scores = counters.scores(NOW - timedelta(days=1))
    assert scores[post] == expected_scores(event for _, event in events)[post]


def test_an_unknown_post_has_zeros(posts: ModuleType, totals: Totals) -> None:
    assert totals("p-none") == {"likes": 0, "shares": 0, "comments": 0}
    assert texts(posts, "p-none") == []
    assert posts.handler({"action": "trending"}, None)["posts"] == []


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        ({}, "action"),
        ({"action": "total"}, "total"),
        ({"action": "totals"}, "post_id"),
        ({"action": "totals", "post_id": ""}, "$.post_id"),
        ({"action": "comments", "post_id": "p", "limit": 1000}, "$.limit"),
        ({"action": "trending", "minute": 5}, "minute"),
        ([], "object"),
    ],
)
def test_an_invalid_request_is_answered_with_a_message(posts: ModuleType, request_: Any, complaint: str) -> None:
    answer = posts.handler(request_, None)
    assert answer["ok"] is False
    assert complaint in answer["error"]
