"""Likes of posts. SNS invokes this function directly."""

from fanout.contracts.user_interactions import PostLiked, PostUnliked
from fanout.event import Event
from fanout.handler import subscriber
from fanout.outcomes import Outcome
from user_interactions import like_states


@subscriber(PostLiked, PostUnliked)
def handler(event: Event[PostLiked | PostUnliked]) -> Outcome:
    """Record the user's state and count it."""
    return like_states.apply(event)
