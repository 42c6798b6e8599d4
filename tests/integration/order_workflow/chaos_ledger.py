"""An order is paid once, reserved once, confirmed, and one mail says so."""

from functools import cached_property
from typing import Any

from fanout_cli.demo.definition import Event
from tests.chaos import ledger
from usecases.order_workflow.demo import CANCELLED, FACTS


class Ledger(ledger.Ledger):
    """Reads payments, stock, orders and mails."""

    def times(self, event: Event, subscriber: str) -> int:
        """Stock is counted in articles: what is reserved for an order is only this order's."""
        order = f"order#{event['data']['order_id']}"
        wanted = "void" if event["type"] == CANCELLED else None
        match subscriber:
            case "payment":
                return int(self._item("payment", "PAYMENT_TABLE", order, "payment") == (wanted or "authorized"))
            case "inventory":
                held = self._item("inventory", "STOCK_TABLE", order, "reservation") == (wanted or "held")
                return int(held) if wanted else int(held) * self._taken(event)
            case "workflow":
                return int(self._knows(order, event))
            case _:
                return self.stores.mails()[event["data"]["email"]]

    def _item(self, subscriber: str, variable: str, pk: str, sk: str) -> str:
        found = self._by_key(subscriber, variable).get((pk, sk), {})
        return str(found.get("state", ""))

    def _taken(self, event: Event) -> int:
        """How often the articles of the order were reserved: the maximum of all of them."""
        stock = self._by_key("inventory", "STOCK_TABLE")
        times = [
            -(-int(stock[f"sku#{line['sku']}", "stock"]["reserved"]) // line["quantity"])
            for line in event["data"]["lines"]
        ]
        return max(times) if min(times) else 0

    def _knows(self, order: str, event: Event) -> bool:
        found = self._by_key("workflow", "ORDER_TABLE").get((order, "order"))
        if found is None:
            return False
        if event["type"] in FACTS:
            return f'"{FACTS[event["type"]]}"' in found["document"]
        return '"placed"' in found["document"] and found["state"] == "CONFIRMED"

    def _by_key(self, subscriber: str, variable: str) -> dict[tuple[str, str], dict[str, Any]]:
        return self._tables[subscriber, variable]

    @cached_property
    def _tables(self) -> dict[tuple[str, str], dict[tuple[str, str], dict[str, Any]]]:
        names = [("payment", "PAYMENT_TABLE"), ("inventory", "STOCK_TABLE"), ("workflow", "ORDER_TABLE")]
        return {name: {(item["pk"], item["sk"]): item for item in self.rows(*name)} for name in names}
