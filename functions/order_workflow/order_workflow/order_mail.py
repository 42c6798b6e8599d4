"""The mail about the outcome of an order: its texts by locale; values are escaped."""

from pathlib import Path

import msgspec

from fanout.contracts.order_workflow import CancellationReason, OrderCancelled, OrderConfirmed
from fanout.integrations.mail import Mail
from fanout.integrations.mail_templates import MailTemplates, filled
from fanout.money import money


class _Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a locale's file holds: plain text with $order, $total, $reason."""

    decimal_sign: str
    confirmed_subject: str
    confirmed: list[str]
    cancelled_subject: str
    cancelled: list[str]
    reasons: dict[CancellationReason, str]
    sandbox: str
    line: str
    """With $quantity, $article, $price."""
    total: str
    closing: str


_TEMPLATES = MailTemplates(Path(__file__).parent / "mail_templates", _Words)


def render(order: OrderConfirmed | OrderCancelled) -> Mail:
    """Return the mail about an order, in the language closest to the customer's, else in English."""
    locale, words = _TEMPLATES.words(order.locale)
    facts = {"order": order.order_id, "total": money(order.total, order.currency, words.decimal_sign)}
    if isinstance(order, OrderConfirmed):
        subject, paragraphs = words.confirmed_subject, [*words.confirmed]
        if order.payment_provider == "sandbox":
            paragraphs.append(words.sandbox)
    else:
        subject, paragraphs = words.cancelled_subject, [*words.cancelled]
        facts["reason"] = words.reasons[order.reason]
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
    body = [*(filled(text, facts) for text in paragraphs), [*lines, filled(words.total, facts)], words.closing]
    return _TEMPLATES.mail(locale, filled(subject, facts), body)
