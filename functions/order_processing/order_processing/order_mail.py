"""The mail that acknowledges an order: its texts by locale; customer input is always escaped."""

from pathlib import Path

import msgspec

from fanout.contracts.order_processing import OrderSubmitted
from fanout.integrations.mail import Mail
from fanout.integrations.mail_templates import MailTemplates, filled
from fanout.money import money


class _Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a locale's file holds: plain text with $order and $total."""

    decimal_sign: str
    subject: str
    opening: list[str]
    line: str
    """With $quantity, $article, $price."""
    total: str
    parcels_one: str
    parcels_many: str
    """With $parcels."""
    closing: str


_TEMPLATES = MailTemplates(Path(__file__).parent / "mail_templates", _Words)


def render(order: OrderSubmitted) -> Mail:
    """Return the mail about an order, in the language closest to the customer's, else in English."""
    locale, words = _TEMPLATES.words(order.customer.locale)
    facts = {
        "order": order.order_id,
        "total": money(order.total, order.currency, words.decimal_sign),
        "parcels": str(len(order.parcels)),
    }
    lines = [
        filled(
            words.line,
            {
                "quantity": str(line.quantity),
                "article": " ".join(line.description.split()) or line.sku,
                "price": money(line.quantity * line.unit_price, order.currency, words.decimal_sign),
            },
        )
        for line in order.lines
    ]
    body = [
        *(filled(text, facts) for text in words.opening),
        [*lines, filled(words.total, facts)],
        filled(words.parcels_one if len(order.parcels) == 1 else words.parcels_many, facts),
        words.closing,
    ]
    return _TEMPLATES.mail(locale, filled(words.subject, facts), body)
