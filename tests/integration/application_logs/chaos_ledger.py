"""Every entry is in the archive, and warnings and errors are counted once."""

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cached_property

from fanout_cli.demo.definition import Event
from tests.chaos import ledger

_THREADS = 8


class Ledger(ledger.Ledger):
    """Counts in the monitor's table, and reads the whole archive."""

    def times(self, event: Event, subscriber: str) -> int:
        """The count of a service that logged once, in its minute; whether the archive's folder of the hour has it."""
        at = datetime.fromisoformat(event["time"]).astimezone(UTC)
        if subscriber == "archive":
            # Lines are stored at least once; a reader of the archive keeps the first of each (source, id).
            return int((f"dt={at:%Y-%m-%d}/hour={at:%H}", event["source"], event["id"]) in self._archived)
        kind = "warnings" if event["data"]["level"] == "WARNING" else "errors"
        minutes = self._counted.get((f"service#{event['data']['service']}", kind), {})
        return sum(minutes.values()) if minutes.get(f"minute#{at:%Y-%m-%dT%H:%MZ}") else 0

    @cached_property
    def _counted(self) -> dict[tuple[str, str], dict[str, int]]:
        found: dict[tuple[str, str], dict[str, int]] = {}
        for item in self.rows("monitor", "MONITOR_TABLE"):
            if item["sk"].startswith("minute#"):
                for kind in ("warnings", "errors"):
                    found.setdefault((item["pk"], kind), {})[item["sk"]] = int(item.get(kind, 0))
        return found

    @cached_property
    def _archived(self) -> set[tuple[str, str, str]]:
        bucket, s3 = self.demo.setting("archive", "ARCHIVE_BUCKET"), self.stores.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="logs/")
        keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        with ThreadPoolExecutor(_THREADS) as pool:
            bodies = list(pool.map(lambda key: s3.get_object(Bucket=bucket, Key=key)["Body"].read(), keys))
        found = set()
        for key, body in zip(keys, bodies, strict=True):
            hour = "/".join(key.split("/")[2:4])
            lines = [json.loads(line) for line in gzip.decompress(body).splitlines()]
            found |= {(hour, line["source"], line["id"]) for line in lines}
        return found
