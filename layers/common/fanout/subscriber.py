"""The subscriber runtime: makes a Lambda handler of a function of one typed event.

    @subscriber(OrderPlaced)
    def handler(event: Event[OrderPlaced]) -> Outcome | None:
        return orders.record(event)

What the function returns or raises decides what becomes of the event; `Outcome` lists it. One record's failure touches
no other record of its batch: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import update_wrapper
from typing import Any

import msgspec

from fanout import contracts, settings
from fanout.claim_check import ClaimChecks
from fanout.deadline import Deadline, DeadlineReached
from fanout.delivery import Delivery, Notification, read
from fanout.event import Event, InvalidEvent, decode, decode_data
from fanout.failures import Discard, Reject, Retry
from fanout.inbox import Inbox, InboxSettings, backoff
from fanout.observability import Receipt, Received, ReceivedRecord, count, describe, log_failure, logger, write


class Outcome(StrEnum):
    """What became of one delivery of one event. A handler returns one of the first two (or None: processed)."""

    PROCESSED = "processed"
    DUPLICATE = "duplicate"
    """The effect was there already: an earlier delivery of the same event had it."""
    DISCARDED = "discarded"
    REJECTED = "rejected"
    RETRYING = "retrying"
    DEAD_LETTERED = "dead-lettered"
    """Given up after the last attempt."""


Handler = Callable[[Event[Any]], Outcome | None]
Translate = Callable[[Notification], Event[Any] | None]
Response = dict[str, list[dict[str, str]]]


def subscriber(
    *accepted: type[msgspec.Struct], translate: Translate | None = None
) -> Callable[[Handler], "Subscriber"]:
    """Turn a function of one event into a Lambda handler for SQS (raw or with the SNS envelope) and SNS.

    accepted: the contracts the function takes. A type of another known contract is discarded with a receipt; a body
    that is no event of a known contract is rejected. translate: for topics that others publish to in their own form
    (plain text, AWS's notifications): it is asked first, and returns the event that a notification means, or None to
    have the body read as an event. It may raise Reject or Discard.
    """

    def decorate(handler: Handler) -> Subscriber:
        return Subscriber(handler, accepted, translate)

    return decorate


class _Verdict(msgspec.Struct):
    """What one delivery came to, before anything is done about it."""

    outcome: Outcome
    reason: str | None = None
    after: float | None = None
    event: Event[Any] | None = None


class Subscriber:
    """A Lambda handler. Call it with Lambda's event and context; `__wrapped__` is the function it was made of."""

    def __init__(
        self, handler: Handler, accepted: tuple[type[msgspec.Struct], ...], translate: Translate | None
    ) -> None:
        self._handler = handler
        self._accepted = {contracts.contract_of(schema).type: schema for schema in accepted}
        self._translate = translate
        self._settings: InboxSettings | None = None
        update_wrapper(self, handler)

    def __call__(self, payload: dict[str, Any], context: Any) -> Response | None:
        """Handle one invocation. Returns a partial batch response for a batch from SQS, None for SNS.

        Raises only where an SNS delivery could be neither handled nor put into the inbox; Lambda then tries again, and
        in the end sends it to the function's on-failure destination.
        """
        if self._settings is None:
            self._settings = settings.load(InboxSettings)
        return _Batch(self, self._settings, payload, context).run()

    def parse(self, notification: Notification) -> Event[msgspec.Raw] | Event[Any]:
        """Return the event that a notification holds. Raises Reject for none, and what `translate` raises."""
        translated = self._translate(notification) if self._translate else None
        if translated is not None:
            return translated
        try:
            event = decode(notification.text)
        except InvalidEvent as error:
            raise Reject(f"invalid-event: {error}") from None
        return event if event.time else msgspec.structs.replace(event, time=notification.timestamp)

    def admit(self, event: Event[Any]) -> Event[Any]:
        """Return the event whole and with its data typed, as the handler takes it. Raises Reject or Discard."""
        schema = self._accepted.get(event.type)
        if schema is None:
            if contracts.schema_of(event.type) is None:
                raise Reject(f"unknown-type: no contract is known for {event.type!r}")
            raise Discard(f"not-handled: this subscriber does not handle {event.type}")
        if event.claimcheck is not None:
            parked = ClaimChecks.configured()
            if parked is None:
                raise Reject("claim-check-unconfigured: FANOUT_CLAIM_CHECK_BUCKET is not set")
            event = parked.redeem(event)
        if not isinstance(event.data, msgspec.Raw):  # made by `translate`
            return event
        try:
            return decode_data(event, schema)
        except InvalidEvent as error:
            raise Reject(f"invalid-event: {error}") from None

    def handle(self, event: Event[Any]) -> Outcome:
        """Give an admitted event to the handler and return what it says. Raises whatever the handler raises."""
        return self._handler(event) or Outcome.PROCESSED


class _Batch:
    """One invocation at work."""

    def __init__(self, subscriber: Subscriber, settings: InboxSettings, payload: dict[str, Any], context: Any) -> None:
        self._subscriber = subscriber
        self._settings = settings
        self._inbox = Inbox(settings)
        self._deadline = Deadline(context)
        self._request_id: str = context.aws_request_id
        self._deliveries = [read(record) for record in payload["Records"]]
        self._failures: list[str] = []
        self._blocked_groups: set[str] = set()
        self._outcomes: Counter[str] = Counter()
        self._slowest = 0.0
        self._oldest_ms = 0

    def run(self) -> Response | None:
        parsed = [self._parse(delivery) for delivery in self._deliveries]
        self._write_received(parsed)
        for position, (delivery, event) in enumerate(zip(self._deliveries, parsed, strict=True)):
            out_of_time = position > 0 and self._deadline.seconds() <= self._slowest
            if out_of_time or delivery.group in self._blocked_groups:
                self._hand_back(delivery)
            elif (wait := _seconds_until(delivery.carried.not_before)) > 0:
                self._hand_back(delivery, wait)
            else:
                self._work(delivery, event)
        if self._outcomes:
            count(self._settings.fanout_subscriber, self._outcomes, self._oldest_ms)
        if all(delivery.is_direct for delivery in self._deliveries):
            return None
        return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in self._failures]}

    def _parse(self, delivery: Delivery) -> Event[Any] | Exception:
        try:
            return self._subscriber.parse(delivery.notification)
        except Exception as error:  # judged in this delivery's turn, with the handler's own exceptions
            return error

    def _work(self, delivery: Delivery, event: Event[Any] | Exception) -> None:
        started = time.perf_counter()
        verdict = self._judge(event)
        if verdict.outcome is Outcome.RETRYING and delivery.attempt >= self._settings.fanout_max_attempts:
            verdict.outcome = Outcome.DEAD_LETTERED
            verdict.reason = f"gave up after {delivery.attempt} attempts: {verdict.reason}"
        self._act(delivery, verdict)
        duration = time.perf_counter() - started
        self._slowest = max(self._slowest, duration)
        self._write_receipt(delivery, verdict, duration)

    def _judge(self, event: Event[Any] | Exception) -> _Verdict:
        """Hand the event to the handler and say what its answer means."""
        known = event if isinstance(event, Event) else None
        try:
            if isinstance(event, Exception):
                raise event
            with self._deadline.enforced():
                known = self._subscriber.admit(event)
                outcome = self._subscriber.handle(known)
        except Reject as word:
            return _Verdict(Outcome.REJECTED, word.reason, event=known)
        except Discard as word:
            return _Verdict(Outcome.DISCARDED, word.reason, event=known)
        except Retry as word:
            return _Verdict(Outcome.RETRYING, word.reason or "retry", word.after, event=known)
        except DeadlineReached:
            return _Verdict(Outcome.RETRYING, "deadline: the function's time was up", event=known)
        except Exception as error:  # whatever else went wrong is retried, never lost
            log_failure(error, known.id if known else None)
            return _Verdict(Outcome.RETRYING, describe(error), event=known)
        return _Verdict(outcome, event=known)

    def _act(self, delivery: Delivery, verdict: _Verdict) -> None:
        """Do what the verdict asks for. If SQS cannot be reached, the delivery comes back by itself."""
        try:
            if verdict.outcome in {Outcome.REJECTED, Outcome.DEAD_LETTERED}:
                self._inbox.put_aside(
                    delivery,
                    outcome=verdict.outcome,
                    reason=verdict.reason or "",
                    event_id=verdict.event.id if verdict.event else None,
                    event_type=verdict.event.type if verdict.event else None,
                )
            elif verdict.outcome is Outcome.RETRYING:
                wait = verdict.after
                if wait is None:
                    wait = backoff(delivery.attempt, self._settings.fanout_backoff_seconds)
                self._inbox.retry(delivery, wait)
                self._fail(delivery)
        except Exception as error:
            if delivery.is_direct:
                raise
            log_failure(error, verdict.event.id if verdict.event else None)
            verdict.reason = f"{verdict.reason}; and {describe(error)} from its queue"
            verdict.outcome = Outcome.RETRYING
            self._fail(delivery)

    def _hand_back(self, delivery: Delivery, seconds: float = 0) -> None:
        """Give a delivery back unattempted. It gets no receipt, for nothing has become of it."""
        try:
            acknowledged = self._inbox.hand_back(delivery, seconds)
        except Exception as error:
            if delivery.is_direct:
                raise
            logger.warning("not handed back", error=describe(error), message_id=delivery.notification.message_id)
            acknowledged = False
        if not acknowledged:
            self._fail(delivery)

    def _fail(self, delivery: Delivery) -> None:
        """Report the delivery as failed, so that Lambda leaves it in the queue; in FIFO its group waits behind it."""
        if delivery.sqs_message_id is not None and delivery.sqs_message_id not in self._failures:
            self._failures.append(delivery.sqs_message_id)
        if delivery.group is not None:
            self._blocked_groups.add(delivery.group)

    def _write_received(self, parsed: list[Event[Any] | Exception]) -> None:
        records = [
            ReceivedRecord(
                event_id=event.id if isinstance(event, Event) else None,
                message_id=delivery.notification.message_id,
                attempt=delivery.attempt,
            )
            for delivery, event in zip(self._deliveries, parsed, strict=True)
        ]
        write(
            Received(
                timestamp=datetime.now(UTC),
                subscriber=self._settings.fanout_subscriber,
                request_id=self._request_id,
                records=records,
            )
        )

    def _write_receipt(self, delivery: Delivery, verdict: _Verdict, duration: float) -> None:
        now = datetime.now(UTC)
        event = verdict.event
        published_at = delivery.notification.timestamp
        age_ms = max(0, round((now - published_at).total_seconds() * 1000))
        self._outcomes[verdict.outcome.value] += 1
        self._oldest_ms = max(self._oldest_ms, age_ms)
        typed = event is not None and isinstance(event.data, msgspec.Struct)
        write(
            Receipt(
                timestamp=now,
                subscriber=self._settings.fanout_subscriber,
                request_id=self._request_id,
                event_id=event.id if event else None,
                source=event.source if event else None,
                type=event.type if event else None,
                message_id=delivery.notification.message_id,
                attempt=delivery.attempt,
                outcome=verdict.outcome.value,
                reason=verdict.reason,
                published_at=published_at,
                age_ms=age_ms,
                duration_ms=round(duration * 1000, 3),
                fields=contracts.filterable_fields(event.type, event.data) if event and typed else {},
            )
        )


def _seconds_until(instant: datetime | None) -> float:
    return (instant - datetime.now(UTC)).total_seconds() if instant else 0.0
