"""What the template gives the functions of system_alerts, to each what it needs."""

from functools import cache

import msgspec

from fanout import settings
from fanout.contracts.system_alerts import Severity


class DispatchSettings(msgspec.Struct, frozen=True):
    """Environment variables of dispatch."""

    alert_table: str
    notifications_topic_arn: str
    notification_window_seconds: int = 300
    storm_threshold: int = 20


class AlarmSettings(msgspec.Struct, frozen=True):
    """Environment variables that say what to make of CloudWatch's alarms."""

    own_stack: str = ""
    """This stack's name, which the names of its own alarms begin with."""
    alarm_severity: Severity = "HIGH"
    """Of an alarm whose description names none."""


class ChannelSettings(msgspec.Struct, frozen=True):
    """Environment variables of chat and pager."""

    channel_table: str
    webhook_secret_arn: str
    stage: str = "prod"
    """On "local", and nowhere else, a webhook may be on this very machine, without TLS."""


@cache
def dispatch() -> DispatchSettings:
    """Return the settings; like the others raises SettingsError naming what is missing."""
    return settings.load(DispatchSettings)


@cache
def alarms() -> AlarmSettings:
    """Return the settings."""
    return settings.load(AlarmSettings)


@cache
def channel() -> ChannelSettings:
    """Return the settings."""
    return settings.load(ChannelSettings)
