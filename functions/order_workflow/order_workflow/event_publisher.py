"""Publishes the outcome of an event on the topic that the event arrived on."""

from collections.abc import Sequence
from typing import Any

from fanout import Event, publisher
from fanout.claim_check import ClaimChecks
from order_workflow import settings


def publish(events: Sequence[Event[Any]]) -> None:
    """Publish the events; raises Retry if SNS did not accept all of them."""
    publisher.publish(settings.topic().new_order_topic_arn, events, claim_checks=ClaimChecks.configured())
