"""One errand among dead letters: find those that are meant, ask, work them off, and tell what became of each."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import typer

from fanout_cli.dead_letters.dead_letter import DeadLetter
from fanout_cli.dead_letters.filters import Selected, Selection, select
from fanout_cli.dead_letters.queue import LetterQueue
from fanout_cli.dead_letters.redrive import Pace, Settled, Summary, Work, work_off
from fanout_cli.errors import UsageError
from fanout_cli.output import Step, console, emit_json, note, printable, step
from fanout_cli.stack.topology import Subscriber

_TOLD = 20


@dataclass
class Errand:
    """What somebody wants done with some dead letters of a subscriber."""

    subscriber: Subscriber
    queue: LetterQueue
    selection: Selection
    work: Work
    verb: str
    past: str
    whereto: str
    pace: Pace
    json_output: bool
    _summary: Summary = field(default_factory=Summary)
    _asked_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def run(self, *, dry_run: bool, yes: bool) -> None:
        """Do it. Raises typer.Exit if a letter did not make it, UsageError if nobody is there to be asked."""
        if not (yes or dry_run or sys.stdin.isatty()):
            raise UsageError(
                f"nobody is there to be asked whether to {self.verb} the letters (standard input is no terminal)",
                "Look with --dry-run first, then say --yes.",
            )
        self._asked_at = datetime.now(UTC)
        with step(f"Looking at the dead letters of {self.subscriber.name}") as progress:
            found = select(self.queue, self.selection, on_seen=counting(progress))
        unfound = self._unfound(found)
        if found.unseen.total:
            note(about_unseen(self.subscriber, found))
        if not found.letters:
            note(f"{self.subscriber.name} has no dead letter to {self.verb}.")
            raise typer.Exit(1 if unfound else 0)
        if dry_run:
            self._preview(found.letters)
        elif not yes and not typer.confirm(self._question(found), err=True):
            note(f"No letter was {self.past}.")
            raise typer.Exit(1)
        else:
            self._work_off(found)
        failed = self._summary.missing or any(
            each.outcome != self.past or each.detail for each in self._summary.settled
        )
        raise typer.Exit(1 if failed or unfound else 0)

    def _unfound(self, found: Selected) -> list[str]:
        """The ids that somebody named and no letter has."""
        unfound = [each for each in sorted(self.selection.ids) if not any(one.is_about(each) for one in found.letters)]
        for each in unfound:
            note(f"{self.subscriber.name} has no such dead letter: {printable(each)}")
        return unfound

    def _question(self, found: Selected) -> str:
        number, hidden = len(found.letters), found.unseen.visible
        if self.selection.is_everything:
            many = letters(number + hidden)
        else:
            many = f"{letters(number)}, and what is meant among {hidden} behind them," if hidden else letters(number)
        return f"{self.verb.capitalize()} {many} of {self.subscriber.name} {self.whereto}?"

    def _preview(self, chosen: Sequence[DeadLetter]) -> None:
        for letter in chosen if self.json_output else ():
            emit_json(self._line(letter, f"would be {self.past}", None))
        if self.json_output:
            return
        out = console()
        for cause, number in Counter(each.cause_class for each in chosen).most_common():
            out.print(f"{number:6}  {printable(cause)}", markup=False)
        note(f"{letters(len(chosen))} would be {self.past}; nothing was done.")

    def _work_off(self, found: Selected) -> None:
        """Work off what was found. A FIFO queue shows what is behind it only then, so that takes several rounds."""
        total = len(found.letters) + found.unseen.visible
        summary = self._summary
        try:
            with step(f"{self.past.capitalize()} so far, of {self.subscriber.name}") as progress:

                def tell(settled: Sequence[Settled]) -> None:
                    progress.update(done=len(summary.settled), total=total)
                    for each in settled if self.json_output else ():
                        emit_json(self._line(each.letter, each.outcome, each.detail))

                chosen = {each.message_id: each for each in found.letters}
                while chosen:
                    left = work_off(
                        self.queue, chosen, self.work, summary,
                        pace=self.pace, everything=self.selection.is_everything, on_settled=tell,
                    )  # fmt: skip
                    for message_id in sorted(left) if self.json_output else ():
                        emit_json(self._line(chosen[message_id], "missing", None))
                    done = {each.letter.message_id for each in summary.settled}
                    # Never more than there were at first: what fails again comes back, and would go round for ever.
                    if not self.queue.is_fifo or len(done) >= total or not done & set(chosen):
                        break
                    again = select(self.queue, self._of_before(), without=done)
                    chosen = {each.message_id: each for each in again.letters[: total - len(done)]}
        finally:
            self._tell(total)

    def _of_before(self) -> Selection:
        """Those of the selection that were there before anybody was asked: nobody has agreed to what came later."""
        until = self._asked_at if self.selection.until is None else min(self.selection.until, self._asked_at)
        return replace(self.selection, until=until)

    def _line(self, letter: DeadLetter, outcome: str, detail: str | None) -> dict[str, Any]:
        return {
            "subscriber": self.subscriber.name,
            "message_id": letter.message_id,
            "event_id": letter.event_id,
            "reason": letter.cause,
            "outcome": outcome,
            "detail": detail,
        }

    def _tell(self, total: int) -> None:
        """The summary, also of an errand that was interrupted."""
        summary = self._summary
        troubled = [each for each in summary.settled if each.detail]
        for each in troubled[:_TOLD]:
            which = printable(each.letter.event_id or each.letter.message_id)
            note(f"{each.outcome}: {which}: {printable(each.detail or '')}")
        if len(troubled) > _TOLD:
            note(f"... and {len(troubled) - _TOLD} more like these")
        if summary.missing:
            note(f"{letters(summary.missing)} had gone, or lay in somebody else's hands, when their turn came.")
        untouched = max(0, total - len(summary.settled) - summary.missing)
        parts = [f"{self.past} {summary.count(self.past)}"]
        parts += [f"{name} {summary.count(name)}" for name in ("skipped", "failed")]
        if summary.missing:
            parts.append(f"missing {summary.missing}")
        if untouched:
            parts.append(f"not reached {untouched}")
        text = f"{self.subscriber.name}: {', '.join(parts)}"
        if self.json_output:
            note(text)
        else:
            console().print(text, markup=False)


def letters(number: int) -> str:
    """So many letters, in words."""
    return "1 letter" if number == 1 else f"{number} letters"


def about_unseen(subscriber: Subscriber, found: Selected) -> str:
    """What to say of letters that could not be seen."""
    parts = []
    if found.unseen.held:
        being = "is" if found.unseen.held == 1 else "are"
        parts.append(f"{letters(found.unseen.held)} of {subscriber.name} {being} being looked at by somebody else")
    if found.unseen.visible:
        fifo = subscriber.dead_letter_url.endswith(".fifo")
        why = (
            "of each group, a FIFO queue shows the first few only" if fifo else "they are too many for this connection"
        )
        parts.append(f"{letters(found.unseen.visible)} of {subscriber.name} cannot be seen yet: {why}")
    return "; ".join(parts) + "."


def counting(progress: Step) -> Any:
    """What `select` tells, as progress."""
    return lambda seen, expected: progress.update(done=seen, total=max(seen, expected))
