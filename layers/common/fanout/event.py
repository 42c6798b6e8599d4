"""The event: an immutable fact, as a CloudEvents 1.0 JSON document.

The envelope follows https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md (structured
mode), with the extensions `traceparent` (distributed tracing), `causationid` (the id of the event that caused this
one) and `claimcheck` (the digest under which the whole event is stored in S3, see `fanout.claim_check`). Unknown
attributes are accepted and ignored.
"""

import os
import re
from datetime import UTC, datetime
from decimal import Decimal
from itertools import accumulate
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

import msgspec

from fanout import contracts, identity

D = TypeVar("D")
D2 = TypeVar("D2")

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_Source = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
_Type = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
# Not "$", which also matches before a final line break.
_Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}(?![\s\S])")]
# By section 3.1 of the JSON format, JSON is the subtype json or the suffix +json (RFC 6839). Media types are
# case-insensitive (RFC 9110, section 8.3.1), and expressions in JSON Schema have no flag for that.
_NAME = r"[0-9A-Za-z!#$%&'*+.^_`|~-]+"
_JsonMediaType = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^{_NAME}/({_NAME}\+)?[Jj][Ss][Oo][Nn][ \t]*(;[^\x00-\x08\x0A-\x1F\x7F]*)?(?![\s\S])",
        description="A media type of JSON, with or without parameters: application/json, application/cloudevents+json",
    ),
]


class InvalidEvent(ValueError):
    """A body that is not an event, or whose data violates its contract. The message names the field and the problem."""


class Event(msgspec.Struct, Generic[D], frozen=True, kw_only=True, omit_defaults=True):
    """One event whose `data` is of type D. Create one with `Event.new` or `caused`, read one with `decode`."""

    specversion: Literal["1.0"]
    id: _Id
    source: _Source
    type: _Type
    time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    datacontenttype: _JsonMediaType | None = None
    subject: str | None = None
    traceparent: str | None = None
    causationid: str | None = None
    claimcheck: _Digest | None = None
    data: D

    @classmethod
    def new(
        cls,
        data: D,
        *,
        source: str,
        id: str | None = None,
        time: datetime | None = None,
        subject: str | None = None,
    ) -> "Event[D]":
        """Return a new event about `data`, an instance of a contract, which gives the event its type.

        source: the producer, a URI reference. id: a UUIDv7 unless given. time: now unless given (aware, any zone).
        Raises TypeError if the type of `data` is not a contract.
        """
        event_id = id or identity.new_id()
        return cls(
            specversion="1.0",
            id=event_id,
            source=source,
            type=contracts.contract_of(type(data)).type,
            time=time or datetime.now(UTC),
            datacontenttype="application/json",
            subject=subject,
            traceparent=_new_traceparent(event_id),
            data=data,
        )

    @property
    def identity(self) -> str:
        """(source, id) as one key. See `fanout.identity.identity`."""
        return identity.identity(self.source, self.id)

    @property
    def occurred_at(self) -> datetime:
        """The time of the event in UTC. Always known in a handler: without `time` it is the time of publishing."""
        if self.time is None:
            raise ValueError(f"event {self.id} has no time and was not delivered")
        return self.time.astimezone(UTC)

    def with_data(self, data: D2, *, claimcheck: str | None = None) -> "Event[D2]":
        """Return the event with other data: typed, or the stub of a claim check."""
        # Faster than msgspec.structs.replace by a factor of three, and called for every record.
        return Event(
            specversion="1.0",
            id=self.id,
            source=self.source,
            type=self.type,
            time=self.time,
            datacontenttype=self.datacontenttype,
            subject=self.subject,
            traceparent=self.traceparent,
            causationid=self.causationid,
            claimcheck=claimcheck,
            data=data,
        )

    def caused(self, data: D2, *, ordinal: int = 0, by: str | None = None, time: datetime | None = None) -> "Event[D2]":
        """Return the event that this one causes: the same event, with the same id, at every attempt.

        ordinal: distinguishes several events of one type with one cause. by: the subscriber; FANOUT_SUBSCRIBER unless
        given. time: the cause's unless given; it must be the same at every attempt.
        """
        subscriber = by or identity.subscriber_name()
        event_type = contracts.contract_of(type(data)).type
        event_id = identity.derived_id(self.source, self.id, subscriber, event_type, ordinal)
        return Event(
            specversion="1.0",
            id=event_id,
            source=f"urn:fanout:{subscriber}",
            type=event_type,
            time=time or self.time,
            datacontenttype="application/json",
            traceparent=_child_traceparent(self.traceparent, event_id),
            causationid=self.id,
            data=data,
        )


def encode(event: "Event[Any]") -> bytes:
    """Return the event as UTF-8 JSON."""
    return msgspec.json.encode(event)


YEARS = range(2, 9999)
"""The years of a valid time: one year inside the range of Python's datetime, so that no zone and no added delay leaves
that range."""

MAX_DEPTH = 100
"""The deepest nesting of lists and objects in data of any form: within the recursion limit, and within what every store
accepts."""

_envelope = msgspec.json.Decoder(Event[msgspec.Raw])
# Possessive quantifiers: backtracking would take a hundred times the memory of a string of megabytes.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"')
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def decode(body: str | bytes) -> Event[msgspec.Raw]:
    """Return the event in `body` with its data still encoded; raises InvalidEvent.

    `decode_data` decodes the data by the contract of the event's type.
    """
    try:
        event = _envelope.decode(body)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors, and so are lone surrogates
        raise InvalidEvent(f"not a CloudEvents 1.0 event: {_problem(error)}") from None
    if event.time is not None and event.time.year not in YEARS:
        raise InvalidEvent(f"not a CloudEvents 1.0 event: year {event.time.year} is out of range - at `$.time`")
    return event


def decode_data(event: Event[msgspec.Raw], contract: type[D]) -> Event[D]:
    """Return the event with its data as an instance of `contract`; raises InvalidEvent naming the field."""
    if contracts.contract_of(contract).holds_anything and _is_too_deep(bytes(event.data)):
        raise InvalidEvent(f"{event.type}: nested deeper than {MAX_DEPTH} levels - at `$.data`")
    try:
        data = contracts.decode(contract, event.data)
    except (ValueError, RecursionError) as error:
        problem = _problem(error)
        where = problem.replace("`$", "`$.data") if "`$" in problem else f"{problem} - at `$.data`"
        raise InvalidEvent(f"{event.type}: {where}") from None
    return event.with_data(data)


def validate(event: Event[Any], body: bytes) -> None:
    """Raise InvalidEvent, naming the field, for an event that its subscribers would reject. body: the event, encoded.

    The data must satisfy the contract of the event's type, unless it is a stub or no imported contract has that
    type. NaN and Infinity are refused, because `encode` writes null for them, or text for a Decimal.
    """
    received = decode(body)
    if _WRITTEN_FOR_NOT_FINITE.search(body):
        _require_finite(event)
    schema = contracts.schema_of(received.type)
    if schema is not None and received.claimcheck is None:
        decode_data(received, schema)


# Searched first: traversing the data costs more than the rest.
_WRITTEN_FOR_NOT_FINITE = re.compile(rb'null|NaN"|Infinity"')


def _require_finite(event: Event[Any]) -> None:
    # All data was encoded before, so the hook is called only for msgspec.Raw, which is JSON already.
    data = msgspec.to_builtins(event.data, builtin_types=[Decimal], enc_hook=lambda _: None)
    pending = [("$.data", data)]
    while pending:
        where, value = pending.pop()
        match value:
            case float() | Decimal() if not Decimal(value).is_finite():
                raise InvalidEvent(f"{event.type}: NaN and Infinity are not JSON - at `{where}`")
            case dict():
                names = (f".{name}" if where == "$.data" else "[...]" for name in value)
                pending.extend((where + name, each) for name, each in zip(names, value.values(), strict=True))
            case list() | tuple():
                pending.extend((f"{where}[{number}]", each) for number, each in enumerate(value))


def _is_too_deep(data: bytes) -> bool:
    """Tell whether the nesting is deeper than MAX_DEPTH. data: well-formed JSON."""
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:  # the usual case, and a hundred times as fast
        return False
    brackets = _STRING.sub(b"", data).translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > MAX_DEPTH


def _problem(error: Exception) -> str:
    """Return the problem without the value: msgspec quotes an invalid enum value, which would be logged."""
    said = str(error)
    if "matching regex" in said and said.endswith("`$.datacontenttype`"):
        return "Expected a media type of JSON, such as application/json - at `$.datacontenttype`"
    if not said.startswith("Invalid enum value"):
        return said
    _, found, path = said.rpartition(" - at `")
    return "Invalid enum value" + found + path if found else "Invalid enum value"


def _new_traceparent(event_id: str) -> str:
    """Return X-Ray's trace of this invocation, else a new one. https://www.w3.org/TR/trace-context/"""
    header = os.environ.get("_X_AMZN_TRACE_ID", "")
    parts = dict(part.split("=", 1) for part in header.split(";") if "=" in part)
    root = parts.get("Root", "").split("-")
    if len(root) == 3 and len(root[1] + root[2]) == 32 and len(parts.get("Parent", "")) == 16:
        sampled = "01" if parts.get("Sampled") == "1" else "00"
        return f"00-{root[1]}{root[2]}-{parts['Parent']}-{sampled}"
    return f"00-{os.urandom(16).hex()}-{_span_id(event_id)}-01"


def _child_traceparent(parent: str | None, event_id: str) -> str | None:
    if parent is None or parent.count("-") != 3:
        return None
    version, trace, _, flags = parent.split("-")
    return f"{version}-{trace}-{_span_id(event_id)}-{flags}"


def _span_id(event_id: str) -> str:
    """Return a span id that is the same at every attempt, so that a derived event is always the same document."""
    try:
        return UUID(event_id).hex[16:]
    except ValueError:
        return os.urandom(8).hex()
