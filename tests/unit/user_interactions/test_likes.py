"""likes: a state per post and user, and counters that cannot part from it."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fanout import aws
from fanout.contracts.user_interactions import PostLiked, PostUnliked
from fanout.dynamodb import ConditionFailedError
from fanout.event import Event, encode
from tests.interactions import NOW, comment, expected_likes, expected_scores, like, unlike
from user_interactions import counters
from user_interactions.handlers import likes

from ..conftest import Deployed, Queues
from .conftest import TABLE, deliver, deliver_batch

Items = Callable[[str], list[dict[str, Any]]]
Lines = Callable[[str], list[dict[str, Any]]]
Totals = Callable[[str], dict[str, int]]


@pytest.fixture(name="likes")
def likes_fixture(deployed: Deployed) -> ModuleType:
    return deployed(likes)


def outcomes(lines: Lines) -> list[tuple[str, str | None]]:
    return [(receipt["outcome"], (receipt["reason"] or "").split(":")[0] or None) for receipt in lines("receipt")]


def scores() -> dict[str, dict[str, int]]:

    found: dict[str, dict[str, int]] = counters.scores(NOW - timedelta(days=1))
    return found


def test_a_like_is_recorded_and_counted(likes: ModuleType, totals: Totals, items: Items) -> None:
    event = like("ada", "p-1")
    deliver(likes, event)
    assert totals("p-1") == {"likes": 1, "shares": 0, "comments": 0}
    [state] = [item for item in items(TABLE) if item["pk"] == "user#ada"]
    assert (state["sk"], state["liked"], state["event_id"]) == ("like#p-1", True, event.id)
    assert totals("p-2")["likes"] == 0


def test_a_like_taken_back_does_not_count(likes: ModuleType, totals: Totals) -> None:
    deliver(likes, like("ada"), like("bob"), unlike("ada", at=1))
    assert totals("p-1")["likes"] == 1


@pytest.mark.guarantee("order-per-group/late-version")
def test_an_unlike_that_arrives_before_its_like_wins(likes: ModuleType, totals: Totals, lines: Lines) -> None:
    deliver(likes, unlike(at=1), like(at=0))
    assert totals("p-1")["likes"] == 0
    assert outcomes(lines) == [("processed", None), ("discarded", "overtaken")]


def test_a_second_like_is_not_counted(likes: ModuleType, totals: Totals) -> None:
    deliver(likes, like(at=0), like(at=1), like(at=2))
    assert totals("p-1")["likes"] == 1


@pytest.mark.guarantee("exactly-once-effect/like-version")
def test_a_redelivered_event_is_a_duplicate_on_both_paths(likes: ModuleType, totals: Totals, lines: Lines) -> None:
    event = like()
    deliver(likes, event, event)
    assert deliver_batch(likes, event, event) == []
    assert totals("p-1")["likes"] == 1
    assert [outcome for outcome, _ in outcomes(lines)] == ["processed", "duplicate", "duplicate", "duplicate"]


def test_at_the_same_moment_the_greater_id_wins_in_either_order(likes: ModuleType, totals: Totals) -> None:
    first, second = like(event_id="a"), unlike(event_id="b")
    deliver(likes, first, second)
    assert totals("p-1")["likes"] == 0
    deliver(likes, unlike("bob", event_id="b"), like("bob", event_id="a"))
    assert totals("p-1")["likes"] == 0
    deliver(likes, unlike("eve", event_id="a"), like("eve", event_id="b"))
    assert totals("p-1")["likes"] == 1


def test_times_are_compared_across_time_zones(likes: ModuleType, totals: Totals) -> None:
    body = encode(like(at=1)).decode()
    moment = (NOW + timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
    assert moment in body
    tokyo = (NOW + timedelta(seconds=1, hours=9)).isoformat().replace("+00:00", "+09:00")
    deliver(likes, body.replace(moment, tokyo), unlike(at=0))
    assert totals("p-1")["likes"] == 1


def test_microseconds_and_whole_seconds_are_in_order(likes: ModuleType, totals: Totals) -> None:
    deliver(likes, like(at=0.000001, event_id="a"), unlike(at=0, event_id="b"))
    assert totals("p-1")["likes"] == 1


def test_a_like_in_the_future_is_rejected_because_it_could_not_be_removed(
    likes: ModuleType, account: Queues, items: Items
) -> None:
    data = PostLiked(post_id="p-1", user_id="ada", occurred_at=datetime.now(UTC) + timedelta(minutes=6))
    deliver(likes, Event.new(data, source="urn:test"))
    assert [dead_letter["reason"].split(":")[0] for dead_letter in account.dead()] == ["from-the-future"]
    assert items(TABLE) == []


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00"])
def test_a_time_at_the_limit_of_the_calendar_is_rejected_at_once(
    likes: ModuleType, account: Queues, moment: str
) -> None:
    body = encode(like()).decode().replace(NOW.isoformat().replace("+00:00", "Z"), moment)
    assert moment in body
    deliver(likes, body)
    assert [dead_letter["outcome"] for dead_letter in account.dead()] == ["rejected"]


def test_a_clock_slightly_ahead_is_accepted(likes: ModuleType, totals: Totals) -> None:
    data = PostLiked(post_id="p-1", user_id="ada", occurred_at=datetime.now(UTC) + timedelta(minutes=4))
    deliver(likes, Event.new(data, source="urn:test"))
    assert totals("p-1")["likes"] == 1


def test_an_invalid_event_between_valid_ones_is_rejected_and_affects_no_other(
    likes: ModuleType, account: Queues, totals: Totals
) -> None:
    no_post = encode(like("eve")).decode().replace('"post_id":"p-1",', "")
    with_line_break = encode(like("eve")).decode().replace('"p-1"', '"p-1\\n"')
    assert deliver_batch(likes, like("ada"), no_post, with_line_break, like("bob"), "[]", like("cy")) == []
    assert totals("p-1")["likes"] == 3
    assert len(account.dead()) == 3
    assert all(dead_letter["reason"].startswith("invalid-event") for dead_letter in account.dead())


def test_a_type_for_another_subscriber_is_discarded(likes: ModuleType, lines: Lines, items: Items) -> None:
    deliver(likes, comment())
    assert outcomes(lines) == [("discarded", "not-handled")]
    assert items(TABLE) == []


def test_ids_that_look_like_parts_of_keys_stay_apart(likes: ModuleType, totals: Totals) -> None:
    deliver(likes, like("a", "b#c"), like("a#b", "c"), like("a", "b"), like("a", "000#b"))
    assert [totals(post)["likes"] for post in ("b#c", "c", "b", "000#b", "b#")] == [1, 1, 1, 1, 0]


def test_likes_of_one_post_are_spread_over_all_shards_and_one_user_s_stay_in_one(
    likes: ModuleType, totals: Totals, items: Items
) -> None:
    users = [f"u-{number}" for number in range(40)]
    deliver(likes, *(like(user) for user in users))
    deliver(likes, *(unlike(user, at=1) for user in users[:10]))
    shards = {item["pk"]: int(item["likes"]) for item in items(TABLE) if item["pk"].startswith("totals#")}
    assert len(shards) == 4
    assert sum(shards.values()) == totals("p-1")["likes"] == 30
    assert min(shards.values()) > 0


@pytest.mark.parametrize("shards", ["1", "9", "100"])
def test_totals_stay_right_when_the_number_of_shards_changes_up_or_down(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, shards: str
) -> None:
    deliver(deployed(likes), *(like(f"u-{number}") for number in range(12)))

    for cache in (counters.settings.load, counters._register):
        cache.cache_clear()  # a new process
    monkeypatch.setenv("COUNTER_SHARDS", shards)
    deliver(deployed(likes), *(unlike(f"u-{number}", at=1) for number in range(5)), like("u-20"))
    assert counters.totals("p-1")["likes"] == 8
    assert scores() == {"p-1": {NOW.strftime("%Y-%m-%dT%H:%MZ"): 8}}


def test_the_score_counts_a_like_in_its_minute_until_it_is_removed(likes: ModuleType) -> None:
    first, second = NOW.strftime("%Y-%m-%dT%H:%MZ"), (NOW + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%MZ")
    deliver(likes, like("ada"), like("bob"))
    assert scores() == {"p-1": {first: 2}}
    deliver(likes, unlike("ada", at=60))
    assert scores() == {"p-1": {first: 1}}
    deliver(likes, like("bob", at=61))
    assert scores() == {"p-1": {second: 1}}, "it moves to the minute of the latest like"
    deliver(likes, *(unlike("bob", at=62), like("bob", at=63)) * 3)
    assert scores() == {"p-1": {second: 1}}, "liking by turns raises no score"


def test_an_expired_minute_is_neither_scored_nor_restored(likes: ModuleType, items: Items) -> None:
    old = -25 * 3600
    deliver(likes, like("ada", at=old), unlike("ada", at=old + 1), like("bob", at=old))
    assert not [item for item in items(TABLE) if item["pk"].startswith("trending#")]
    assert scores() == {}


def test_a_minute_s_score_expires_and_is_not_read_afterwards(
    likes: ModuleType, items: Items, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(likes, like())
    [minute] = [item for item in items(TABLE) if item["pk"].startswith("trending#")]
    begin = NOW.replace(second=0)
    assert int(minute["expires_at"]) == (begin + timedelta(hours=24)).timestamp()

    later = time.time() + 86_400
    monkeypatch.setattr(counters.time, "time", lambda: later)
    assert scores() == {}


@given(data=st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_and_any_number_of_copies_equal_the_reference_computation(
    likes: ModuleType, totals: Totals, data: st.DataObject
) -> None:
    run = Event.new(PostLiked(post_id="x", user_id="x", occurred_at=NOW), source="x").id
    users, names = st.sampled_from(["ada", "bob", "cy"]), st.sampled_from([f"{run}-1", f"{run}-2"])
    moments = st.sampled_from([NOW + timedelta(seconds=second) for second in (0, 0.000001, 1, 31, 75)])
    ids, sources = st.sampled_from(["1", "2", "10", "é", "~"]), st.sampled_from(["urn:a", "urn:b"])
    events: list[Event[Any]] = []
    for number in range(data.draw(st.integers(1, 8))):
        kind = data.draw(st.sampled_from([PostLiked, PostUnliked]))
        fact = kind(post_id=data.draw(names), user_id=data.draw(users), occurred_at=data.draw(moments))
        event_id = f"{run}/{data.draw(ids)}/{number}"  # an identity names one event
        events.append(Event.new(fact, source=data.draw(sources), id=event_id))
    deliveries = data.draw(st.permutations(events + data.draw(st.lists(st.sampled_from(events), max_size=6))))
    for event in deliveries:
        deliver(likes, event)
    posts = {f"{run}-1", f"{run}-2"}
    assert {post: totals(post)["likes"] for post in posts} == {post: expected_likes(events)[post] for post in posts}
    assert {post: each for post, each in scores().items() if post in posts} == expected_scores(events)


def test_a_delivery_that_conflicts_between_reading_and_writing_starts_again(
    likes: ModuleType, totals: Totals, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    like_states = likes.like_states
    real, others = like_states.transact, [like(at=1), unlike(at=2), like(at=3)]

    def meet(actions: Any) -> None:
        if others:
            deliver(likes, others.pop(0))
        real(actions)

    monkeypatch.setattr(like_states, "transact", meet)
    last = unlike(at=4)
    deliver(likes, last)
    assert totals("p-1")["likes"] == 0
    assert scores() == {}
    assert {receipt["event_id"]: receipt["outcome"] for receipt in lines("receipt")}[last.id] == "processed"


def test_a_delivery_that_always_conflicts_is_retried_later(
    likes: ModuleType, account: Queues, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Any) -> None:
        raise ConditionFailedError([0])

    monkeypatch.setattr(likes.like_states, "transact", refuse)
    deliver(likes, like())
    assert outcomes(lines) == [("retrying", "contended")]
    assert account.inbox_counts() == (0, 1)


def test_a_permanent_conflict_retries_the_event_and_counts_nothing(
    likes: ModuleType, totals: Totals, account: Queues, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = ClientError(
        {  # type: ignore[typeddict-unknown-key]
            "Error": {"Code": "TransactionCanceledException"},
            "CancellationReasons": [{"Code": "TransactionConflict"}],
        },
        "TransactWriteItems",
    )

    def conflict(**_: Any) -> None:
        raise error

    event = like()
    with monkeypatch.context() as patch:
        patch.setattr(aws.client("dynamodb"), "transact_write_items", conflict)
        deliver(likes, event)
    assert outcomes(lines)[0][0] == "retrying"
    assert account.inbox_counts() == (0, 1)
    assert totals("p-1")["likes"] == 0
    assert deliver_batch(likes, event) == []
    assert totals("p-1")["likes"] == 1


def test_when_the_response_of_a_committed_transaction_is_lost_the_redelivery_counts_nothing_twice(
    likes: ModuleType, totals: Totals, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = aws.client("dynamodb")
    real = client.transact_write_items

    def lost(**parameters: Any) -> None:
        real(**parameters)
        raise TimeoutError

    event = like()
    with monkeypatch.context() as patch:
        patch.setattr(client, "transact_write_items", lost)
        deliver(likes, event)
    deliver_batch(likes, event)
    assert [outcome for outcome, _ in outcomes(lines)] == ["retrying", "duplicate"]
    assert totals("p-1")["likes"] == 1


@pytest.mark.guarantee("personal-data/receipt-fields")
def test_no_log_line_names_the_user(likes: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    deliver(likes, like("u-secret"), unlike("u-secret", at=-1))
    written = capsys.readouterr()
    assert "p-1" in written.out
    assert "u-secret" not in written.out + written.err


def test_an_event_with_unknown_fields_is_accepted(likes: ModuleType, totals: Totals) -> None:
    body = msgspec.json.decode(encode(like()))
    body["data"]["device"] = "phone"
    deliver(likes, msgspec.json.encode(body).decode())
    assert Counter(totals("p-1")) == Counter(likes=1, shares=0, comments=0)
