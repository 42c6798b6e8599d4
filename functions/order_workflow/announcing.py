"""Publishing what an event brought about, on the topic it came from."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec

import settings
from fanout.claim_check import ClaimChecks
from fanout.event import Event
from fanout.publisher import Publisher

Cause = Event[dict[str, Any]]
"""An event without its data: what another needs to name it as its cause."""


def cause(event: Event[Any]) -> Cause:
    """Return what of an event must be kept to publish, later, what it brings about."""
    kept: Cause = msgspec.structs.replace(event, data={})
    return kept


def publish(events: Sequence[Event[Any]]) -> None:
    """Publish the events; what SNS has not taken is raised, and comes again with its cause.

    Call it after the effect is committed, and again for every duplicate of the cause: the ids are always the same.
    """
    if events:
        _publisher().publish(events)


@cache
def _publisher() -> Publisher:
    return Publisher(settings.topic().new_order_topic_arn, claim_checks=ClaimChecks.configured())
