"""The environment variables of the functions of application_logs."""

import msgspec


class MonitorSettings(msgspec.Struct, frozen=True):
    """Environment variables of monitor."""

    monitor_table: str
    alert_topic_arn: str = ""
    """Empty: errors are counted without alerts."""
    alert_threshold: int = 10
    alert_window_seconds: int = 300
    alert_runbook_url: str = ""


class ArchiveSettings(msgspec.Struct, frozen=True):
    """Environment variables of archive."""

    archive_bucket: str


class IngestSettings(msgspec.Struct, frozen=True):
    """Environment variables of ingest."""

    application_logs_topic_arn: str
    aws_region: str
    aws_lambda_log_group_name: str = ""
    """The log group of this function. Lambda sets it, like the Region."""
