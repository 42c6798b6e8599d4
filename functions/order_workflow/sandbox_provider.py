"""The sandbox provider: no payment. No money moves, and everything it returns says so.

It decides by the last two digits of the amount in minor units, so that every path can be tried:

    01  declined: card_declined          03  declined: expired_card
    02  declined: insufficient_funds     09  never answers, as a provider that is down
    any other: authorised

The same key always gets the same answer, so it needs no memory.
"""

import hashlib

from charges import Authorized, Charge, Declined
from fanout.failures import Retry

NAME = "sandbox"

DECLINED = {1: "card_declined", 2: "insufficient_funds", 3: "expired_card"}
SILENT = 9


class SandboxProvider:
    """See the module."""

    def authorize(self, key: str, charge: Charge) -> Authorized | Declined:
        """Decide by the amount."""
        ending = charge.amount % 100
        if ending == SILENT:
            raise Retry("payment: the sandbox provider does not answer for amounts that end in 09")
        if ending in DECLINED:
            return Declined(DECLINED[ending])
        return Authorized(f"sandbox-{_digest(key)}")

    def refund(self, key: str, reference: str, charge: Charge) -> str:  # noqa: ARG002 - there is nothing to give back
        """Pretend."""
        return f"sandbox-{_digest(key)}"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:24]
