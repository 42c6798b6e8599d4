"""The mail that acknowledges an order: its words by locale, filled in so that what a customer typed stays text."""

import html
from functools import cache
from pathlib import Path
from string import Template

import msgspec

from fanout.contracts.order_processing import OrderSubmitted
from fanout.mail import Mail
from fanout.money import money

_FOLDER = Path(__file__).parent / "mail_templates"
_FALLBACK = "en"


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


class OrderMail(Mail, frozen=True, kw_only=True):
    """The mail, ready to be sent."""

    locale: str
    """The one it is written in."""


def render(order: OrderSubmitted) -> OrderMail:
    """Return the mail about an order, in the customer's locale, else in its language, else in English."""
    tag = order.customer.locale
    written_in = next(each for each in (tag, tag.split("-", maxsplit=1)[0], _FALLBACK) if each in _locales())
    words = _words(written_in)
    facts = {
        "order": order.order_id,
        "total": money(order.total, order.currency, words.decimal_sign),
        "parcels": str(len(order.parcels)),
    }
    opening = [_filled(text, facts) for text in words.opening]
    lines = [
        _filled(
            words.line,
            {
                "quantity": str(line.quantity),
                "article": " ".join(line.description.split()) or line.sku,
                "price": money(line.quantity * line.unit_price, order.currency, words.decimal_sign),
            },
        )
        for line in order.lines
    ]
    total = _filled(words.total, facts)
    parcels = _filled(words.parcels_one if len(order.parcels) == 1 else words.parcels_many, facts)
    subject = _filled(words.subject, facts)
    return OrderMail(
        locale=written_in,
        subject=subject,
        text="\n\n".join([*opening, "\n".join([*lines, total]), parcels, words.closing]) + "\n",
        html=_layout().substitute(
            lang=written_in,
            title=html.escape(subject),
            opening="\n".join(f"    <p>{html.escape(text)}</p>" for text in opening),
            lines="\n".join(f"      <li>{html.escape(text)}</li>" for text in lines),
            total=html.escape(total),
            parcels=html.escape(parcels),
            closing=html.escape(words.closing),
        ),
    )


def _filled(text: str, facts: dict[str, str]) -> str:
    return Template(text).substitute(facts)


@cache
def _locales() -> frozenset[str]:
    return frozenset(file.stem for file in _FOLDER.glob("*.json"))


@cache
def _words(locale: str) -> _Words:
    return msgspec.json.decode((_FOLDER / f"{locale}.json").read_bytes(), type=_Words)


@cache
def _layout() -> Template:
    return Template((_FOLDER / "layout.html").read_text("utf-8"))
