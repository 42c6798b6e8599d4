"""Verify a hash chain: find the entries that are not as they were recorded."""

from collections.abc import Iterator, Mapping
from typing import Any

from fanout_cli.audit.findings import Finding, Kind
from fanout_cli.audit.trail import BEFORE_THE_FIRST, NO_HEAD, Entry, Head, entry_from, place_of

# Swapped entries are found by trying: at most this many broken entries are tried with one another.
_MOST_COMPARED = 200


class ChainWalk:
    """One pass over a chain, entry by entry, that collects its findings."""

    def __init__(self, tenant: str, head: Head, passes_through: Head | None = None) -> None:
        """head: the chain's head before the pass. passes_through: an entry that an earlier verification saw."""
        self.findings: list[Finding] = []
        self.entries = 0
        self.last = Head(0, BEFORE_THE_FIRST)
        """The entry that was met last."""
        self.gaps: list[tuple[int, int]] = []
        """First and last of entries that are not there."""
        self.broken: dict[int, Entry | None] = {}
        """What stands in places where something else should; None where it cannot even be read."""
        self._tenant = tenant
        self._head = head
        self._known = passes_through
        self._previous: Entry | None = None
        self._end: dict[int, Entry | None] = {}
        """What stands in the head's place and in those behind it."""

    def verify(self, items: Iterator[Mapping[str, Any]]) -> Iterator[tuple[int, Entry, bool]]:
        """Yield (place, entry, whether it is what was recorded there) for every entry that can be read."""
        for item in items:
            place = place_of(str(item.get("sk", "")))
            if place is None or place < 1:
                self._find("added", None, f"nothing that record writes has the key {item.get('sk')!r}")
                continue
            self.entries += 1
            if place > self.last.sequence + 1:
                self.gaps.append((self.last.sequence + 1, place - 1))
            entry = entry_from(item)
            is_true = entry is not None and self._judge(place, entry)
            if not is_true:
                self.broken[place] = entry
            if place >= self._head.sequence:
                self._end[place] = entry
            self._previous = entry
            self.last = Head(place, entry.hash if entry else "")
            if entry is not None:
                yield place, entry, is_true

    def finish(self, head: Head) -> None:
        """Complete the findings at the end of the chain. head: the chain's head as it is after the pass."""
        if self.last.sequence < self._head.sequence:
            self.gaps.append((self.last.sequence + 1, self._head.sequence))
        if head == NO_HEAD and self.entries:
            self._find("missing", None, "the chain's head is missing, so the end of the chain is unknown")
        else:
            self._compare_end(head)
        for first, last in self.gaps:
            more = f"; nor are those up to {last}" if last > first else ""
            self._find("missing", first, f"it is not in the chain{more}")
        if self._known is not None and self._known.sequence > self.last.sequence:
            self._find("missing", self._known.sequence, "the chain no longer reaches it")
        self._name_broken()

    def _compare_end(self, head: Head) -> None:
        """Compare the end of the chain with its head before the pass and now."""
        end = max(self._head.sequence, head.sequence)
        for place, entry in self._end.items():
            if place > end:
                self.broken[place] = entry
                self._find("added", place, f"the chain's head says that it ends in {end}", entry)
        self.gaps = [(first, min(last, end)) for first, last in self.gaps if first <= end]
        for each in {self._head, head}:
            entry = self._end.get(each.sequence)
            if entry and entry.hash != each.hash and each.sequence not in self.broken:
                self.broken[each.sequence] = entry
                self._find("altered", each.sequence, "the chain's head holds another hash for it", entry)

    def _judge(self, place: int, entry: Entry) -> bool:
        """Return whether the entry is the one that was recorded in its place."""
        if self._known and place == self._known.sequence and entry.hash != self._known.hash:
            self._find("altered", place, "its hash is not the one given: the chain was rewritten", entry)
        if entry.sequence != place or entry.tenant != self._tenant:
            return False
        if entry.digest != entry.document_sha256 or entry.linked() != entry.hash:
            return False
        if place == 1 and entry.previous != BEFORE_THE_FIRST:
            self._find("altered", place, "the first entry does not begin the chain", entry)
            return False
        follows = place == self.last.sequence + 1 and self._previous is not None
        if follows and place - 1 not in self.broken and entry.previous != self.last.hash:
            # Both are sound by themselves. The later one was linked to what stood there when it was recorded.
            self.broken[place - 1] = self._previous
            self._find("altered", place - 1, "the next entry was linked to another one in its place", self._previous)
        return True

    def _name_broken(self) -> None:
        """Find out of each broken place whether its entry stands elsewhere, or was changed."""
        named = {finding.sequence for finding in self.findings if finding.kind in {"altered", "added"}}
        unnamed = {place: entry for place, entry in sorted(self.broken.items()) if place not in named}
        readable = {place: entry for place, entry in unnamed.items() if entry}
        compared = dict(list(readable.items())[:_MOST_COMPARED])
        for place, entry in unnamed.items():
            if entry is None:
                self._find("altered", place, "it lacks what every entry has, or has it in another form")
                continue
            origin = next(
                (other for other in compared if other != place and _moved(entry, compared[other], other)), None
            )
            if origin is None:
                self._find("altered", place, _what_changed(place, entry), entry)
            else:
                self._find("reordered", place, f"what stands there was recorded as entry {origin}", entry)

    def _find(self, kind: Kind, place: int | None, detail: str, entry: Entry | None = None) -> None:
        finding = Finding(kind, "chain", place, detail)
        self.findings.append(finding.about(entry.source, entry.id) if entry else finding)


def _moved(here: Entry, there: Entry, origin: int) -> bool:
    """Return whether this entry was recorded as `origin`, where `there` is now: the whole entry, or its content."""
    if here.hash == here.linked(sequence=origin):
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
