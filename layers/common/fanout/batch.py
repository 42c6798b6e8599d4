"""The batch loop: one invocation of a subscriber, from Lambda's records to the partial batch response.

One record's failure does not affect the others of its batch:
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec

from fanout import attempts
from fanout.deadline import Deadline, DeadlineReached
from fanout.delivery import Delivery, read
from fanout.event import Event
from fanout.observability import count, describe, log_failure, logger
from fanout.outcomes import Answer, Discard, Outcome, Reject, Retry
from fanout.parsing import Parser
from fanout.queue import Queue, SubscriberSettings, backoff
from fanout.receipts import ReceivedRecord, excerpt, write_receipt, write_received

_DEADLINE = "deadline: the function's time was up"

BatchHandler = Callable[[list[Event[Any]]], Sequence[Answer] | None]
Response = dict[str, list[dict[str, str]]]


class Result(msgspec.Struct):
    """The result of one delivery, before the runtime acts on it."""

    outcome: Outcome = Outcome.RETRYING
    reason: str | None = _DEADLINE
    """Default: the deadline interrupted the work."""
    code: str | None = None
    """Of a Reject or Discard; the reason begins with it."""
    after: float | None = None
    event: Event[Any] | None = None

    def set(self, answer: BaseException | Outcome) -> None:
        """Set outcome and reason from a handler's answer, or from any exception raised instead."""
        match answer:
            case Outcome():
                self.outcome, self.reason = answer, None
            case Reject():
                self.outcome, self.reason, self.code = Outcome.REJECTED, excerpt(str(answer)), answer.code
            case Discard():
                self.outcome, self.reason, self.code = Outcome.DISCARDED, excerpt(str(answer)), answer.code
            case Retry():
                self.outcome, self.reason = Outcome.RETRYING, excerpt(answer.reason) or "retry"
                self.after = answer.after
            case _:  # an unexpected failure is retried, never lost
                self.outcome, self.reason = Outcome.RETRYING, describe(answer)


class _Unit(msgspec.Struct):
    """What the handler gets at once: one delivery, or several for a batch subscriber."""

    deliveries: list[Delivery]
    parsed: list[Event[Any] | Exception]


class Batch:
    """One invocation."""

    def __init__(
        self,
        records: Sequence[dict[str, Any]],
        context: Any,
        *,
        settings: SubscriberSettings,
        parser: Parser,
        handler: BatchHandler,
        attempts_together: int,
    ) -> None:
        """records: Lambda's. attempts_together: the attempts at which a message is handled with others; 0: none."""
        self._settings = settings
        self._parser = parser
        self._handler = handler
        self._attempts_together = attempts_together
        self._queue = Queue(settings)
        self._deadline = Deadline(context)
        self._request_id: str = context.aws_request_id
        self._failures: list[str] = []
        self._deliveries = list(self._read(records))
        self._blocked_groups: set[str] = set()
        self._outcomes: Counter[str] = Counter()
        self._slowest = 0.0
        self._oldest_ms = 0

    def run(self) -> Response | None:
        """Handle the records. Returns a partial batch response, or None for direct deliveries; raises what SQS raises
        if a direct delivery can be neither handled nor sent to the queue."""
        parsed = [self._parse(delivery) for delivery in self._deliveries]
        self._write_received(parsed)
        with self._deadline.armed():
            for position, unit in enumerate(self._units(parsed)):
                delivery = unit.deliveries[0]
                out_of_time = position > 0 and self._deadline.seconds() <= self._slowest
                if out_of_time or delivery.group in self._blocked_groups:
                    self._release(delivery)
                elif (wait := _seconds_until(delivery.redelivery.not_before)) > 0:
                    self._release(delivery, wait)
                else:
                    self._work(unit)
        if self._outcomes:
            count(self._settings.fanout_subscriber, self._outcomes, self._oldest_ms)
        if not self._failures and all(delivery.is_direct for delivery in self._deliveries):
            return None
        return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in self._failures]}

    def _read(self, records: Sequence[dict[str, Any]]) -> Iterator[Delivery]:
        """Read the records. A record that AWS would not send is left in the queue; the others are handled."""
        for record in records:
            try:
                yield read(record)
            except Exception as error:
                if "messageId" not in record:
                    raise
                log_failure(error, None)
                self._failures.append(record["messageId"])

    def _units(self, parsed: list[Event[Any] | Exception]) -> list[_Unit]:
        """Return what is handled at once: what a batch subscriber takes together, then every other delivery alone."""
        together = _Unit([], [])
        alone: list[_Unit] = []
        for delivery, event in zip(self._deliveries, parsed, strict=True):
            is_alone = (
                delivery.attempt > self._attempts_together
                or delivery.group is not None
                or delivery.redelivery.not_before is not None
            )
            if is_alone:
                alone.append(_Unit([delivery], [event]))
            else:
                together.deliveries.append(delivery)
                together.parsed.append(event)
        return [together, *alone] if together.deliveries else alone

    def _parse(self, delivery: Delivery) -> Event[Any] | Exception:
        try:
            return self._parser.parse(delivery.notification)
        except Exception as error:  # evaluated in this delivery's turn, with the handler's own exceptions
            return error

    def _work(self, unit: _Unit) -> None:
        started = time.perf_counter()
        if self._count_attempt(unit.deliveries[0]):
            results = self._evaluate(unit.parsed)
        else:
            results = _killed_each_time(unit.parsed)
        for delivery, result in zip(unit.deliveries, results, strict=True):
            if result.outcome is Outcome.RETRYING and delivery.attempt >= self._settings.fanout_max_attempts:
                result.outcome = Outcome.DEAD_LETTERED
                result.reason = f"gave up after {delivery.attempt} attempts: {result.reason}"
            self._act(delivery, result)
            self._write_receipt(delivery, result, time.perf_counter() - started)
            if self._counts_attempts(delivery) and result.outcome is not Outcome.RETRYING:
                attempts.forget(self._settings.fanout_attempts_table, delivery)
        if len(unit.deliveries) == 1:
            self._slowest = max(self._slowest, time.perf_counter() - started)

    def _counts_attempts(self, delivery: Delivery) -> bool:
        """Return whether the runtime counts attempts: in a FIFO queue SQS also counts receives without an attempt."""
        return delivery.group is not None and bool(self._settings.fanout_attempts_table)

    def _count_attempt(self, delivery: Delivery) -> bool:
        """Set the delivery's true attempt. Returns False if all its attempts, the final one included, were killed."""
        if not self._counts_attempts(delivery):
            return True
        attempt = attempts.begin(self._settings.fanout_attempts_table, delivery)
        # Not counted: not the final attempt; SQS's count lengthens the backoff, so that its own limit is never reached.
        delivery.attempt = min(delivery.attempt, self._settings.fanout_max_attempts - 1) if attempt is None else attempt
        return delivery.attempt <= self._settings.fanout_max_attempts

    def _evaluate(self, parsed: list[Event[Any] | Exception]) -> list[Result]:
        """Call the handler with the events and return the result of each."""
        results = [Result(event=event if isinstance(event, Event) else None) for event in parsed]
        copies: list[tuple[Result, Result]] = []
        # What the deadline interrupts keeps the default: retry, because the time was up.
        with suppress(DeadlineReached), self._deadline.enforced():
            valid = self._validate(parsed, results, copies)
            if valid:
                self._handle(valid)
        for copy, first in copies:
            processed = first.outcome is Outcome.PROCESSED
            copy.outcome = Outcome.DUPLICATE if processed else first.outcome
            copy.reason, copy.code, copy.after = first.reason, first.code, first.after
        return results

    def _validate(
        self,
        parsed: list[Event[Any] | Exception],
        results: list[Result],
        copies: list[tuple[Result, Result]],
    ) -> list[Result]:
        """Return the results that the handler decides: of each event's first copy, if it is valid."""
        valid: dict[str, Result] = {}
        for event, result in zip(parsed, results, strict=True):
            try:
                if isinstance(event, Exception):
                    raise event
                result.event = self._parser.validate(event)
            except Exception as error:
                self._set_all([result], error)
                continue
            first = valid.setdefault(event.identity, result)
            if first is not result:
                copies.append((result, first))
        return list(valid.values())

    def _handle(self, valid: list[Result]) -> None:
        events = [result.event for result in valid if result.event]
        try:
            answers = self._handler(events)
            if answers is None:
                answers = [Outcome.PROCESSED] * len(events)
            if len(answers) != len(events):
                raise TypeError(f"the handler gave {len(answers)} answers to {len(events)} events")
            for result, answer in zip(valid, answers, strict=True):
                result.set(answer)
        except Exception as error:
            self._set_all(valid, error)

    def _set_all(self, results: list[Result], error: Exception) -> None:
        """Set the results of all the events that an exception applies to."""
        if not isinstance(error, Reject | Discard | Retry):
            log_failure(error, results[0].event.id if len(results) == 1 and results[0].event else None)
        for result in results:
            result.set(error)

    def _act(self, delivery: Delivery, result: Result) -> None:
        """Act on the result. If SQS cannot be reached, the delivery stays in its queue and is delivered again."""
        try:
            if result.outcome in {Outcome.REJECTED, Outcome.DEAD_LETTERED}:
                self._queue.dead_letter(
                    delivery,
                    outcome=result.outcome,
                    reason=result.reason or "",
                    code=result.code,
                    event_id=result.event.id if result.event else None,
                    event_type=result.event.type if result.event else None,
                )
            elif result.outcome is Outcome.RETRYING:
                wait = result.after
                if wait is None:
                    wait = backoff(delivery.attempt, self._settings.fanout_backoff_seconds)
                if delivery.is_direct or not self._deadline.is_over():
                    self._queue.retry(delivery, wait)
                self._fail(delivery)
        except Exception as error:
            if delivery.is_direct:
                raise
            log_failure(error, result.event.id if result.event else None)
            result.reason = f"{result.reason}; and {describe(error)} from its queue"
            result.outcome = Outcome.RETRYING
            self._fail(delivery)

    def _release(self, delivery: Delivery, seconds: float = 0) -> None:
        """Release a delivery without an attempt. It has no outcome, so it gets no receipt."""
        try:
            acknowledged = self._queue.release(delivery, seconds)
        except Exception as error:
            if delivery.is_direct:
                raise
            logger.warning("not released", error=describe(error), message_id=delivery.notification.message_id)
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
        write_received(self._settings.fanout_subscriber, self._request_id, records)

    def _write_receipt(self, delivery: Delivery, result: Result, duration: float) -> None:
        receipt = write_receipt(
            delivery,
            result.event,
            subscriber=self._settings.fanout_subscriber,
            request_id=self._request_id,
            outcome=result.outcome.value,
            reason=result.reason,
            code=result.code,
            duration=duration,
        )
        self._outcomes[receipt.outcome] += 1
        self._oldest_ms = max(self._oldest_ms, receipt.age_ms)


def _killed_each_time(parsed: list[Event[Any] | Exception]) -> list[Result]:
    """Return the results of a message that ended its function at every attempt: it is not attempted again."""
    return [
        Result(
            reason=f"the function was ended each time; {_DEADLINE}", event=event if isinstance(event, Event) else None
        )
        for event in parsed
    ]


def _seconds_until(instant: datetime | None) -> float:
    return (instant - datetime.now(UTC)).total_seconds() if instant else 0.0
