"""Walks a hash chain and says what in it is not as it was recorded."""

from collections.abc import Iterator, Mapping
from typing import Any

from fanout_cli.audit.findings import Finding, Kind
from fanout_cli.audit.trail import BEFORE_THE_FIRST, NO_HEAD, Entry, Head, entry_from, place_of

# Who was put in whose place is found by trying: so many broken entries are tried with one another.
_MOST_COMPARED = 200


class ChainWalk:
    """One walk along a chain, entry by entry. Afterwards it knows what was wrong."""

    def __init__(self, tenant: str, passes_through: Head | None = None) -> None:
        self.findings: list[Finding] = []
        self.entries = 0
        self.last = Head(0, BEFORE_THE_FIRST)
        self.gaps: list[tuple[int, int]] = []
        """First and last of entries that are not there."""
        self.broken: dict[int, Entry | None] = {}
        """What stands in places where something else should; None where it cannot even be read."""
        self._tenant = tenant
        self._previous: Entry | None = None
        self._known = passes_through

    def walk(self, items: Iterator[Mapping[str, Any]]) -> Iterator[tuple[int, Entry, bool]]:
        """Yield (place, entry, whether it is what was recorded there) for every entry that can be read."""
        for item in items:
            place = place_of(str(item.get("sk", "")))
            if place is None or place < 1:
                self._find("added", None, f"nothing that record writes has the key {item.get('sk')!r}")
                continue
            self.entries += 1
            follows_directly = place == self.last.sequence + 1
            if not follows_directly:
                self._miss(self.last.sequence + 1, place - 1)
            entry = entry_from(item)
            is_true = entry is not None and self._judge(place, entry, follows_directly)
            if not is_true:
                self.broken[place] = entry
            self._previous = entry
            self.last = Head(place, entry.hash if entry else "")
            if entry is not None:
                yield place, entry, is_true

    def finish(self, before: Head, after: Head) -> None:
        """Compare where the walk ended with the chain's head, as it was before the walk and after it."""
        if after == NO_HEAD and self.last.sequence:
            self._find("missing", None, "the chain's head is not there, so nobody can tell where the chain ended")
        elif self.last.sequence < before.sequence:
            self._miss(self.last.sequence + 1, before.sequence)
        else:
            for place in range(after.sequence + 1, self.last.sequence + 1):
                self._doubt(place, "added", "the chain's head stands before it")
            for head in (before, after):
                if head.sequence == self.last.sequence and head.hash != self.last.hash:
                    self._doubt(head.sequence, "altered", "the chain's head holds another hash for it")
        if self._known is not None and self._known.sequence > self.last.sequence:
            self._find("missing", self._known.sequence, "the chain no longer reaches it")
        self._name_broken()

    def _judge(self, place: int, entry: Entry, follows_directly: bool) -> bool:
        """Tell whether the entry is what was recorded in its place."""
        if self._known and place == self._known.sequence and entry.hash != self._known.hash:
            self._find("altered", place, "its hash is not the one given: the chain was written anew", entry)
        if entry.sequence != place or entry.tenant != self._tenant:
            return False
        if entry.digest != entry.document_sha256 or entry.linked() != entry.hash:
            return False
        expected = self._previous.hash if self._previous else BEFORE_THE_FIRST
        before_is_true = self.last.sequence not in self.broken
        if follows_directly and before_is_true and entry.previous != expected:
            if self._previous is None:
                self._find("altered", place, "the first entry does not begin the chain", entry)
                return False
            # Both are sound by themselves. The later one was linked to what stood there when it was recorded.
            self.broken[place - 1] = None
            self._find("altered", place - 1, "the next entry was linked to another one in its place", self._previous)
        return True

    def _name_broken(self) -> None:
        """Find out of each broken place whether its entry stands elsewhere, or was changed."""
        readable = {place: entry for place, entry in self.broken.items() if entry}
        compared = dict(list(readable.items())[:_MOST_COMPARED])
        named = {finding.sequence for finding in self.findings if finding.kind in {"altered", "added"}}
        for place in sorted(self.broken.keys() - named):
            entry = self.broken[place]
            if entry is None:
                self._find("altered", place, "it lacks what every entry has, or has it in another form")
                continue
            elsewhere = next((other for other in compared if other != place and _moved(place, other, compared)), None)
            if elsewhere is None:
                self._find("altered", place, _what_changed(place, entry), entry)
            else:
                self._find("reordered", place, f"what stands there was recorded as entry {elsewhere}", entry)

    def _miss(self, first: int, last: int) -> None:
        self.gaps.append((first, last))
        more = f"; nor are those up to {last}" if last > first else ""
        self._find("missing", first, f"it is not in the chain{more}")

    def _doubt(self, place: int, kind: Kind, detail: str) -> None:
        """Say what is wrong with an entry that is sound by itself, unless something was said already."""
        if place not in self.broken:
            self.broken[place] = None
            self._find(kind, place, detail)

    def _find(self, kind: Kind, place: int | None, detail: str, entry: Entry | None = None) -> None:
        finding = Finding(kind, "chain", place, detail)
        self.findings.append(finding.about(entry.source, entry.id) if entry else finding)


def _moved(place: int, other: int, entries: Mapping[int, Entry]) -> bool:
    """Whether what stands in `place` was recorded as entry `other`: whole, or only what it says."""
    if place not in entries:
        return False
    here, there = entries[place], entries[other]
    if here.hash == here.linked(sequence=other):
        return True
    content = {"source": here.source, "id": here.id, "document_sha256": here.digest}
    if there.hash in {there.linked(**content), there.linked(**content, recorded_at=here.recorded_at)}:
        return True
    # Only the documents changed places: each link still says whose it was.
    return there.hash == there.linked(document_sha256=here.digest) != there.linked(document_sha256=there.digest)


def _what_changed(place: int, entry: Entry) -> str:
    if entry.sequence != place:
        return f"it calls itself entry {entry.sequence}"
    if entry.digest != entry.document_sha256:
        return "its document does not have the hash that was recorded"
    return "its fields do not give the hash that was recorded"
