"""Interactions with posts, and the plain reference computation of what must come of them."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from fanout.contracts.user_interactions import PostCommented, PostLiked, PostShared, PostUnliked
from fanout.event import Event

# Recent, so that its minutes are still scored, and in the middle of one.
NOW = datetime.now(UTC).replace(second=30, microsecond=0) - timedelta(minutes=10)
WEIGHTS = {PostLiked: 1, PostCommented: 3, PostShared: 5}


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
    """The reference computation: per post and minute, the weights of the current interactions."""
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
