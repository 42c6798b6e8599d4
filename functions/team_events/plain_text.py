"""A plain text published by hand, say in the SNS console, is a message to everyone."""

from fanout.contracts.team_events import TeamMessagePosted
from fanout.delivery import Notification
from fanout.event import Event

# White space as JSON has it, and the byte order mark that some editors begin a file with.
_BEFORE_JSON = " \t\r\n\ufeff"


def from_plain_text(notification: Notification) -> Event[TeamMessagePosted] | None:
    """Return the event that a text not starting with `{` stands for; None for anything else.

    Its identity is SNS's: id = MessageId, source = TopicArn, time = Timestamp. A queue with raw delivery has lost them,
    so there plain text stays what it is: no event.
    """
    if notification.topic_arn is None or notification.text.lstrip(_BEFORE_JSON).startswith("{"):
        return None
    return Event.new(
        TeamMessagePosted(text=notification.text, author="sns"),
        id=notification.message_id,
        source=notification.topic_arn,
        time=notification.timestamp,
        subject=notification.subject,
    )
