"""One welcome mail, one record of the user, one suppressed address."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property

from fanout_cli.demo.definition import Event
from tests.chaos import ledger


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

    def faults(self, events: Sequence[Event]) -> list[str]:
        """The daily counts are those of the records: what was counted twice shows here."""
        counted: Counter[str] = Counter()
        recorded: Counter[str] = Counter()
        for item in self.rows("analytics_service", "ANALYTICS_TABLE"):
            if item["pk"].startswith("registrations#"):
                day = item["pk"].partition("#")[2]
                counted.update({f"{day} {name}": int(number) for name, number in item.items() if _is_count(name)})
            elif item["sk"] == "registration":
                day = item["registered_at"][:10]
                names = ("registrations", f"plan:{item['plan']}", f"locale:{item['locale']}")
                recorded.update(f"{day} {name}" for name in names)
        return [
            f"{name} are counted as {counted[name]}, and {recorded[name]} users are recorded"
            for name in sorted(counted | recorded)
            if counted[name] != recorded[name]
        ]

    @cached_property
    def _users(self) -> Counter[str]:
        items = self.rows("analytics_service", "ANALYTICS_TABLE")
        return Counter(item["pk"] for item in items if item["sk"] == "registration")


def _is_count(name: str) -> bool:
    return name == "registrations" or name.startswith(("plan:", "locale:"))
