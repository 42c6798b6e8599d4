"""Check the names that a user types, and suggest the closest known one."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from fanout_cli.errors import UsageError

if TYPE_CHECKING:
    from fanout_cli.stack.topology import Subscriber, Topology


def require_use_case(name: str, known: Sequence[str] | None = None) -> str:
    """Return `name` if it is a use case (by default: one with contracts); raises UsageError naming the known ones."""
    from fanout import contracts

    names = contracts.use_cases() if known is None else known
    if name in names:
        return name
    raise UsageError(
        f"there is no use case {name!r}{closest(name, names)}", f"Known use cases: {', '.join(names) or 'none'}."
    )


def require_subscriber(name: str, topology: "Topology") -> "Subscriber":
    """Return the deployed subscriber of that name. Raises UsageError naming the closest and the deployed ones."""
    known = topology.subscribers
    if name in known:
        return known[name]
    if (named := [each for each in known if each.partition("/")[2] == name]) and len(named) == 1:
        raise UsageError(f"there is no subscriber {name!r}, did you mean {named[0]}?", "Name it in full.")
    # If its use case is deployed, only the subscribers of that use case are suggested.
    here = [each for each in known if each.partition("/")[0] == name.partition("/")[0]]
    raise UsageError(
        f"there is no subscriber {name!r} in stack {topology.stack_name}{closest(name, known)}",
        f"Deployed: {', '.join(sorted(here or known))}.",
    )


def closest(name: str, known: Iterable[str]) -> str:
    """Return ", did you mean ...?" if a known name is close, else nothing."""
    # Users write team-events and TeamEvents for team_events.
    plain = {each.replace("_", "").lower(): each for each in known}
    matches = get_close_matches(name.replace("_", "").replace("-", "").lower(), plain, n=1)
    return f", did you mean {plain[matches[0]]}?" if matches else ""
