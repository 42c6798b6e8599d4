"""Trails made by hand, after the words of usecases/audit_logs/README.md, and stores that hold them in memory."""

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fanout_cli.audit.trail import NO_HEAD, Head, Version

TENANT = "acme"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def canonical(value: Any) -> str:
    """RFC 8785 for what these trails hold: ASCII keys, text, small integers."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def name(event_id: str) -> str:
    return sha256(canonical(["urn:test", event_id]))


def entry(sequence: int, event_id: str, previous: str, body: str) -> dict[str, Any]:
    """An entry that record would have written."""
    link = {
        "format": "fanout-audit-1",
        "tenant": TENANT,
        "sequence": sequence,
        "recorded_at": f"2026-11-22T12:00:{sequence % 60:02}.000Z",
        "source": "urn:test",
        "id": event_id,
        "document_sha256": sha256(body),
        "previous": previous,
    }
    return {**link, "hash": sha256(canonical(link)), "body": body}


def key(sequence: int) -> str:
    return f"entry#{sequence:020}"


class MemoryStores:
    """One tenant's chain and bucket. Tests change what is in them as a tamperer would."""

    def __init__(self, number: int) -> None:
        self.chain: dict[str, dict[str, Any]] = {}
        self.end = NO_HEAD
        self.markers: dict[str, int] = {}
        self.bucket: dict[str, list[tuple[str, bytes | None]]] = {}
        """By name: (version id, content), the newest first; no content: a delete marker."""
        for sequence in range(1, number + 1):
            self.record(f"e{sequence}")
            self.preserve(f"e{sequence}")

    @staticmethod
    def document(event_id: str) -> str:
        """What is kept of an event."""
        data = {"tenant": TENANT, "action": f"did.{event_id}"}
        return canonical({"event": {"id": event_id, "source": "urn:test", "data": data}, "masked": []})

    def record(self, event_id: str) -> None:
        """What record does."""
        made = entry(self.end.sequence + 1, event_id, self.end.hash, self.document(event_id))
        self.end = Head(made["sequence"], made["hash"])
        self.chain[key(made["sequence"])] = made
        self.markers[name(event_id)] = made["sequence"]

    def preserve(self, event_id: str) -> None:
        """What preserve does."""
        self.bucket[name(event_id)] = [("v1", self.document(event_id).encode())]

    def rewrite(self, first: int) -> None:
        """Give every entry from there on the number, the link and the hash that fit, and the head too."""
        items = [self.chain.pop(each) for each in sorted(self.chain)]
        previous, self.chain = NO_HEAD.hash, {}
        for sequence, item in enumerate(items, 1):
            made = entry(sequence, item["id"], previous, item["body"]) if sequence >= first else item
            self.chain[key(sequence)], previous = made, made["hash"]
        self.end = Head(len(items), previous)

    def head(self) -> Head:
        return self.end

    def items(self) -> Iterator[Mapping[str, Any]]:
        for sort_key in sorted(self.chain):
            yield {"pk": f"chain#{TENANT}", "sk": sort_key, **copy.deepcopy(self.chain[sort_key])}

    def place(self, name: str) -> int | None:
        return self.markers.get(name)

    def key(self, name: str) -> str:
        return f"documents/{TENANT}/{name}.json"

    def versions(self) -> Iterator[Version]:
        for each in sorted(self.bucket):
            yield from self.versions_of(each)

    def versions_of(self, name: str) -> list[Version]:
        return [Version(name, version_id, content is None) for version_id, content in self.bucket.get(name, [])]

    def read(self, versions: Sequence[Version]) -> list[bytes]:
        return [dict(self.bucket[version.name])[version.version_id] or b"" for version in versions]
