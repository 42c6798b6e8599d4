"""order_processing: the total is captured, the label is written, the order is acknowledged by mail."""

from urllib.parse import urlsplit

from fanout_cli.demo.definition import Event, UseCaseDemo, mailbox_address
from local_engine import mailbox


class Demo(UseCaseDemo):
    """Every sample has its own order and address."""

    def fresh(self, event: Event, run: str) -> Event:
        """Return the event with a new order id."""
        customer = {**event["data"]["customer"], "email": mailbox_address(run)}
        return self.with_data(event, order_id=f"ord_{run}", customer=customer)

    def effect(self, event: Event, subscriber: str) -> str:
        """Return where the payment, the label or the mail is."""
        match subscriber:
            case "payment":
                return self._payment(event)
            case "shipping":
                return self._label(event)
            case _:
                return self._mail(event)

    def _payment(self, event: Event) -> str:
        order = event["data"]
        record = self.item(self.setting("payment", "PAYMENT_TABLE"), pk=f"order#{order['order_id']}", sk="payment")
        if not record or (record["state"], record["amount"]) != ("captured", order["total"]):
            return ""
        by = (
            "the sandbox, which moves no money"
            if record["provider"] == "sandbox"
            else f"the {record['provider']} provider"
        )
        return f"{order['order_id']}: {record['amount']} {record['currency']} (minor units) captured by {by}"

    def _label(self, event: Event) -> str:
        order = event["data"]
        table = self.setting("shipping", "LABEL_TABLE")
        label = self.item(table, pk=f"order#{order['order_id']}", sk="label")
        if not label or len(label["parcels"]) != len(order["parcels"]):
            return ""
        for number, parcel in enumerate(label["parcels"], 1):
            tracked = self.item(table, pk=f"tracking#{parcel['tracking_number']}", sk="parcel")
            if not tracked or (tracked["order_id"], tracked["parcel"]) != (order["order_id"], number):
                return ""
        sent = ", ".join(f"{parcel['service']} {parcel['tracking_number']}" for parcel in label["parcels"])
        return f"{order['order_id']} has its label, zone {label['zone']}: {sent}"

    def _mail(self, event: Event) -> str:
        order = event["data"]
        record = self.item(
            self.setting("customer_notification", "NOTIFICATION_TABLE"),
            pk=f"once#order#{order['order_id']}",
            sk="order_processing/customer_notification",
        )
        if not record or record["state"] != "done":
            return ""
        message_id = record["details"]["message_id"]
        endpoint = self.client("sesv2").meta.endpoint_url
        if urlsplit(endpoint).hostname not in {"127.0.0.1", "localhost"}:  # AWS: mail cannot be read back
            return f"SES took the mail about {order['order_id']} as {message_id}"
        address = order["customer"]["email"]
        mails = [mail for mail in mailbox.sent(endpoint) if mail.to == (address,)]
        if [mail.message_id for mail in mails] != [message_id] or order["order_id"] not in mails[0].subject:
            return ""
        return f"one mail “{mails[0].subject}” to {address} is in the outbox"
