"""Comments on posts. SNS invokes this function directly."""

from fanout import Event, Outcome, subscriber
from fanout.contracts.user_interactions import PostCommented
from user_interactions import comment_store, word_list
from user_interactions.domain import blocked_words


@subscriber(PostCommented)
def handler(event: Event[PostCommented]) -> Outcome:
    """Publish the comment; hold it for review if it contains a blocked word."""
    words = blocked_words.find(event.data.text, word_list.current())
    return comment_store.hold(event, words) if words else comment_store.publish(event)
