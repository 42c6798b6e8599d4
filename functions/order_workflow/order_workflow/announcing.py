"""Publishing what an event brought about, on the topic it came from."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from fanout.claim_check import ClaimChecks
from fanout.event import Event
from fanout.failures import Retry
from fanout.publisher import Publisher, PublishError
from order_workflow import settings

Cause = Event[dict[str, Any]]
"""An event without its data: what another needs to name it as its cause."""


def cause(event: Event[Any]) -> Cause:
    """Return what of an event must be kept to publish, later, what it brings about."""
    return event.with_data({})


def publish(events: Sequence[Event[Any]]) -> None:
    """Publish the events. Raises Retry if SNS has not taken all of them: they come again with their cause.

    Call it after the effect is committed, and again for every duplicate of the cause: the ids are always the same.
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
