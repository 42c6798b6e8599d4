"""The environment variables of the functions of system_alerts."""

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
    """Environment variables for CloudWatch's alarms."""

    own_stack: str = ""
    """This stack's name, the prefix of the names of its own alarms."""
    alarm_severity: Severity = "HIGH"
    """The severity of an alarm whose description names none."""


class ChannelSettings(msgspec.Struct, frozen=True):
    """Environment variables of chat and pager."""

    channel_table: str
    webhook_secret_arn: str
    stage: str = "prod"
    """Only on "local" may a webhook be on this machine, without TLS."""


dispatch = settings.cached(DispatchSettings)
alarms = settings.cached(AlarmSettings)
channel = settings.cached(ChannelSettings)
