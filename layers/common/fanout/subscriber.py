"""The subscriber runtime: makes a Lambda handler of a function of one typed event, or of a batch of them.

    @subscriber(OrderPlaced)
    def handler(event: Event[OrderPlaced]) -> Outcome | None:
        return orders.record(event)

    @batch_subscriber(LogEntry)
    def handler(events: list[Event[LogEntry]]) -> None:
        archive.write(events)

What the function returns or raises decides what becomes of the event; `Outcome` lists it. One record's failure touches
no other record of its batch: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from functools import update_wrapper
from typing import Any

import msgspec

from fanout import attempts, contracts, settings
from fanout.claim_check import ClaimChecks
from fanout.deadline import Deadline, DeadlineReached
from fanout.delivery import Delivery, Notification, read
from fanout.event import Event, InvalidEvent, decode, decode_data, encode
from fanout.failures import Discard, Reject, Retry
from fanout.inbox import Inbox, InboxSettings, backoff
from fanout.observability import (
    RECORDS_PER_LINE,
    Receipt,
    Received,
    ReceivedRecord,
    count,
    describe,
    excerpt,
    log_failure,
    logger,
    write,
)


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


# A message that comes back to a batch subscriber for the third time or more is handled alone: whatever made its batch
# fail without a word about the guilty one then fails that one only. (Two attempts: about 45 s at the usual backoff.)
_ATTEMPTS_TOGETHER = 2
_DEADLINE = "deadline: the function's time was up"

Answer = Outcome | Retry | Reject | Discard
Handler = Callable[[Event[Any]], Outcome | None]
BatchHandler = Callable[[list[Event[Any]]], Sequence[Answer] | None]
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
        def handle(events: list[Event[Any]]) -> list[Answer]:
            return [handler(event) or Outcome.PROCESSED for event in events]

        return Subscriber(handle, accepted, translate, wraps=handler)

    return decorate


def batch_subscriber(
    *accepted: type[msgspec.Struct], translate: Translate | None = None
) -> Callable[[BatchHandler], "Subscriber"]:
    """Turn a function of a list of events into a Lambda handler; the arguments are those of `subscriber`.

    The function gets the valid events of an invocation, each once however many copies came, never an empty list. It
    returns None if all went well, or one answer per event, in order: PROCESSED, DUPLICATE, or one of the exceptions
    Retry, Reject and Discard as a value. What it raises holds for every event it was given. An event that is tried for
    the third time, and every event of a FIFO queue, comes in a list of its own.
    """

    def decorate(handler: BatchHandler) -> Subscriber:
        return Subscriber(handler, accepted, translate, wraps=handler, attempts_together=_ATTEMPTS_TOGETHER)

    return decorate


class _Verdict(msgspec.Struct):
    """What one delivery came to, before anything is done about it."""

    outcome: Outcome = Outcome.RETRYING
    reason: str | None = _DEADLINE
    """Until it is known otherwise, the deadline came before the answer."""
    after: float | None = None
    event: Event[Any] | None = None

    def set(self, answer: BaseException | Outcome) -> None:
        """Make an answer, or whatever else was raised instead of one, the verdict."""
        match answer:
            case Outcome():
                self.outcome, self.reason = answer, None
            case Reject():
                self.outcome, self.reason = Outcome.REJECTED, excerpt(answer.reason)
            case Discard():
                self.outcome, self.reason = Outcome.DISCARDED, excerpt(answer.reason)
            case Retry():
                self.outcome, self.reason = Outcome.RETRYING, excerpt(answer.reason) or "retry"
                self.after = answer.after
            case _:  # whatever else went wrong is retried, never lost
                self.outcome, self.reason = Outcome.RETRYING, describe(answer)


class _Unit(msgspec.Struct):
    """What is handed to the handler at once: one delivery, or a batch subscriber's many."""

    deliveries: list[Delivery]
    parsed: list[Event[Any] | Exception]


class Subscriber:
    """A Lambda handler. Call it with Lambda's event and context; `__wrapped__` is the function it was made of."""

    def __init__(
        self,
        handler: BatchHandler,
        accepted: tuple[type[msgspec.Struct], ...],
        translate: Translate | None,
        *,
        wraps: Callable[..., Any],
        attempts_together: int = 0,
    ) -> None:
        self.attempts_together = attempts_together
        self._handler = handler
        self._accepted = {contracts.contract_of(schema).type: schema for schema in accepted}
        self._translate = translate
        self._settings: InboxSettings | None = None
        update_wrapper(self, wraps)

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
        if translated is not None and isinstance(translated.data, msgspec.Raw):
            return translated
        try:
            # What was made of a foreign message is held to envelope and contract as if it had come so.
            event = decode(notification.text if translated is None else encode(translated))
        except (InvalidEvent, UnicodeEncodeError) as error:
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
        try:
            return decode_data(event, schema)
        except InvalidEvent as error:
            raise Reject(f"invalid-event: {error}") from None

    def handle(self, events: list[Event[Any]]) -> Sequence[Answer]:
        """Give admitted events to the handler and return what it says of each. Raises whatever the handler raises."""
        answers = self._handler(events)
        if answers is None:
            return [Outcome.PROCESSED] * len(events)
        if len(answers) != len(events):
            raise TypeError(f"the handler gave {len(answers)} answers to {len(events)} events")
        return answers


class _Batch:
    """One invocation at work."""

    def __init__(self, subscriber: Subscriber, settings: InboxSettings, payload: dict[str, Any], context: Any) -> None:
        self._subscriber = subscriber
        self._settings = settings
        self._inbox = Inbox(settings)
        self._deadline = Deadline(context)
        self._request_id: str = context.aws_request_id
        self._failures: list[str] = []
        self._deliveries = list(self._read(payload["Records"]))
        self._blocked_groups: set[str] = set()
        self._outcomes: Counter[str] = Counter()
        self._slowest = 0.0
        self._oldest_ms = 0

    def run(self) -> Response | None:
        parsed = [self._parse(delivery) for delivery in self._deliveries]
        self._write_received(parsed)
        for position, unit in enumerate(self._units(parsed)):
            delivery = unit.deliveries[0]
            out_of_time = position > 0 and self._deadline.seconds() <= self._slowest
            if out_of_time or delivery.group in self._blocked_groups:
                self._hand_back(delivery)
            elif (wait := _seconds_until(delivery.carried.not_before)) > 0:
                self._hand_back(delivery, wait)
            else:
                self._work(unit)
        if self._outcomes:
            count(self._settings.fanout_subscriber, self._outcomes, self._oldest_ms)
        if not self._failures and all(delivery.is_direct for delivery in self._deliveries):
            return None
        return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in self._failures]}

    def _read(self, records: Sequence[dict[str, Any]]) -> Iterator[Delivery]:
        """Read the records. One that is not as AWS makes them comes again, until SQS puts it aside: no other waits."""
        for record in records:
            try:
                yield read(record)
            except Exception as error:
                if "messageId" not in record:
                    raise
                log_failure(error, None)
                self._failures.append(record["messageId"])

    def _units(self, parsed: list[Event[Any] | Exception]) -> list[_Unit]:
        """Say what is handled at once: what a batch subscriber takes together, then every other delivery alone."""
        together = _Unit([], [])
        alone: list[_Unit] = []
        for delivery, event in zip(self._deliveries, parsed, strict=True):
            is_alone = (
                delivery.attempt > self._subscriber.attempts_together
                or delivery.group is not None
                or delivery.carried.not_before is not None
            )
            if is_alone:
                alone.append(_Unit([delivery], [event]))
            else:
                together.deliveries.append(delivery)
                together.parsed.append(event)
        return [together, *alone] if together.deliveries else alone

    def _parse(self, delivery: Delivery) -> Event[Any] | Exception:
        try:
            return self._subscriber.parse(delivery.notification)
        except Exception as error:  # judged in this delivery's turn, with the handler's own exceptions
            return error

    def _work(self, unit: _Unit) -> None:
        started = time.perf_counter()
        verdicts = self._judge(unit.parsed) if self._count_attempt(unit.deliveries[0]) else _cut_short(unit.parsed)
        for delivery, verdict in zip(unit.deliveries, verdicts, strict=True):
            if verdict.outcome is Outcome.RETRYING and delivery.attempt >= self._settings.fanout_max_attempts:
                verdict.outcome = Outcome.DEAD_LETTERED
                verdict.reason = f"gave up after {delivery.attempt} attempts: {verdict.reason}"
            self._act(delivery, verdict)
            self._write_receipt(delivery, verdict, time.perf_counter() - started)
            if self._counts(delivery) and verdict.outcome is not Outcome.RETRYING:
                attempts.forget(self._settings.fanout_attempts_table, delivery)
        if len(unit.deliveries) == 1:
            self._slowest = max(self._slowest, time.perf_counter() - started)

    def _counts(self, delivery: Delivery) -> bool:
        """Whether attempts at a delivery are counted by us: in a FIFO queue SQS's count says nothing about them."""
        return delivery.group is not None and bool(self._settings.fanout_attempts_table)

    def _count_attempt(self, delivery: Delivery) -> bool:
        """Make the delivery know its true attempt. False if all it may have were cut short, the last one included."""
        if not self._counts(delivery):
            return True
        attempt = attempts.begin(self._settings.fanout_attempts_table, delivery)
        # Not counted: it is not given up; SQS's count makes the pauses longer, so that its limit stays out of reach.
        delivery.attempt = min(delivery.attempt, self._settings.fanout_max_attempts - 1) if attempt is None else attempt
        return delivery.attempt <= self._settings.fanout_max_attempts

    def _judge(self, parsed: list[Event[Any] | Exception]) -> list[_Verdict]:
        """Hand the events to the handler and say what its answer means for each."""
        verdicts = [_Verdict(event=event if isinstance(event, Event) else None) for event in parsed]
        copies: list[tuple[_Verdict, _Verdict]] = []
        # Whatever the deadline interrupts stays as it is: to be retried, because the time was up.
        with suppress(DeadlineReached), self._deadline.enforced():
            admitted = self._admit(parsed, verdicts, copies)
            if admitted:
                self._handle(admitted)
        for copy, first in copies:
            processed = first.outcome is Outcome.PROCESSED
            copy.outcome = Outcome.DUPLICATE if processed else first.outcome
            copy.reason, copy.after = first.reason, first.after
        return verdicts

    def _admit(
        self,
        parsed: list[Event[Any] | Exception],
        verdicts: list[_Verdict],
        copies: list[tuple[_Verdict, _Verdict]],
    ) -> list[_Verdict]:
        """Return the verdicts still to be found: each event's first copy, if it is one that the handler takes."""
        admitted: dict[str, _Verdict] = {}
        for event, verdict in zip(parsed, verdicts, strict=True):
            try:
                if isinstance(event, Exception):
                    raise event
                verdict.event = self._subscriber.admit(event)
            except Exception as error:
                self._conclude([verdict], error)
                continue
            first = admitted.setdefault(event.identity, verdict)
            if first is not verdict:
                copies.append((verdict, first))
        return list(admitted.values())

    def _handle(self, admitted: list[_Verdict]) -> None:
        try:
            answers = self._subscriber.handle([verdict.event for verdict in admitted if verdict.event])
            for verdict, answer in zip(admitted, answers, strict=True):
                verdict.set(answer)
        except Exception as error:
            self._conclude(admitted, error)

    def _conclude(self, verdicts: list[_Verdict], error: Exception) -> None:
        """Make an exception the verdict of all the events it holds for."""
        if not isinstance(error, Reject | Discard | Retry):
            log_failure(error, verdicts[0].event.id if len(verdicts) == 1 and verdicts[0].event else None)
        for verdict in verdicts:
            verdict.set(error)

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
                if delivery.is_direct or not self._deadline.is_over():
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
        for first in range(0, len(records), RECORDS_PER_LINE):
            write(
                Received(
                    timestamp=datetime.now(UTC),
                    subscriber=self._settings.fanout_subscriber,
                    request_id=self._request_id,
                    records=records[first : first + RECORDS_PER_LINE],
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


def _cut_short(parsed: list[Event[Any] | Exception]) -> list[_Verdict]:
    """The verdict on a message whose every attempt has ended with the function's end: it is not tried once more."""
    return [
        _Verdict(
            reason=f"the function was ended each time; {_DEADLINE}", event=event if isinstance(event, Event) else None
        )
        for event in parsed
    ]


def _seconds_until(instant: datetime | None) -> float:
    return (instant - datetime.now(UTC)).total_seconds() if instant else 0.0
