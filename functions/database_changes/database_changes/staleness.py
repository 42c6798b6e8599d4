"""The outcome of a change whose version is not later than the replica's."""

from fanout import Discard, Outcome


def check_staleness(version: str, present: str) -> Outcome:
    """Return DUPLICATE for the version that the replica has. Raises Discard for an older one."""
    if version == present:
        return Outcome.DUPLICATE
    raise Discard("superseded", "the replica has a later version of the row")
