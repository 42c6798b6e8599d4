"""The environment variables of the functions of order_workflow."""

from typing import Annotated

import msgspec

from fanout import settings


class TopicSettings(msgspec.Struct, frozen=True):
    """Environment variables of the functions that publish."""

    new_order_topic_arn: str


class OrderSettings(msgspec.Struct, frozen=True):
    """Environment variables of workflow and deadlines."""

    order_table: str
    order_deadline_seconds: Annotated[int, msgspec.Meta(ge=1)] = 900
    """How long an order may wait for payment and stock, counted from when the workflow recorded it."""


class PaymentSettings(msgspec.Struct, frozen=True):
    """Environment variables of payment."""

    payment_table: str
    payment_provider_secret_arn: str = ""
    """The secret with the provider's URL and key; empty: the sandbox provider."""
    payment_provider_on_loopback: bool = False
    """Whether a provider on this machine may be called without TLS."""


class StockSettings(msgspec.Struct, frozen=True):
    """Environment variables of inventory."""

    stock_table: str


class NotificationSettings(msgspec.Struct, frozen=True):
    """Environment variables of notification."""

    notification_table: str
    sender_address: str
    configuration_set: str = ""
    """SES's configuration set; empty: none."""


topic = settings.cached(TopicSettings)
orders = settings.cached(OrderSettings)
payment = settings.cached(PaymentSettings)
stock = settings.cached(StockSettings)
notification = settings.cached(NotificationSettings)
