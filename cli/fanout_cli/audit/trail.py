"""What a trail is made of, as its format says: entries and their links, preserved documents and their names."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import rfc8785

BEFORE_THE_FIRST = "0" * 64


def sha256(content: bytes) -> str:
    """Return the digest in hex."""
    return hashlib.sha256(content).hexdigest()


def name_of(source: str, event_id: str) -> str:
    """Return the name under which an event is kept in either store."""
    return sha256(rfc8785.dumps([source, event_id]))


def place_of(key: str) -> int | None:
    """Return the sequence that a sort key `entry#<20 digits>` stands for; None for any other key."""
    kind, _, digits = key.partition("#")
    return int(digits) if kind == "entry" and len(digits) == 20 and digits.isascii() and digits.isdigit() else None


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry as it stands in the chain, true or not. What record never wrote beside it would be in no hash."""

    format: str
    tenant: str
    sequence: int
    recorded_at: str
    source: str
    id: str
    document_sha256: str
    previous: str
    hash: str
    body: str

    @property
    def digest(self) -> str:
        """The SHA-256 of the document in the entry, computed; `document_sha256` may differ."""
        return sha256(self.body.encode("utf-8", "surrogatepass"))

    @property
    def name(self) -> str:
        """The name under which its event is kept."""
        return name_of(self.source, self.id)

    def linked(self, **changes: Any) -> str:
        """Return the hash that the link gives, with some of its fields replaced."""
        link = {name: getattr(self, name) for name in _LINK} | changes
        try:
            return sha256(rfc8785.dumps(link))
        except ValueError:  # a number or text that no writer could have hashed
            return ""


_LINK = ("format", "tenant", "sequence", "recorded_at", "source", "id", "document_sha256", "previous")


def entry_from(item: Mapping[str, Any]) -> Entry | None:
    """Return the entry in an item; None if a field is missing, of another type, or not one of an entry."""
    try:
        return msgspec.convert({name: value for name, value in item.items() if name not in {"pk", "sk"}}, Entry)
    except msgspec.ValidationError:
        return None


@dataclass(frozen=True)
class Head:
    """Where the chain ends."""

    sequence: int
    hash: str


NO_HEAD = Head(0, BEFORE_THE_FIRST)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an object in the bucket, or a delete marker."""

    name: str
    """What stands in its key between the tenant's folder and `.json`; the whole key if it is not of that form."""
    version_id: str
    is_marker: bool = False


class Stores(Protocol):
    """One tenant's chain and bucket."""

    def head(self) -> Head:
        """Return the chain's end, NO_HEAD if it has none."""

    def items(self) -> Iterator[Mapping[str, Any]]:
        """Yield the chain's items in the order of their sort keys, without the head; numbers as int."""

    def place(self, name: str) -> int | None:
        """Return which entry was recorded for an event, by the name it is kept under; None if none was."""

    def key(self, name: str) -> str:
        """Return the key of a document."""

    def versions(self) -> Iterator[Version]:
        """Yield every version in the tenant's folder, by key, each key's newest first."""

    def versions_of(self, name: str) -> list[Version]:
        """Return the versions of one document as they are now, the newest first."""

    def read(self, versions: Sequence[Version]) -> list[bytes]:
        """Return what the versions hold, in order."""
