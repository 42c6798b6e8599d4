"""Publishes the outcome of an event on the topic that the event arrived on."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from fanout.claim_check import ClaimChecks
from fanout.event import Event
from fanout.outcomes import Retry
from fanout.publisher import Publisher, PublishError
from order_workflow import settings


def publish(events: Sequence[Event[Any]]) -> None:
    """Publish the events. Raises Retry if SNS did not accept all of them: they are published again with their cause.

    Called after the effect is committed, and again for every duplicate of the cause: the ids are always the same.
    """
    if not events:
        return
    try:
        _publisher().publish(events)
    except PublishError as error:
        raise Retry(f"not published: {', '.join(sorted({each.code for each in error.failed}))}") from error


@cache
def _publisher() -> Publisher:
    return Publisher(settings.topic().new_order_topic_arn, claim_checks=ClaimChecks.configured())
