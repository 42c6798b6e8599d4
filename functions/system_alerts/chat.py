"""Posts notifications to a Slack-compatible incoming webhook. SNS invokes this function directly.

An incoming webhook cannot tell a message that comes twice, so every notification is posted at most once.
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import settings
import webhooks
from fanout.contracts.system_alerts import AlertNotification
from fanout.effects import at_most_once
from fanout.event import Event
from fanout.subscriber import Outcome, subscriber

# An attempt that began longer ago than this was killed: twice the function's timeout.
LEASE_SECONDS = 60
# Slack cuts off what is longer than 40,000 characters, and nobody reads this much.
_LONGEST = 3_500


@subscriber(AlertNotification)
def handler(event: Event[AlertNotification]) -> Outcome:
    """Post the notification, and record that."""
    webhook = webhooks.configured()

    def post() -> dict[str, int]:
        answer = webhooks.call(webhook, message(event.data), is_repeatable=False)
        return {"status": answer.status}

    return at_most_once(event, settings.channel().channel_table, post, lease_seconds=LEASE_SECONDS)


def message(news: AlertNotification) -> dict[str, str]:
    """Return the notification as the webhook takes it: `text` alone, which every Slack-compatible receiver knows."""
    text = f"*{_plain(news.subject)}*\n{_plain(news.text)}"
    return {"text": text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"}


def _plain(text: str) -> str:
    """Text that calls nobody and links nowhere: https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
