"""The history of one event: its receipts, its journal entry and its dead letters."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fanout_cli.dead_letters.dead_letter import DeadLetter
from fanout_cli.errors import UserError
from fanout_cli.publishing.journal import Published
from fanout_cli.stack.topology import Subscription
from fanout_cli.times import parse_time
from fanout_cli.tracing.receipts import Entry
from local_engine.filter_policy import PartialBody, admits


@dataclass(frozen=True)
class EventHistory:
    """What is known of the event with this key, an event id or a MessageId."""

    event_id: str | None
    """None if the body held none"""
    message_ids: frozenset[str]
    entries: Sequence[Entry]
    published: Published | None
    dead_letters: Mapping[str, DeadLetter]
    """by subscriber; read only if there are no receipts and no journal entry"""

    @classmethod
    def gather(
        cls,
        key: str,
        entries: Sequence[Entry],
        published: Sequence[Published],
        dead_letters: Mapping[str, DeadLetter],
        source: str | None,
    ) -> "EventHistory":
        """Keep what is about one event. Raises UserError if several share the id and `source` names none of them."""
        entries, published = _of_source(key, entries, published, source)
        ids = {entry.event_id for entry in entries} | {each.event_id for each in published}
        ids |= {each for dead_letter in dead_letters.values() for each in dead_letter.event_ids}
        known = sorted(each for each in ids if each)
        messages = {entry.message_id for entry in entries} | {each.message_id for each in published}
        return cls(
            event_id=key if key in known or not entries else known[0] if known else None,
            message_ids=frozenset(each for each in {key, *messages} if each),
            entries=entries,
            published=published[0] if published else None,
            dead_letters=dead_letters,
        )

    @property
    def receivers(self) -> list[str]:
        """The subscribers that have got the event."""
        return sorted({entry.subscriber for entry in self.entries} | set(self.dead_letters))

    @property
    def type(self) -> str | None:
        """The event's type."""
        found = next((entry.type for entry in self.entries if entry.type), None)
        return found or (self.published.type if self.published else None)

    @property
    def published_at(self) -> datetime | None:
        """The time at which SNS accepted it, if a receipt has that, else the time of the request to SNS.

        The request is earlier than its acceptance, so the later of both is closer: some clocks have whole seconds only.
        """
        taken = min((entry.published_at for entry in self.entries if entry.published_at), default=None)
        given = parse_time(self.published.published_at) if self.published else None
        return max(taken, given) if taken and given else taken or given

    def admitted_by(self, subscription: Subscription) -> bool | None:
        """Return whether a subscription's filter matches the event; None if too little of the event is known."""
        if not subscription.filter_policy:
            return True
        if subscription.filter_scope != "MessageBody":
            return None  # message attributes stand in no receipt
        body = self._body()
        return admits(subscription.filter_policy, body) if body else None

    def _body(self) -> PartialBody | None:
        """Return the known part of the body that SNS filtered."""
        for dead_letter in self.dead_letters.values():
            try:
                return PartialBody.complete(json.loads(dead_letter.event))
            except (ValueError, RecursionError):
                continue
        known = [entry for entry in self.entries if entry.outcome and entry.type]
        best = max(known, key=lambda entry: len(entry.fields), default=None)
        about = self.published or best
        if about is None:
            return None
        return PartialBody.of_receipt(
            event_id=about.event_id, source=about.source, event_type=about.type, fields=about.fields
        )


def _of_source(
    key: str, entries: Sequence[Entry], published: Sequence[Published], source: str | None
) -> tuple[Sequence[Entry], Sequence[Published]]:
    """Keep what is about the event of one source: an id is unique only together with it."""
    sources = sorted({entry.source for entry in entries if entry.source} | {each.source for each in published})
    if source is None and len(sources) > 1:
        raise UserError(
            f"{key} is the id of several events, from the sources {', '.join(sources)}", "Name one: --source SOURCE."
        )
    if source is None:
        return entries, published
    # Lines about attempts name no source: they count for every event of the id.
    return (
        [entry for entry in entries if entry.source in (source, None)],
        [each for each in published if each.source == source],
    )
