"""Verification names the first difference from what was recorded, after any manipulation of chain or bucket."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fanout_cli.audit.findings import Finding, Verdict
from fanout_cli.audit.trail import NO_HEAD, Head
from fanout_cli.audit.verification import verify

from .trails import TENANT, MemoryStores, canonical, entry, key, name, sha256

Tamper = Callable[[MemoryStores], Any]


def verified(stores: MemoryStores, passes_through: Head | None = None) -> Verdict:
    return verify(TENANT, stores, lambda *_: None, passes_through)


def first(stores: MemoryStores) -> tuple[str, str, int | None, str | None]:
    """Kind, where, entry, and event of the first finding."""
    finding = verified(stores).findings[0]
    return finding.kind, finding.where, finding.sequence, finding.event_id


def swap(stores: MemoryStores, one: int, other: int, *fields: str) -> None:
    """Let two entries change places: whole, or only some of their fields."""
    here, there = stores.chain[key(one)], stores.chain[key(other)]
    fields = fields or tuple(here)
    mine, theirs = ({field: each[field] for field in fields} for each in (here, there))
    here.update(theirs)
    there.update(mine)


def forge(stores: MemoryStores, sequence: int, event_id: str = "forged") -> None:
    """An entry of an event that never was, sound by itself."""
    before = stores.chain[key(sequence - 1)]["hash"] if sequence > 1 else NO_HEAD.hash
    stores.chain[key(sequence)] = entry(sequence, event_id, before, stores.document(event_id))


@pytest.mark.parametrize("number", [0, 1, 2, 63, 64, 65, 130])
def test_a_trail_as_it_was_recorded_has_no_findings(number: int) -> None:
    stores = MemoryStores(number)
    verdict = verified(stores)
    assert (verdict.findings, verdict.entries, verdict.preserved) == ([], number, number)
    assert verdict.head == stores.end


DOCUMENT = canonical({"event": {"id": "e3", "source": "urn:test", "data": {}}, "masked": []})
CASES: dict[str, tuple[Tamper, tuple[str, str, int | None, str | None]]] = {
    "a document of the chain": (lambda s: s.chain[key(3)].update(body=DOCUMENT), ("altered", "chain", 3, "e3")),
    "a document and its hash": (
        lambda s: s.chain[key(3)].update(body=DOCUMENT, document_sha256=sha256(DOCUMENT)),
        ("altered", "chain", 3, "e3"),
    ),
    "the time of recording": (lambda s: s.chain[key(3)].update(recorded_at="x"), ("altered", "chain", 3, "e3")),
    "an entry's event": (lambda s: s.chain[key(3)].update(id="other"), ("altered", "chain", 3, "other")),
    "an entry's tenant": (lambda s: s.chain[key(3)].update(tenant="globex"), ("altered", "chain", 3, "e3")),
    "an entry's hash": (lambda s: s.chain[key(3)].update(hash="0" * 64), ("altered", "chain", 3, "e3")),
    "an attribute taken away": (lambda s: s.chain[key(3)].pop("previous"), ("altered", "chain", 3, None)),
    "an attribute put in": (lambda s: s.chain[key(3)].update(note="x"), ("altered", "chain", 3, None)),
    "an attribute of another type": (lambda s: s.chain[key(3)].update(sequence="3"), ("altered", "chain", 3, None)),
    "a number with a fraction": (lambda s: s.chain[key(3)].update(sequence=3.5), ("altered", "chain", 3, None)),
    "an entry replaced by one that is sound": (lambda s: forge(s, 3), ("altered", "chain", 3, "forged")),
    "the first replaced by one that is sound": (lambda s: forge(s, 1), ("altered", "chain", 1, "forged")),
    "the last replaced by one that is sound": (lambda s: forge(s, 9), ("altered", "chain", 9, "forged")),
    "an entry replaced by a copy of another": (
        lambda s: s.chain.update({key(3): dict(s.chain[key(7)])}),
        ("altered", "chain", 3, "e7"),
    ),
    "the head's hash": (lambda s: setattr(s, "end", Head(9, "0" * 64)), ("altered", "chain", 9, "e9")),
    "the head deleted": (lambda s: setattr(s, "end", NO_HEAD), ("missing", "chain", None, None)),
    "the first deleted": (lambda s: s.chain.pop(key(1)), ("missing", "chain", 1, "e1")),
    "one deleted": (lambda s: s.chain.pop(key(4)), ("missing", "chain", 4, "e4")),
    "two in a row deleted": (lambda s: (s.chain.pop(key(4)), s.chain.pop(key(5))), ("missing", "chain", 4, "e4")),
    "the last deleted": (lambda s: s.chain.pop(key(9)), ("missing", "chain", 9, "e9")),
    "the last deleted and the head put back": (
        lambda s: (s.chain.pop(key(9)), setattr(s, "end", Head(8, s.chain[key(8)]["hash"]))),
        ("missing", "chain", 9, "e9"),
    ),
    "an event's entry added once more, soundly": (lambda s: s.record("e3"), ("added", "chain", 10, "e3")),
    "one deleted and the rest written anew": (
        lambda s: (s.chain.pop(key(4)), s.rewrite(4)),
        ("missing", "chain", 4, "e4"),
    ),
    "everything deleted": (lambda s: (s.chain.clear(), setattr(s, "end", NO_HEAD)), ("missing", "chain", 1, "e1")),
    "one added at the end": (lambda s: forge(s, 10), ("added", "chain", 10, "forged")),
    "one added at the end that does not even fit": (
        lambda s: s.chain.update({key(10): dict(s.chain[key(9)], id="forged")}),
        ("added", "chain", 10, "forged"),
    ),
    "one added far behind the end": (
        lambda s: s.chain.update({key(10**19): entry(10**19, "forged", "0" * 64, "{}")}),
        ("added", "chain", 10**19, "forged"),
    ),
    "something added that cannot be read": (lambda s: s.chain.update({key(10): {}}), ("added", "chain", 10, None)),
    "one added at the end and the head put there": (
        lambda s: (forge(s, 10), setattr(s, "end", Head(10, s.chain[key(10)]["hash"]))),
        ("added", "chain", 10, "forged"),
    ),
    "one added in between and the rest written anew": (
        lambda s: (s.chain.update({f"{key(3)}a": entry(0, "forged", "", s.document("forged"))}), s.rewrite(4)),
        ("added", "chain", 4, "forged"),
    ),
    "an item that is not an entry": (lambda s: s.chain.update({"entry#x": {}}), ("added", "chain", None, None)),
    "two entries swapped": (lambda s: swap(s, 3, 6), ("reordered", "chain", 3, "e6")),
    "two adjacent entries swapped": (lambda s: swap(s, 3, 4), ("reordered", "chain", 3, "e4")),
    "first and last swapped": (lambda s: swap(s, 1, 9), ("reordered", "chain", 1, "e9")),
    "two entries swapped and renumbered": (
        lambda s: (swap(s, 3, 6), swap(s, 3, 6, "sequence")),
        ("reordered", "chain", 3, "e6"),
    ),
    "what two entries say swapped": (
        lambda s: swap(s, 3, 6, "id", "source", "body", "document_sha256"),
        ("reordered", "chain", 3, "e6"),
    ),
    "what two entries say and their times swapped": (
        lambda s: swap(s, 3, 6, "id", "source", "body", "document_sha256", "recorded_at"),
        ("reordered", "chain", 3, "e6"),
    ),
    "two documents of the chain swapped": (lambda s: swap(s, 3, 6, "body"), ("reordered", "chain", 3, "e3")),
    "a preserved document": (
        lambda s: s.bucket.update({name("e3"): [("v1", b"{}")]}),
        ("altered", "bucket", 3, "e3"),
    ),
    "a preserved document deleted": (lambda s: s.bucket.pop(name("e3")), ("missing", "bucket", 3, "e3")),
    "a later version": (
        lambda s: s.bucket[name("e3")].insert(0, ("v2", b"{}")),
        ("later-version", "bucket", 3, "e3"),
    ),
    "a later version of the same bytes": (
        lambda s: s.bucket[name("e3")].insert(0, ("v2", s.document("e3").encode())),
        ("later-version", "bucket", 3, "e3"),
    ),
    "a delete marker": (lambda s: s.bucket[name("e3")].insert(0, ("v2", None)), ("delete-marker", "bucket", 3, "e3")),
    "a document put into the bucket": (lambda s: s.preserve("forged"), ("added", "bucket", None, "forged")),
    "no document put into the bucket": (
        lambda s: s.bucket.update({"x/y.txt": [("v1", b"hello")]}),
        ("added", "bucket", None, None),
    ),
    "an event recorded and not preserved": (lambda s: s.record("e10"), ("missing", "bucket", 10, "e10")),
}


@pytest.mark.parametrize("what", CASES)
def test_a_manipulation_is_named(what: str) -> None:
    stores = MemoryStores(9)
    tamper, expected = CASES[what]
    tamper(stores)
    assert first(stores) == expected


@pytest.mark.parametrize("what", ["a document of the chain", "one deleted", "two entries swapped", "a delete marker"])
def test_a_manipulation_of_one_or_two_entries_is_reported_for_no_other(what: str) -> None:
    stores = MemoryStores(9)
    CASES[what][0](stores)
    touched = {finding.sequence for finding in verified(stores).findings}
    assert touched <= {3, 4, 6}


def test_a_chain_rewritten_from_an_entry_on_is_found_with_a_later_hash() -> None:
    stores = MemoryStores(9)
    kept = stores.end
    assert verified(stores, kept).ok
    swap(stores, 3, 6, "id", "body")
    stores.rewrite(3)
    for event_id, sequence in (("e6", 3), ("e3", 6)):
        stores.markers[name(event_id)] = sequence
    assert verified(stores).ok, "chain and bucket agree with each other, and nothing in them says otherwise"
    [finding] = verified(stores, kept).findings
    assert (finding.kind, finding.sequence) == ("altered", 9)


def test_a_chain_that_no_longer_reaches_the_given_entry_is_found() -> None:
    stores = MemoryStores(3)
    [finding] = verified(stores, Head(5, "0" * 64)).findings
    assert (finding.kind, finding.sequence) == ("missing", 5)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_the_first_of_several_changes_is_the_first_named(data: st.DataObject) -> None:
    number = data.draw(st.integers(2, 12))
    stores = MemoryStores(number)
    places = data.draw(st.lists(st.integers(1, number), min_size=1, max_size=4, unique=True))
    for place in places:
        event_id = f"e{place}"
        match data.draw(st.sampled_from(["altered", "missing", "altered copy", "hidden", "later"])):
            case "altered":
                stores.chain[key(place)]["body"] += " "
            case "missing":
                stores.chain.pop(key(place))
            case "altered copy":
                stores.bucket[name(event_id)] = [("v1", b"{}")]
            case "hidden":
                stores.bucket[name(event_id)].insert(0, ("v2", None))
            case "later":
                stores.bucket[name(event_id)].insert(0, ("v2", b"{}"))
    findings = verified(stores).findings
    assert findings[0].sequence == min(places)
    assert {finding.sequence for finding in findings} <= set(places)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_every_change_of_an_entry_is_found(data: st.DataObject) -> None:
    stores = MemoryStores(5)
    item = stores.chain[key(data.draw(st.integers(1, 5)))]
    field = data.draw(st.sampled_from(sorted(item)))
    value = data.draw(st.one_of(st.text(max_size=5), st.integers(-9, 10**30), st.none(), st.booleans()))
    if value == item[field] and type(value) is type(item[field]):
        return
    item[field] = value
    assert not verified(stores).ok


def test_an_entry_recorded_and_preserved_during_verification_is_not_a_finding() -> None:
    class Live(MemoryStores):
        """A writer is active between any two reads."""

        def versions(self) -> Any:
            yield from super().versions()
            self.arrive()

        def items(self) -> Any:
            for position, item in enumerate(super().items()):
                if position == 2:
                    self.arrive()
                yield item
            self.arrive()

        def arrive(self) -> None:
            number = self.end.sequence + 1
            self.record(f"e{number}")
            self.preserve(f"e{number}")

    assert verified(Live(9)).findings == []


def test_a_finding_reads_as_a_sentence() -> None:
    finding = Finding(
        "altered", "chain", 17, "its document does not have the hash that was recorded", "urn:test", "e17"
    )
    assert finding.text == (
        "entry 17 was altered (event e17 of urn:test): its document does not have the hash that was recorded"
    )
