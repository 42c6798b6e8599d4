"""Environment variables of the functions of order_processing, one class per group of settings."""

import msgspec

from fanout import settings


class PaymentSettings(msgspec.Struct, frozen=True):
    """Environment variables of payment."""

    payment_table: str
    payment_provider_secret_arn: str = ""
    """The secret with the provider's URL and key; empty: the sandbox provider."""
    payment_provider_on_loopback: bool = False
    """Whether the provider may be plain HTTP on this machine: local stage only."""


class LabelSettings(msgspec.Struct, frozen=True):
    """Environment variables of shipping for the labels."""

    label_table: str


class TariffSettings(msgspec.Struct, frozen=True):
    """Environment variables of shipping for the choice of a service."""

    origin_country: str = "DE"
    """Where parcels are sent from, an ISO 3166-1 alpha-2 code."""


class NotificationSettings(msgspec.Struct, frozen=True):
    """Environment variables of customer_notification."""

    notification_table: str
    sender_address: str
    configuration_set: str = ""
    """SES's configuration set; empty: none."""


payment = settings.cached(PaymentSettings)
labels = settings.cached(LabelSettings)
tariff = settings.cached(TariffSettings)
notification = settings.cached(NotificationSettings)
