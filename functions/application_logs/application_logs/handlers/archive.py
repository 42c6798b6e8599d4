"""The archive: every log entry, as gzip JSON Lines in S3, one object per partition and batch."""

from functools import cache

from application_logs.domain import archive_layout
from application_logs.settings import ArchiveSettings
from fanout import Event, aws, batch_subscriber, settings
from fanout.contracts.application_logs import LogEntry

aws.prepare("s3")


@cache
def _bucket() -> str:
    return settings.load(ArchiveSettings).archive_bucket


@batch_subscriber(LogEntry)
def handler(events: list[Event[LogEntry]]) -> None:
    """Write the batch. If one object cannot be written, all of it is redelivered: lines are stored at least once."""
    for partition, entries in archive_layout.split(events).items():
        aws.client("s3").put_object(
            Bucket=_bucket(),
            Key=f"{partition}/{archive_layout.object_name(entries)}",
            Body=archive_layout.pack(entries),
            ContentType="application/gzip",
        )
