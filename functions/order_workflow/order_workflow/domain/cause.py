"""The cause of an event, kept without its data until the event is published."""

from typing import Any

from fanout import Event

Cause = Event[dict[str, Any]]
"""An event without its data."""


def cause(event: Event[Any]) -> Cause:
    """Return the part of an event that is kept to publish its consequences later."""
    return event.with_data({})
