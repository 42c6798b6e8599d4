"""Likes of posts. SNS invokes this function directly."""

from fanout import Event, Outcome, subscriber
from fanout.contracts.user_interactions import PostLiked, PostUnliked
from user_interactions import like_states


@subscriber(PostLiked, PostUnliked)
def handler(event: Event[PostLiked | PostUnliked]) -> Outcome:
    """Record the user's state and count it."""
    return like_states.apply(event)
