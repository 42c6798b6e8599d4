"""The outcomes of an event, and the three exceptions by which a handler chooses one.

Any other exception means Retry: the runtime never loses an event because a handler failed unexpectedly.
Reasons are logged and stored with dead letters: write what is wrong with the event, never whom it is about.
"""

from enum import StrEnum


class Outcome(StrEnum):
    """The outcome of one delivery of one event. A handler returns one of the first two (or None: processed)."""

    PROCESSED = "processed"
    DUPLICATE = "duplicate"
    """The effect existed already: an earlier delivery of the same event caused it."""
    DISCARDED = "discarded"
    REJECTED = "rejected"
    RETRYING = "retrying"
    DEAD_LETTERED = "dead-lettered"
    """The final attempt failed."""


class Retry(Exception):
    """Not now: try this event again later.

    reason: what failed, for the receipt. after: seconds until the next attempt; None backs off exponentially with
    jitter. After the final attempt (FANOUT_MAX_ATTEMPTS) the event goes to the dead-letter queue.
    """

    def __init__(self, reason: str = "", *, after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after


class _Decision(Exception):
    """An outcome that no further attempt changes, with a code that programs read and a detail for people."""

    def __init__(self, code: str, detail: str) -> None:
        """code: lower-case words joined by hyphens, a literal: docs/rejections.md lists all of them."""
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class Reject(_Decision):
    """Never: no attempt at this event can succeed. It goes to the dead-letter queue at once."""


class Discard(_Decision):
    """Not for this subscriber: nothing to do. The event is acknowledged, and its receipt says why nothing happened."""


Answer = Outcome | Retry | Reject | Discard
"""What a batch subscriber returns for each event."""
