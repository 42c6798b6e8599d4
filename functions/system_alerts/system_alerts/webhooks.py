"""What chat and pager share: the webhook they call stands in a secret, and what its answers mean for the event."""

from typing import Annotated, Any

import msgspec

from fanout import Discard, Reject, Retry, aws
from fanout.integrations import http
from system_alerts import settings

aws.prepare("secretsmanager")

_SHORTEST_SECRET = 6


class Webhook(msgspec.Struct, frozen=True):
    """A channel's secret: {"url": ..., "routing_key": ..., "limit": ...}. Without a URL the channel is switched off."""

    url: str = ""
    routing_key: str = ""
    """The pager's; empty for chat."""
    limit: Annotated[int, msgspec.Meta(ge=500)] | None = None
    """Chat's: how many characters the receiver takes, where that does not follow from the URL."""


def configured() -> Webhook:
    """Return the channel's webhook, as the secret has it now: a few reads a day, and a change counts at once.

    Raises Discard if it has none, Retry if the secret is not as described: a person will fix it.
    """
    secret = aws.client("secretsmanager").get_secret_value(SecretId=settings.channel().webhook_secret_arn)
    try:
        webhook = msgspec.json.decode(secret["SecretString"], type=Webhook)
    except (KeyError, ValueError):  # what is wrong with it may quote it
        raise Retry("misconfigured: the webhook's secret is not a JSON object with a text under url") from None
    if not webhook.url:
        raise Discard("unconfigured", "the webhook's secret holds no url")
    return webhook


def call(webhook: Webhook, document: Any, *, is_repeatable: bool) -> http.Answer:
    """Send a document and return the answer if it is a success.

    is_repeatable: the receiver recognises a document that comes twice. Raises Retry if it was not taken and may be
    later (429 after as long as it asks, 5xx, no connection), Reject if it never will be (every other answer), and
    NoAnswerError if the outcome is unknown and the document must not be sent twice.
    """
    try:
        answer = http.post_json(webhook.url, document, allow_loopback=settings.channel().stage == "local")
    except http.UnsafeUrlError as error:
        raise Retry(f"misconfigured: the webhook's url is not called: {error}") from None
    except http.NotSentError as error:
        raise Retry(f"unreachable: {error}") from error
    except http.NoAnswerError as error:
        if is_repeatable:
            raise Retry(f"no-answer: {error}") from error
        raise
    if answer.is_success:
        return answer
    said = f"the webhook answers {answer.status}: {_without_secrets(answer.excerpt, webhook)}"
    if answer.status == 429:
        raise Retry(f"throttled: {said}", after=answer.retry_after)
    if answer.status >= 500:
        raise Retry(f"failed: {said}", after=answer.retry_after)
    raise Reject("refused", f"{said}")


def _without_secrets(text: str, webhook: Webhook) -> str:
    """An answer may repeat what it was asked, and ends in a log."""
    secrets = [webhook.routing_key, webhook.url, *webhook.url.split("/")[3:]]
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "…")
    return text
