"""An order is paid once, labelled once, and acknowledged by one mail."""

from collections import Counter
from functools import cached_property
from typing import Any

from fanout_cli.demo.definition import Event
from tests.chaos import ledger


class Ledger(ledger.Ledger):
    """Reads payments, tracking numbers and mails."""

    def times(self, event: Event, subscriber: str) -> int:
        """A label made twice has drawn tracking numbers twice."""
        order = event["data"]
        match subscriber:
            case "payment":
                record = self._payments.get(f"order#{order['order_id']}", {})
                return int((record.get("state"), record.get("amount")) == ("captured", order["total"]))
            case "shipping":
                return -(-self._parcels[order["order_id"]] // len(order["parcels"]))
            case _:
                return self.stores.mails()[order["customer"]["email"]]

    @cached_property
    def _payments(self) -> dict[str, dict[str, Any]]:
        return {item["pk"]: item for item in self.rows("payment", "PAYMENT_TABLE") if item["sk"] == "payment"}

    @cached_property
    def _parcels(self) -> Counter[str]:
        items = self.rows("shipping", "LABEL_TABLE")
        return Counter(item["order_id"] for item in items if item["pk"].startswith("tracking#"))
