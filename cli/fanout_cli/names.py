"""Names that people type: known use cases, and what to say to an unknown one."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from fanout import contracts
from fanout_cli.errors import UsageError


def require_use_case(name: str, known: Sequence[str] | None = None) -> str:
    """Return `name` if it is a use case (by default: one with contracts); raises UsageError naming the known ones."""
    names = contracts.use_cases() if known is None else known
    if name in names:
        return name
    raise UsageError(
        f"there is no use case {name!r}{closest(name, names)}", f"Known use cases: {', '.join(names) or 'none'}."
    )


def closest(name: str, known: Iterable[str]) -> str:
    """Return ", did you mean ...?" if a known name is close, else nothing."""
    # People write team-events and TeamEvents for team_events.
    plain = {each.replace("_", "").lower(): each for each in known}
    matches = get_close_matches(name.replace("_", "").replace("-", "").lower(), plain, n=1)
    return f", did you mean {plain[matches[0]]}?" if matches else ""
