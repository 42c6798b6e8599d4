"""The three words a handler may raise, and what each makes of the event.

Any other exception means Retry: the runtime never loses an event because a handler failed in a way nobody foresaw.
Reasons are logged and stored with dead letters: write what is wrong with the event, never whom it is about.
"""


class Retry(Exception):
    """Not now: try this event again later.

    reason: what stood in the way, for the receipt. after: seconds until the next attempt; None backs off
    exponentially with jitter. After the last attempt (FANOUT_MAX_ATTEMPTS) the event goes to the dead-letter queue.
    """

    def __init__(self, reason: str = "", *, after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after = after


class Reject(Exception):
    """Never: this event cannot be handled however often it is tried. It goes to the dead-letter queue at once."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Discard(Exception):
    """Not mine: nothing to do for this event. It is acknowledged, and its receipt says why nothing happened."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
