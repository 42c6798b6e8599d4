"""application_logs: every entry is in the archive, and warnings and errors are counted."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from fanout_cli.demo.definition import Event, UseCaseDemo


class Demo(UseCaseDemo):
    """Each entry has its own service, so that its archive folder and counters are new."""

    def fresh(self, event: Event, run: str) -> Event:
        """Return the entry with a new service."""
        return self.with_data(event, service=f"{event['data']['service']}-{run}")

    def effect(self, event: Event, subscriber: str) -> str:
        """Return where the entry is in the archive, or its count in the monitor's table."""
        return self._archived(event) if subscriber == "archive" else self._counted(event)

    def _archived(self, event: Event) -> str:
        bucket = self.setting("archive", "ARCHIVE_BUCKET")
        at = datetime.fromisoformat(event["time"]).astimezone(UTC)
        folder = f"logs/service={quote(event['data']['service'], safe='')}/dt={at:%Y-%m-%d}/hour={at:%H}/"
        for key in self._keys(bucket, folder):
            body = self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
            if any(f'"id":"{event["id"]}"'.encode() in line for line in gzip.decompress(body).splitlines()):
                return f"the archive holds the {event['data']['level']} entry in {key}"
        return ""

    def _keys(self, bucket: str, prefix: str) -> Iterator[str]:
        pages: Any = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return (found["Key"] for page in pages for found in page.get("Contents", []))

    def _counted(self, event: Event) -> str:
        service, level = event["data"]["service"], event["data"]["level"]
        minute = f"{datetime.fromisoformat(event['time']).astimezone(UTC):%Y-%m-%dT%H:%MZ}"
        table = self.setting("monitor", "MONITOR_TABLE")
        item = self.item(table, pk=f"service#{service}", sk=f"minute#{minute}")
        kind = "warnings" if level == "WARNING" else "errors"
        if item is None or item[kind] != 1:
            return ""
        return f"the monitor has counted 1 of the {kind} of {service} at {minute}"
