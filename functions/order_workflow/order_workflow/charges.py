"""What payment asks of a payment provider, and what a provider may answer.

A provider does a thing once per key, however often it is asked with that key, and gives the same answer each time.
"""

from typing import Protocol

import msgspec


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be paid."""

    order_id: str
    customer_id: str
    amount: int
    """In the currency's minor unit."""
    currency: str


class Authorized(msgspec.Struct, frozen=True):
    """The money is secured."""

    reference: str


class Declined(msgspec.Struct, frozen=True):
    """The money will not come."""

    code: str


class Provider(Protocol):
    """Both methods raise Retry if there is no answer, or one that says nothing about the payment."""

    def authorize(self, key: str, charge: Charge) -> Authorized | Declined:
        """Secure the money."""

    def refund(self, key: str, reference: str, charge: Charge) -> str:
        """Give all of it back; return what the provider calls that. Raises Reject if it refuses."""
