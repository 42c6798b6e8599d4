"""audit_logs: who did what to which resource, and the outcome.

An event that satisfies this contract has one canonical form (RFC 8785): numbers that a double cannot hold and deeper
nesting are refused here, so that the publisher reports them before an entry ends in a dead-letter queue.
"""

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from fanout.contracts import contract

# Not "$", which also matches before a final line break; this is the end of the text in Python and in JSON Schema.
_END = r"(?![\s\S])"

Tenant = Annotated[str, msgspec.Meta(pattern=f"^[a-z0-9][a-z0-9_-]{{0,63}}{_END}")]
Action = Annotated[str, msgspec.Meta(max_length=128, pattern=f"^[a-z][a-z0-9_-]*(\\.[a-z0-9_-]+)*{_END}")]

DEEPEST = 64
"""Levels of objects and lists in `before` and `after`."""
LARGEST_INTEGER = 2**53 - 1
"""RFC 8785 writes numbers as IEEE 754 doubles: a larger integer, or a number with more digits than a double's shortest
form, belongs in a string. Of other numbers the contract's `exact_numbers` compares the text with the double."""


# An unknown field would be missing in the trail without notice, so the event is refused.
@contract(
    "audit.recorded.v1",
    topic="AuditLogs",
    filterable=("tenant", "action", "outcome"),
    group=("tenant",),
    holds_anything=True,
    exact_numbers=True,
)
class AuditRecorded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An action that was taken, refused, or that failed."""

    tenant: Tenant
    """The tenant; each has its own hash chain."""
    actor: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    """The user, role or job that did it. It is in the trail, never in a log."""
    action: Action
    """The action, a dotted name: user.role.changed."""
    resource: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
    """The resource: a URN, an ARN, a path."""
    outcome: Literal["success", "denied", "failure"]
    source_ip: Annotated[str, msgspec.Meta(max_length=45)] | None = None
    """Where the request came from, IPv4 or IPv6. None if there was no network."""
    before: dict[str, Any] | None = None
    """The part of the resource that the action concerns, before it."""
    after: dict[str, Any] | None = None
    """The same after the action."""

    def __post_init__(self) -> None:
        """Refuse an invalid address, and values without a canonical form. The messages do not quote the value."""
        if self.source_ip is not None:
            _require_address(self.source_ip)
        for name in ("before", "after"):
            state = getattr(self, name)
            if state is not None:
                _require_canonical(state, name)


def _require_address(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise ValueError("source_ip is neither an IPv4 nor an IPv6 address") from None


def _require_canonical(state: Mapping[str, Any], name: str) -> None:
    level: list[Any] = [state]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for value in level:
            below.extend(value.values() if isinstance(value, Mapping) else value)
        for value in below:
            # A bool is an int within the limit.
            if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
                raise ValueError(f"{name} holds an integer beyond 2^53-1: send it as a string")
        level = [value for value in below if isinstance(value, Mapping | list)]
        if not level:
            return
    raise ValueError(f"{name} is nested deeper than {DEEPEST} levels")
