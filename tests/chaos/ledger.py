"""Counts effects where they are: in tables, buckets, mailboxes, behind webhooks. No receipt is believed here."""

import importlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from fanout_cli.demo.definition import Event, UseCaseDemo
from local_engine import mailbox
from tests.chaos.deployment import Deployment


class Stores:
    """What the application has written, each store read once: all is over when effects are counted."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self._application = deployment.application
        self.items: Callable[[str], list[dict[str, Any]]] = cache(self._application.items)

    @property
    def client(self) -> Callable[[str], Any]:
        """Gives the AWS client of a service, past the proxy."""
        return self._application.client

    @cache  # noqa: B019 - one run, one object
    def mails(self) -> Counter[str]:
        """How many mails went to each address."""
        return Counter(address for mail in mailbox.sent(self._application.endpoint) for address in mail.to)


class Ledger(ABC):
    """The effects of one use case: the class `Ledger` of `tests/integration/<use_case>/chaos_ledger.py`."""

    def __init__(self, demo: UseCaseDemo, stores: Stores) -> None:
        self.demo = demo
        self.stores = stores

    @abstractmethod
    def times(self, event: Event, subscriber: str) -> int | None:
        """Return how often the effect of the event at the subscriber ("team_a") has happened.

        None: a later event of the same thing replaced it, as it should.
        """

    def settled(self, events: Sequence[Event]) -> bool:
        """Return whether the work after the receipts (a state machine) has ended."""
        return True

    def faults(self, events: Sequence[Event]) -> list[str]:
        """Return what is wrong with the stores beyond the effects of functions, given all events of the use case."""
        return []

    def rows(self, subscriber: str, variable: str) -> list[dict[str, Any]]:
        """Return everything in the table that a subscriber's function is given by this variable."""
        return self.stores.items(self.demo.setting(subscriber, variable))


def load(use_case: str, demo: UseCaseDemo, stores: Stores) -> Ledger:
    """Return the ledger of a use case."""
    module = importlib.import_module(f"tests.integration.{use_case}.chaos_ledger")
    ledger: Ledger = module.Ledger(demo, stores)
    return ledger
