"""How replicas treat a change whose version is not later than theirs."""

from fanout import Discard, Outcome


def check_staleness(version: str, present: str) -> Outcome:
    """Return DUPLICATE for the very change the replica has; raise Discard for an older one."""
    if version == present:
        return Outcome.DUPLICATE
    raise Discard("superseded", "the replica has a later version of the row")
