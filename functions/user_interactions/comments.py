"""What users say about a post. SNS invokes this function directly."""

import blocked_words
import comment_store
from fanout.contracts.user_interactions import PostCommented
from fanout.event import Event
from fanout.subscriber import Outcome, subscriber


@subscriber(PostCommented)
def handler(event: Event[PostCommented]) -> Outcome:
    """Publish the comment; hold it for review if it contains a blocked word."""
    words = blocked_words.find(event.data.text, blocked_words.current())
    return comment_store.hold(event, words) if words else comment_store.publish(event)
