"""Joins a chain with its bucket by event, and says what is not as it was recorded."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from fanout_cli.audit.chain import ChainWalk
from fanout_cli.audit.findings import Finding, Kind, Verdict, Where
from fanout_cli.audit.trail import Entry, Head, Stores, Version, sha256

# Documents that are read from the bucket at one time.
_WINDOW = 64

Progress = Callable[[int, int], None]
"""(entries done, entries there should be)"""


def verify(tenant: str, stores: Stores, progress: Progress, passes_through: Head | None = None) -> Verdict:
    """Return the verdict on a tenant's trail. At most one window of documents is in memory at a time.

    passes_through: an entry that an earlier verification ended in; without it, who can write to the whole table can
    rewrite the chain. Raises what the stores raise.
    """
    return _Verification(tenant, stores, progress, passes_through).run()


class _Verification:
    def __init__(self, tenant: str, stores: Stores, progress: Progress, passes_through: Head | None) -> None:
        self._tenant = tenant
        self._stores = stores
        self._progress = progress
        # First the head, then the bucket, then the chain: what is recorded meanwhile is missed by the former and
        # seen by the latter, and is looked up once more before it is said to be missing.
        self._head = stores.head()
        self._chain = ChainWalk(tenant, self._head, passes_through)
        self._findings: list[Finding] = []
        self._joined: set[str] = set()
        self._unmatched: dict[str, list[Version]] = defaultdict(list)

    def run(self) -> Verdict:
        self._progress(0, self._head.sequence)
        preserved = 0
        for version in self._stores.versions():
            self._unmatched[version.name].append(version)
            preserved += not version.is_marker
        entries = self._chain.verify(self._stores.items())
        while window := list(islice(entries, _WINDOW)):
            self._join(window)
            self._progress(self._chain.entries, max(self._head.sequence, self._chain.entries))
        after = self._stores.head()
        self._chain.finish(after)
        self._judge_unmatched()
        found = sorted([*self._chain.findings, *self._findings], key=lambda finding: finding.order)
        return Verdict(self._tenant, self._chain.entries, preserved, after, found)

    def _join(self, window: list[tuple[int, Entry, bool]]) -> None:
        """Compare entries with their preserved documents."""
        to_read: list[tuple[int, Entry, Version]] = []
        for place, entry, is_true in window:
            versions = self._unmatched.pop(entry.name, []) or self._stores.versions_of(entry.name)
            if not is_true:
                continue  # reported already, and its document has been seen
            if entry.name in self._joined:
                self._find("added", place, entry, "the event has an entry in the chain already", where="chain")
                continue
            self._joined.add(entry.name)
            documents = [version for version in versions if not version.is_marker]
            for version in versions:
                if version.is_marker:
                    self._find("delete-marker", place, entry, self._named(version))
            for version in documents[:-1]:
                self._find("later-version", place, entry, self._named(version))
            if documents:
                to_read.append((place, entry, documents[-1]))
            else:
                self._find_unpreserved(place, entry)
        read = self._stores.read([version for _, _, version in to_read])
        for (place, entry, version), document in zip(to_read, read, strict=True):
            if sha256(document) != entry.document_sha256:
                detail = f"the preserved document is not the recorded one: {self._named(version)}"
                self._find("altered", place, entry, detail)

    def _find_unpreserved(self, place: int, entry: Entry) -> None:
        if self._stores.place(entry.name) is None:
            self._find("added", place, entry, "record never recorded it, and nothing is preserved", where="chain")
        else:
            detail = "no document is preserved; if it has just been recorded, preserve may still be at work"
            self._find("missing", place, entry, detail)

    def _judge_unmatched(self) -> None:
        """Say what documents mean that no entry is about."""
        for name, versions in self._unmatched.items():
            documents = [version for version in versions if not version.is_marker]
            source, event_id = self._event_in(documents[-1]) if documents else (None, None)
            place = self._stores.place(name)
            key = self._stores.key(name)
            if place is None:
                detail = f"nothing of it was recorded, or record is still at work: {key}"
                self._findings.append(Finding("added", "bucket", None, detail, source, event_id))
            elif self._is_gap(place):
                self._tell_gap(place, source, event_id)
            elif place <= self._chain.last.sequence and place not in self._chain.broken:
                detail = f"another event's entry stands in its place; its document is {key}"
                self._findings.append(Finding("missing", "chain", place, detail, source, event_id))
            elif place > max(self._chain.last.sequence, self._stores.head().sequence):
                detail = f"the chain ends before it; its document is {key}"
                self._findings.append(Finding("missing", "chain", place, detail, source, event_id))

    def _is_gap(self, place: int) -> bool:
        return any(first <= place <= last for first, last in self._chain.gaps)

    def _tell_gap(self, place: int, source: str | None, event_id: str | None) -> None:
        """Say whose entry is missing, where the finding is about that very place."""
        findings = self._chain.findings
        for number, finding in enumerate(findings):
            if finding.kind == "missing" and finding.sequence == place and source and event_id:
                findings[number] = finding.about(source, event_id)

    def _event_in(self, version: Version) -> tuple[str | None, str | None]:
        [document] = self._stores.read([version])
        try:
            event: Mapping[str, Any] = json.loads(document)["event"]
            return str(event["source"]), str(event["id"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return None, None

    def _named(self, version: Version) -> str:
        return f"version {version.version_id} of {self._stores.key(version.name)}"

    def _find(self, kind: Kind, place: int, entry: Entry, detail: str, where: Where = "bucket") -> None:
        self._findings.append(Finding(kind, where, place, detail, entry.source, entry.id))
