"""Parsing and validation: from a notification to the typed event that a handler takes."""

from collections.abc import Callable
from typing import Any

import msgspec

from fanout import contracts
from fanout.claim_check import ClaimChecks
from fanout.delivery import Notification
from fanout.event import Event, InvalidEvent, decode, decode_data, encode
from fanout.outcomes import Discard, Reject

Translate = Callable[[Notification], Event[Any] | None]


class Parser:
    """Parses and validates what one subscriber accepts."""

    def __init__(self, accepted: tuple[type[msgspec.Struct], ...], translate: Translate | None) -> None:
        self._accepted = {contracts.contract_of(schema).type: schema for schema in accepted}
        self._translate = translate

    def parse(self, notification: Notification) -> Event[msgspec.Raw] | Event[Any]:
        """Return the event in a notification. Raises Reject if there is none, and what `translate` raises."""
        translated = self._translate(notification) if self._translate else None
        if translated is not None and isinstance(translated.data, msgspec.Raw):
            return translated
        try:
            # An event made from a foreign message must satisfy envelope and contract as any other.
            event = decode(notification.text if translated is None else encode(translated))
        except (InvalidEvent, UnicodeEncodeError) as error:
            raise Reject("invalid-event", str(error)) from None
        return event if event.time else msgspec.structs.replace(event, time=notification.timestamp)

    def validate(self, event: Event[Any]) -> Event[Any]:
        """Return the event with its data retrieved and typed, as the handler takes it. Raises Reject or Discard."""
        schema = self._accepted.get(event.type)
        if schema is None:
            if contracts.schema_of(event.type) is None:
                raise Reject("unknown-type", f"no contract is known for {event.type!r}")
            raise Discard("not-handled", f"this subscriber does not handle {event.type}")
        if event.claimcheck is not None:
            claim_checks = ClaimChecks.configured()
            if claim_checks is None:
                raise Reject("claim-check-unconfigured", "FANOUT_CLAIM_CHECK_BUCKET is not set")
            event = claim_checks.retrieve(event)
        try:
            return decode_data(event, schema)
        except InvalidEvent as error:
            raise Reject("invalid-event", str(error)) from None
