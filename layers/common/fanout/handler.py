"""The decorators that make a Lambda handler of a function of one typed event, or of a batch of them.

    @subscriber(OrderPlaced)
    def handler(event: Event[OrderPlaced]) -> Outcome | None:
        return orders.record(event)

    @batch_subscriber(LogEntry)
    def handler(events: list[Event[LogEntry]]) -> None:
        archive.write(events)

The event's outcome follows from what the function returns or raises: see `fanout.outcomes`.
"""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import msgspec

from fanout import settings
from fanout.batch import Batch, BatchHandler, Response
from fanout.event import Event
from fanout.outcomes import Answer, Outcome
from fanout.parsing import Parser, Translate
from fanout.queue import SubscriberSettings

# A message that is delivered to a batch subscriber for the third time or more is handled alone: an event that fails its
# whole batch then fails only itself. (Two attempts: about 45 s at the usual backoff.)
_ATTEMPTS_TOGETHER = 2

Handler = Callable[[Event[Any]], Outcome | None]


def subscriber(
    *accepted: type[msgspec.Struct], translate: Translate | None = None
) -> Callable[[Handler], "Subscriber"]:
    """Turn a function of one event into a Lambda handler for SQS (raw or with the SNS envelope) and SNS.

    accepted: the contracts that the function takes. A type of another known contract is discarded with a receipt; a
    body that is not an event of a known contract is rejected. translate: for topics on which others publish their own
    format (plain text, AWS's notifications). It is called first and returns the event that a notification means, or
    None to have the body parsed as an event. It may raise Reject or Discard.
    """

    def decorate(handler: Handler) -> Subscriber:
        def handle(events: list[Event[Any]]) -> list[Answer]:
            return [handler(event) or Outcome.PROCESSED for event in events]

        return Subscriber(handle, Parser(accepted, translate), wraps=handler)

    return decorate


def batch_subscriber(
    *accepted: type[msgspec.Struct], translate: Translate | None = None
) -> Callable[[BatchHandler], "Subscriber"]:
    """Turn a function of a list of events into a Lambda handler; the arguments are those of `subscriber`.

    The function gets the valid events of an invocation, each once however many copies arrived, never an empty list. It
    returns None if all were processed, or one answer per event, in order: PROCESSED, DUPLICATE, or one of the
    exceptions Retry, Reject and Discard as a value. What it raises applies to every event it was given. An event at its
    third attempt or later, and every event of a FIFO queue, comes in a list of its own.
    """

    def decorate(handler: BatchHandler) -> Subscriber:
        return Subscriber(handler, Parser(accepted, translate), wraps=handler, attempts_together=_ATTEMPTS_TOGETHER)

    return decorate


class Subscriber:
    """A Lambda handler. Call it with Lambda's event and context; `__wrapped__` is the decorated function."""

    def __init__(
        self, handler: BatchHandler, parser: Parser, *, wraps: Callable[..., Any], attempts_together: int = 0
    ) -> None:
        self.parser = parser
        self._handler = handler
        self._attempts_together = attempts_together
        self._settings: SubscriberSettings | None = None
        update_wrapper(self, wraps)

    def __call__(self, payload: dict[str, Any], context: Any) -> Response | None:
        """Handle one invocation. Returns a partial batch response for a batch from SQS, None for SNS.

        Raises only if an SNS delivery could be neither handled nor sent to the queue; Lambda then retries, and finally
        sends it to the function's on-failure destination.
        """
        if self._settings is None:
            self._settings = settings.load(SubscriberSettings)
        batch = Batch(
            payload["Records"],
            context,
            settings=self._settings,
            parser=self.parser,
            handler=self._handler,
            attempts_together=self._attempts_together,
        )
        return batch.run()
