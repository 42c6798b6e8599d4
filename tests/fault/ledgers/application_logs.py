"""Every entry is in the archive, and warnings and errors are counted once."""

import gzip
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from fanout_cli.demo.definition import Event
from tests.fault import ledger

_THREADS = 8


class Ledger(ledger.Ledger):
    """Counts in the monitor's table, and reads the whole archive."""

    def times(self, event: Event, subscriber: str) -> int:
        """The count of a service that logged once; whether a reader of the archive gets the entry."""
        if subscriber == "archive":
            # Lines are kept at least once; whoever reads the archive keeps the first of each (source, id).
            return int((event["source"], event["id"]) in self._archived)
        kind = "warnings" if event["data"]["level"] == "WARNING" else "errors"
        return self._counted[f"service#{event['data']['service']}", kind]

    @cached_property
    def _counted(self) -> Counter[tuple[str, str]]:
        found: Counter[tuple[str, str]] = Counter()
        for item in self.rows("monitor", "MONITOR_TABLE"):
            if item["sk"].startswith("minute#"):
                for kind in ("warnings", "errors"):
                    found[item["pk"], kind] += int(item.get(kind, 0))
        return found

    @cached_property
    def _archived(self) -> set[tuple[str, str]]:
        bucket, s3 = self.demo.setting("archive", "ARCHIVE_BUCKET"), self.stores.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="logs/")
        keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        with ThreadPoolExecutor(_THREADS) as pool:
            bodies = pool.map(lambda key: s3.get_object(Bucket=bucket, Key=key)["Body"].read(), keys)
            lines = [json.loads(line) for body in bodies for line in gzip.decompress(body).splitlines()]
        return {(line["source"], line["id"]) for line in lines}
