"""Posts notifications to a Slack-compatible incoming webhook. SNS invokes this function directly.

An incoming webhook does not recognise a duplicate, so every notification is posted at most once.
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import re
from urllib.parse import urlsplit

from fanout import Event, Outcome, at_most_once, subscriber
from fanout.contracts.system_alerts import AlertNotification
from system_alerts import settings, webhooks
from system_alerts.domain import message_format
from system_alerts.domain.text_length import cut, measure, utf16
from system_alerts.webhooks import Webhook

# An attempt that began longer ago than this was killed: twice the function's timeout.
LEASE_SECONDS = 60
# Slack recommends 4,000 characters at most and cuts at 40,000 (https://docs.slack.dev/reference/methods/chat.postMessage);
# Mattermost takes 16,383 (https://developers.mattermost.com/integrate/webhooks/incoming/).
_LIMIT = 3_500
# Discord refuses a longer message with status 400: https://docs.discord.com/developers/resources/webhook#execute-webhook,
# also behind /slack: https://github.com/thp/urlwatch/issues/353
_DISCORD_LIMIT = 2_000
# @everyone, @channel, @name: Discord and Mattermost, unlike Slack, take mentions in plain text.
# https://docs.discord.com/developers/resources/message#allowed-mentions-object
# https://docs.mattermost.com/end-user-guide/collaborate/mention-people.html
_MENTION = re.compile(r"(?<!\w)@(?=[\w&!])")
_DISCORD = re.compile(r"(?:[^/]+\.)?discord(?:app)?\.com\.?/|[^/]*/api/webhooks/\d+/[^/]+/slack/")


@subscriber(AlertNotification)
def handler(event: Event[AlertNotification]) -> Outcome:
    """Post the notification, and record that."""
    webhook = webhooks.configured()

    def post() -> dict[str, int]:
        answer = webhooks.call(webhook, message(event.data, limit_of(webhook)), is_repeatable=False)
        return {"status": answer.status}

    return at_most_once(event, settings.channel().channel_table, post, lease_seconds=LEASE_SECONDS)


def limit_of(webhook: Webhook) -> int:
    """Return how long a message may be: the limit in the secret, else the known limit of the receiver."""
    if webhook.limit is not None:
        return webhook.limit
    try:
        parts = urlsplit(webhook.url)
        address = f"{parts.hostname or ''}{parts.path}/"
    except ValueError:  # the call will be refused too
        return _LIMIT
    return _DISCORD_LIMIT if _DISCORD.match(address) else _LIMIT


def message(notification: AlertNotification, limit: int = _LIMIT) -> dict[str, str]:
    """Return the webhook's payload: `text` alone, which every Slack-compatible receiver supports.

    limit: the maximum length of the escaped text in UTF-16 units. The text is cut before it is escaped, so that no
    entity is cut in two.
    """
    subject = f"*{_plain(cut(notification.subject, limit // 2, _escaped))}*\n"
    return {"text": subject + _plain(message_format.shorten(notification, limit - measure(subject, utf16), _escaped))}


def _plain(text: str) -> str:
    """Return the text without mentions and links.

    https://docs.slack.dev/messaging/formatting-message-text#escaping, and a zero-width space as in
    https://discordpy.readthedocs.io/en/stable/api.html#discord.utils.escape_mentions
    """
    return _MENTION.sub("@\u200b", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _escaped(character: str) -> int:
    """Return the maximum cost of a character: an @ may get a zero-width space."""
    return utf16(character) + (character == "@") if character not in "&<>" else len(_plain(character))
