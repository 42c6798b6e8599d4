"""One welcome mail, one record of the user, one suppressed address."""

from collections import Counter
from functools import cached_property

from fanout_cli.demo.definition import Event
from tests.fault import ledger


class Ledger(ledger.Ledger):
    """Counts mails in the outbox and records in the tables."""

    def times(self, event: Event, subscriber: str) -> int:
        """Mails to the user's address; records of the user."""
        match subscriber:
            case "notify_service":
                return self.stores.mails()[event["data"]["email"]]
            case "analytics_service":
                return self._users[f"user#{event['data']['user_id']}"]
            case _:
                return int(bool(self.demo.effect(event, subscriber)))

    @cached_property
    def _users(self) -> Counter[str]:
        items = self.rows("analytics_service", "ANALYTICS_TABLE")
        return Counter(item["pk"] for item in items if item["sk"] == "registration")
