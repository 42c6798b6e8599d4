"""What users say about a post. SNS invokes this function directly."""

from fanout.contracts.user_interactions import PostCommented
from fanout.event import Event
from fanout.subscriber import Outcome, subscriber
from user_interactions import blocked_words, comment_store


@subscriber(PostCommented)
def handler(event: Event[PostCommented]) -> Outcome:
    """Publish the comment; hold it for review if it contains a blocked word."""
    words = blocked_words.find(event.data.text, blocked_words.current())
    return comment_store.hold(event, words) if words else comment_store.publish(event)
