"""What a verification finds."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from fanout_cli.audit.trail import Head

Kind = Literal["altered", "missing", "added", "reordered", "delete-marker", "later-version", "unlocked"]
Where = Literal["chain", "bucket"]

_BEHIND_ALL = 10**20


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was recorded."""

    kind: Kind
    where: Where
    sequence: int | None
    """The entry's place in the chain; None for what has none."""
    detail: str
    source: str | None = None
    event_id: str | None = None

    @property
    def order(self) -> int:
        """What comes first: the bucket as a whole, then by place in the chain, then what has none."""
        if self.kind == "unlocked":
            return 0
        return _BEHIND_ALL if self.sequence is None else self.sequence

    def about(self, source: str, event_id: str) -> "Finding":
        """Return the same, with the event it is about."""
        return replace(self, source=source, event_id=event_id)

    @property
    def text(self) -> str:
        """One sentence for a person."""
        if self.kind == "unlocked":
            return self.detail
        what = f"entry {self.sequence}" if self.sequence is not None else "an entry"
        event = f" (event {self.event_id} of {self.source})" if self.event_id else ""
        return f"{what} {_SAID[self.kind]}{event}: {self.detail}"

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "kind": self.kind,
            "where": self.where,
            "sequence": self.sequence,
            "source": self.source,
            "event_id": self.event_id,
            "detail": self.detail,
        }


_SAID = {
    "altered": "was altered",
    "missing": "is missing",
    "added": "was added",
    "reordered": "was reordered",
    "delete-marker": "is hidden by a delete marker",
    "later-version": "has a later version",
}


@dataclass(frozen=True)
class Verdict:
    """What a whole trail came to."""

    tenant: str
    entries: int
    preserved: int
    head: Head
    findings: list[Finding]
    """The first is the first in the chain."""

    @property
    def ok(self) -> bool:
        """Whether everything is as it was recorded."""
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "tenant": self.tenant,
            "ok": self.ok,
            "entries": self.entries,
            "preserved": self.preserved,
            "head": {"sequence": self.head.sequence, "hash": self.head.hash},
            "first": self.findings[0].to_json() if self.findings else None,
            "findings": [finding.to_json() for finding in self.findings],
        }
