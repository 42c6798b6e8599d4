"""order_workflow: an order goes through to its mail; every other event has an order of its own.

The articles of the placed order exist for this run only. The demo adds them to the real stock, and the order reserves
all of them.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from fanout.dynamodb import to_item
from fanout_cli.demo.definition import Event, UseCaseDemo, mailbox_address
from fanout_cli.errors import UserError
from local_engine import mailbox

_PLACED = "order.placed.v1"
CANCELLED = "order.cancelled.v1"
FACTS = {
    "payment.authorized.v1": "authorized",
    "payment.declined.v1": "declined",
    "payment.refunded.v1": "refunded",
    "stock.reserved.v1": "reserved",
    "stock.unavailable.v1": "unavailable",
}


class Demo(UseCaseDemo):
    """Every run has its own orders, addresses and articles."""

    def fresh(self, event: Event, run: str) -> Event:
        """Return the event with a new order; add the articles of a placed order to the stock."""
        changes: dict[str, Any] = {"order_id": f"ord_{run}"}
        if event["data"].get("email"):
            changes["email"] = mailbox_address(run)
        if event["type"] == _PLACED:
            self._refuse_to_charge()
            lines = [{**line, "sku": f"{line['sku']}-{run}"} for line in event["data"]["lines"]]
            for line in lines:
                self._stock_up(line["sku"], line["quantity"])
            changes["lines"] = lines
        return self.with_data(event, **changes)

    def derived(self, event: Event) -> Sequence[Event]:
        """Return the events that follow from an order that is paid and in stock."""
        if event["type"] != _PLACED:
            return ()
        data = event["data"]
        paid = {"order_id": data["order_id"], "amount": data["total"], "currency": data["currency"]}
        return (
            self.caused(event, "payment", "payment.authorized.v1", {**paid, "provider": "sandbox"}),
            self.caused(event, "inventory", "stock.reserved.v1", {"order_id": data["order_id"]}),
            self.caused(event, "workflow", "order.confirmed.v1", {**data, "payment_provider": "sandbox"}),
        )

    def effect(self, event: Event, subscriber: str) -> str:
        """Return where the payment, the reservation, the order or the mail is."""
        order_id = event["data"]["order_id"]
        match subscriber:
            case "payment":
                return self._payment(event, order_id)
            case "inventory":
                return self._reservation(event, order_id)
            case "workflow":
                return self._order(event, order_id)
            case _:
                return self._mail(event, order_id)

    def _payment(self, event: Event, order_id: str) -> str:
        item = self.item(self.setting("payment", "PAYMENT_TABLE"), pk=f"order#{order_id}", sk="payment")
        if event["type"] == CANCELLED:
            void = item is not None and item["state"] == "void"
            return f"no payment of {order_id} will ever be asked for: it is void" if void else ""
        if not item or (item["state"], item["provider"]) != ("authorized", "sandbox"):
            return ""
        total, currency = event["data"]["total"], event["data"]["currency"]
        return f"the sandbox provider has authorised {total} (minor units of {currency}) for {order_id}"

    def _reservation(self, event: Event, order_id: str) -> str:
        table = self.setting("inventory", "STOCK_TABLE")
        item = self.item(table, pk=f"order#{order_id}", sk="reservation")
        if event["type"] == CANCELLED:
            void = item is not None and item["state"] == "void"
            return f"no stock will be reserved for {order_id}: its reservation is void" if void else ""
        stock = [self.item(table, pk=f"sku#{line['sku']}", sk="stock") for line in event["data"]["lines"]]
        wanted = [line["quantity"] for line in event["data"]["lines"]]
        taken = [(each["available"], each["reserved"]) for each in stock if each]
        if not item or item["state"] != "held" or taken != [(0, quantity) for quantity in wanted]:
            return ""
        return f"{sum(wanted)} articles are reserved for {order_id}, and none of them is left"

    def _order(self, event: Event, order_id: str) -> str:
        item = self.item(self.setting("workflow", "ORDER_TABLE"), pk=f"order#{order_id}", sk="order")
        if not item:
            return ""
        if '"placed"' in item["document"]:
            return f"order {order_id} is CONFIRMED" if item["state"] == "CONFIRMED" else ""
        fact = FACTS[event["type"]]
        known = f'"{fact}"' in item["document"] and item["state"] == "PENDING"
        return f"order {order_id} is known to be {fact}, and waits to be placed" if known else ""

    def _mail(self, event: Event, order_id: str) -> str:
        record = self.item(
            self.setting("notification", "NOTIFICATION_TABLE"),
            pk=f"once#order#{order_id}",
            sk="order_workflow/notification",
        )
        if not record or record["state"] != "done" or record["details"]["event_type"] != event["type"]:
            return ""
        message_id, address = record["details"]["message_id"], event["data"]["email"]
        endpoint = self.client("sesv2").meta.endpoint_url
        if urlsplit(endpoint).hostname not in {"127.0.0.1", "localhost"}:  # AWS: mail cannot be read back
            return f"SES took the mail about {order_id} as {message_id}"
        mails = list(_to(address, endpoint))
        if [mail.message_id for mail in mails] != [message_id] or order_id not in mails[0].text:
            return ""
        return f"one mail “{mails[0].subject}” is in the outbox, in text and HTML"

    def _stock_up(self, sku: str, quantity: int) -> None:
        self.client("dynamodb").update_item(
            TableName=self.setting("inventory", "STOCK_TABLE"),
            Key=to_item({"pk": f"sku#{sku}", "sk": "stock"}),
            UpdateExpression="ADD available :quantity",
            ExpressionAttributeValues=to_item({":quantity": quantity}),
        )

    def _refuse_to_charge(self) -> None:
        environment = self.topology.subscribers[f"{self.use_case}/payment"].environment
        if environment.get("PAYMENT_PROVIDER_SECRET_ARN"):
            raise UserError(
                "order_workflow has a payment provider configured, and the demo would charge it",
                "Show the demo on a stack without PaymentProviderSecretArn.",
            )


def _to(address: str, endpoint: str) -> Iterator[mailbox.Mail]:
    return (mail for mail in mailbox.sent(endpoint) if mail.to == (address,))
