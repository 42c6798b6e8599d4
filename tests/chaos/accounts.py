"""The account of a run: for every event due at a subscriber, its outcome and the number of its effects."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.chaos.workload import Due

# What an outage may lead to: it is unknown whether a mail was sent; a function could not even put an event off, or
# was killed again and again. No event here is wrong, so being refused for what it is would be a fault.
EXCUSES = frozenset({"outcome-unknown", "function failed", "received too often", "gave up"})


@dataclass(frozen=True)
class Settled:
    """One due delivery at the end of the run, and the evidence of its outcome."""

    due: Due
    outcome: str
    """what the receipts say; believed only as far as the stores agree"""
    dead_letter: str
    """the kind of reason of the event's dead letter in the subscriber's queue; "" if it does not: what was
    rejected must, or it is lost"""
    times: int | None
    """how often its effect is found in the stores; None: a later event's effect replaced it"""
    is_addressed: bool = True
    """whether the event's data is for this subscriber; where not, and only there, it is to be discarded"""

    @property
    def is_as_promised(self) -> bool:
        """Whether it was handled once, or given up where a person finds it, or left alone for a reason."""
        match self.outcome:
            case "processed" | "duplicate":
                return self.times in (1, None)
            case "rejected" | "dead-lettered":
                return self.dead_letter in EXCUSES and self.times in (0, 1, None)
            case outcome:
                is_due = self.is_addressed and self.times is not None
                return outcome == "discarded" and not self.times and not is_due

    @property
    def said(self) -> str:
        """Return one line for the report."""
        dead_letter = f", and it is a dead letter ({self.dead_letter})" if self.dead_letter else ""
        return (
            f"{self.due.event['type']} {self.due.event_id} at {self.due.subscriber}: "
            f"receipts say {self.outcome}, its effect is there {self.times} times{dead_letter}"
        )


@dataclass
class Account:
    """due = processed + rejected + discarded + lost, and `doubled` counts effects beyond the first."""

    due: int = 0
    processed: int = 0
    rejected: int = 0
    discarded: int = 0
    lost: int = 0
    doubled: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """why what was rejected was"""
    complaints: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost or doubled, the sum is right, and no delivery went otherwise than it should."""
        is_sum_right = self.due == self.processed + self.rejected + self.discarded
        return not self.lost and not self.doubled and is_sum_right and not self.complaints

    def add(self, other: "Account") -> None:
        """Take another account's numbers into this one."""
        for name in ("due", "processed", "rejected", "discarded", "lost", "doubled"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.reasons += other.reasons
        self.complaints += other.complaints


def account(settled: Iterable[Settled]) -> Account:
    """Return the account of some deliveries."""
    total = Account()
    for each in settled:
        total.due += 1
        # What was rejected may have happened (`outcome-unknown`), but never twice; what was discarded must not have.
        total.doubled += max((each.times or 0) - (each.outcome != "discarded"), 0)
        match each.outcome:
            case "processed" | "duplicate" if each.times != 0:
                total.processed += 1
            case "rejected" | "dead-lettered" if each.dead_letter:
                total.rejected += 1
                total.reasons[each.dead_letter] += 1
            case "discarded":
                total.discarded += 1
            case _:
                total.lost += 1
        if not each.is_as_promised:
            total.complaints.append(each.said)
    return total
