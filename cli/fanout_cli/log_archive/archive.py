"""Reads the archive of application_logs: gzip JSON Lines objects in S3, each line one event.

The layout is that of functions/application_logs/application_logs/domain/archive_layout.py:
logs/service=<service>/dt=<day>/hour=<hour>/<name>,
by the time of the entry, in UTC. Objects are written at least once; readers keep the first of each (source, id).
"""

import gzip
import json
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from fanout.identity import identity
from fanout_cli.errors import UserError
from fanout_cli.stack.topology import Topology
from fanout_cli.times import parse_time

_FOLDER = "logs/"
_PARTITION = re.compile(r"^logs/service=[^/]+/dt=(?P<day>\d{4}-\d{2}-\d{2})/hour=(?P<hour>\d{2})/")
_THREADS = 8

Event = dict[str, Any]


@dataclass(frozen=True)
class Selection:
    """Which entries: of one service or all, logged at or after `start` and before `end`."""

    service: str | None = None
    start: datetime | None = None
    end: datetime | None = None

    def covers(self, at: datetime) -> bool:
        """Return whether an entry of that time is wanted."""
        return (self.start is None or at >= self.start) and (self.end is None or at < self.end)

    def covers_hour(self, hour: datetime) -> bool:
        """Return whether the hour that begins then may hold a wanted entry."""
        return (self.start is None or hour + timedelta(hours=1) > self.start) and (self.end is None or hour < self.end)


class Archive:
    """The archive of a deployed application_logs."""

    def __init__(self, client: Callable[[str], Any], topology: Topology) -> None:
        archive = topology.subscribers.get("application_logs/archive")
        bucket = archive.environment.get("ARCHIVE_BUCKET") if archive else None
        if not bucket:
            raise UserError(
                f"application_logs is not deployed in stack {topology.stack_name}",
                "Deploy it: fanout up locally, sam deploy on AWS.",
            )
        self.bucket = bucket
        self._s3 = client("s3")

    def read(self, selection: Selection, problem: Callable[[str], None]) -> Iterator[Event]:
        """Return the wanted entries, each (source, id) once, by time.

        problem: called for every object and line that cannot be read; the rest is returned.
        """
        hours: dict[datetime, list[str]] = defaultdict(list)
        for key in self._keys(selection):
            if hour := _hour(key):
                hours[hour].append(key)
        seen: set[str] = set()
        with ThreadPoolExecutor(_THREADS) as pool:
            for hour in sorted(hours):
                lines = pool.map(lambda key: (key, self._lines(key, problem)), hours[hour])
                entries = [entry for key, read in lines for entry in _parse(key, read, problem)]
                for at, name, event in sorted(entries, key=lambda entry: entry[:2]):
                    if selection.covers(at) and name not in seen:
                        seen.add(name)
                        yield event

    def _keys(self, selection: Selection) -> Iterator[str]:
        """Yield the objects of all hours that may hold a wanted entry."""
        prefixes = [f"{_FOLDER}service={quote(selection.service, safe='')}/"] if selection.service else self._services()
        for prefix in prefixes:
            # Keys are listed in order, and a day's keys sort by the day: earlier days are skipped unlisted.
            start = {"StartAfter": f"{prefix}dt={selection.start.astimezone(UTC):%Y-%m-%d}"} if selection.start else {}
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix, **start):
                keys = [each["Key"] for each in page.get("Contents", [])]
                wanted = [key for key in keys if (hour := _hour(key)) and selection.covers_hour(hour)]
                yield from wanted
                if keys and selection.end and (last := _hour(keys[-1])) and last >= selection.end:
                    break

    def _services(self) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=_FOLDER, Delimiter="/")
        return [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])]

    def _lines(self, key: str, problem: Callable[[str], None]) -> list[bytes]:
        body = self._s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        try:
            return gzip.decompress(body).splitlines()
        except (OSError, EOFError, zlib.error) as error:
            problem(f"s3://{self.bucket}/{key} is not a gzip file: {error}")
            return []


def _hour(key: str) -> datetime | None:
    found = _PARTITION.match(key)
    return datetime.fromisoformat(f"{found['day']}T{found['hour']}:00:00+00:00") if found else None


def _parse(key: str, lines: list[bytes], problem: Callable[[str], None]) -> Iterator[tuple[datetime, str, Event]]:
    """Yield the events of an object with what they are ordered by: their time, then their identity."""
    for number, line in enumerate(lines, 1):
        try:
            event = json.loads(line)
            at = parse_time(event["time"])
            name = identity(event["source"], event["id"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            at = None
        if at is None:
            problem(f"{key}, line {number}: no archived event")
        else:
            yield at, name, event
