"""Environment variables of the functions of order_processing, one class per group of settings."""

from functools import cache

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


@cache
def payment() -> PaymentSettings:
    """Return the settings; like all below raises SettingsError naming what is missing."""
    return settings.load(PaymentSettings)


@cache
def labels() -> LabelSettings:
    """Return the settings."""
    return settings.load(LabelSettings)


@cache
def tariff() -> TariffSettings:
    """Return the settings."""
    return settings.load(TariffSettings)


@cache
def notification() -> NotificationSettings:
    """Return the settings."""
    return settings.load(NotificationSettings)
