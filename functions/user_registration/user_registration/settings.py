"""Environment variables of the subscribers of user_registration, one class per group of functions."""

import msgspec

from fanout import settings


class HashSettings(msgspec.Struct, frozen=True):
    """Environment variables of every subscriber: all of them store addresses as keyed hashes only."""

    email_hash_key_secret_arn: str


class MailSettings(msgspec.Struct, frozen=True):
    """Environment variables of the functions that use the mail table."""

    mail_table: str


class SenderSettings(msgspec.Struct, frozen=True):
    """Environment variables of notify_service."""

    sender_address: str
    configuration_set: str = ""
    """SES's configuration set; without one, SES reports no bounces and complaints."""
    product_name: str = "Fanout"
    """The product's name in the welcome mail."""


class AnalyticsSettings(msgspec.Struct, frozen=True):
    """Environment variables of analytics_service."""

    analytics_table: str


hashing = settings.cached(HashSettings)
mail = settings.cached(MailSettings)
sender = settings.cached(SenderSettings)
analytics = settings.cached(AnalyticsSettings)
