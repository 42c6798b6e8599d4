"""The table of user_interactions in moto, interactions to put through its functions, and what must come of them."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from fanout.contracts.user_interactions import PostCommented, PostLiked, PostShared, PostUnliked
from fanout.event import Event
from fanout.testing import LambdaContext, lambda_event, sns_record, sqs_record

from ..conftest import Queues

TABLE = "interactions"
# Recent, so that its minutes are still scored, and in the middle of one.
NOW = datetime.now(UTC).replace(second=30, microsecond=0) - timedelta(minutes=10)
WEIGHTS = {PostLiked: 1, PostCommented: 3, PostShared: 5}


@pytest.fixture(autouse=True)
def account(queues: Queues, make_table: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Queues:
    monkeypatch.setenv("INTERACTIONS_TABLE", make_table(TABLE))
    monkeypatch.setenv("COUNTER_SHARDS", "4")
    monkeypatch.setenv("BLOCKED_WORDS", "casino, buy followers, 赌场")
    return queues


@pytest.fixture
def function(
    function_module: Callable[[str, str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], ModuleType]:
    """Import one of the functions ("likes"), with the name it is deployed under in the environment."""

    def load(name: str) -> ModuleType:
        monkeypatch.setenv("FANOUT_SUBSCRIBER", f"user_interactions/{name}")
        return function_module("user_interactions", name)

    return load


@pytest.fixture
def posts(function: Callable[[str], ModuleType]) -> ModuleType:
    return function("posts")


@pytest.fixture
def totals(posts: ModuleType) -> Callable[[str], dict[str, int]]:
    """A post's totals as whoever shows the post reads them."""

    def read(post_id: str) -> dict[str, int]:
        answer = posts.handler({"action": "totals", "post_id": post_id}, None)
        assert answer["ok"], answer
        found: dict[str, int] = answer["totals"]
        return found

    return read


def like(
    user: str = "ada", post: str = "p-1", *, at: float = 0, event_id: str | None = None, source: str = "urn:test"
) -> Event[PostLiked]:
    """`at`: seconds after NOW."""
    data = PostLiked(post_id=post, user_id=user, occurred_at=NOW + timedelta(seconds=at))
    return Event.new(data, source=source, id=event_id)


def unlike(
    user: str = "ada", post: str = "p-1", *, at: float = 0, event_id: str | None = None, source: str = "urn:test"
) -> Event[PostUnliked]:
    data = PostUnliked(post_id=post, user_id=user, occurred_at=NOW + timedelta(seconds=at))
    return Event.new(data, source=source, id=event_id)


def share(user: str = "ada", post: str = "p-1", *, at: float = 0, channel: str = "link") -> Event[PostShared]:
    data = PostShared(post_id=post, user_id=user, occurred_at=NOW + timedelta(seconds=at), channel=channel)
    return Event.new(data, source="urn:test")


def comment(text: str = "Lovely!", user: str = "ada", post: str = "p-1", *, at: float = 0) -> Event[PostCommented]:
    data = PostCommented(post_id=post, user_id=user, occurred_at=NOW + timedelta(seconds=at), text=text)
    return Event.new(data, source="urn:test")


def deliver(module: ModuleType, *events: Event[Any] | str) -> None:
    """As SNS does: one invocation per event."""
    for event in events:
        assert module.handler(lambda_event([sns_record(event)]), LambdaContext()) is None


def deliver_batch(module: ModuleType, *events: Event[Any] | str) -> list[Any]:
    """As the inbox does: together. Returns the failures."""
    answer = module.handler(lambda_event([sqs_record(event) for event in events]), LambdaContext())
    failures: list[Any] = answer["batchItemFailures"]
    return failures


def latest_states(events: Iterable[Event[Any]]) -> dict[tuple[str, str], Event[Any]]:
    """The plain reference: what each (post, user) did last, by (occurred_at, id, source)."""
    states: dict[tuple[str, str], Event[Any]] = {}
    for event in sorted(events, key=lambda each: (each.data.occurred_at, each.id, each.source)):
        states[event.data.post_id, event.data.user_id] = event
    return states


def expected_likes(events: Iterable[Event[Any]]) -> Counter[str]:
    """The plain reference: how many users' latest state is `liked`, per post."""
    return Counter(post for (post, _), event in latest_states(events).items() if isinstance(event.data, PostLiked))


def expected_scores(events: Iterable[Event[Any]]) -> dict[str, dict[str, int]]:
    """The plain reference: per post and minute, the weights of what stands."""
    events = list({(event.source, event.id): event for event in events}.values())
    of_likes = [event for event in events if isinstance(event.data, PostLiked | PostUnliked)]
    standing = [event for event in latest_states(of_likes).values() if isinstance(event.data, PostLiked)]
    standing += [event for event in events if isinstance(event.data, PostShared | PostCommented)]
    found: dict[str, dict[str, int]] = {}
    for event in standing:
        minute = event.data.occurred_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
        minutes = found.setdefault(event.data.post_id, {})
        minutes[minute] = minutes.get(minute, 0) + WEIGHTS[type(event.data)]
    return found
