"""The webhook of chat and pager: its secret, the call, and the outcome that each response means for the event."""

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
    """Chat's: the maximum length in characters, if it does not follow from the URL."""


def configured() -> Webhook:
    """Return the channel's webhook from its secret. It is read each time, so that a change takes effect at once.

    Raises Discard if it has no URL, Retry if the secret is malformed, so that the event waits until it is fixed.
    """
    secret = aws.client("secretsmanager").get_secret_value(SecretId=settings.channel().webhook_secret_arn)
    try:
        webhook = msgspec.json.decode(secret["SecretString"], type=Webhook)
    except (KeyError, ValueError):  # the error may quote the secret
        raise Retry("misconfigured: the webhook's secret is not a JSON object with a string under url") from None
    if not webhook.url:
        raise Discard("unconfigured", "the webhook's secret holds no url")
    return webhook


def call(webhook: Webhook, document: Any, *, is_repeatable: bool) -> http.Answer:
    """Send a document and return the response if it is a success.

    is_repeatable: the receiver recognises duplicates. Raises Retry for 429 (after its Retry-After), 5xx and a failed
    connection; Reject for every other response; NoAnswerError if the outcome is unknown and the document must not be
    sent twice.
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
    excerpt = _without_secrets(answer.excerpt, webhook)
    if answer.status < 500 and answer.status != 429:
        raise Reject("refused", f"the webhook answers {answer.status}: {excerpt}")
    reason = "throttled" if answer.status == 429 else "failed"
    raise Retry(f"{reason}: the webhook answers {answer.status}: {excerpt}", after=answer.retry_after)


def _without_secrets(text: str, webhook: Webhook) -> str:
    """Return the text without the secrets: a response may quote the request, and the text is logged."""
    secrets = [webhook.routing_key, webhook.url, *webhook.url.split("/")[3:]]
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "…")
    return text
