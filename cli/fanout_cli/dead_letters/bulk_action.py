"""Redrive or delete the matching dead letters of a subscriber: find, confirm, apply, and report each result."""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import typer

from fanout_cli.dead_letters.dead_letter import DeadLetter
from fanout_cli.dead_letters.filters import Filter, Matches, select
from fanout_cli.dead_letters.queue import DeadLetterQueue
from fanout_cli.dead_letters.redrive import Action, RateLimiter, Result, Summary, apply_action
from fanout_cli.errors import UsageError
from fanout_cli.output import Step, console, emit_json, note, printable, step
from fanout_cli.stack.topology import Subscriber

_MOST_REPORTED = 20


@dataclass
class BulkAction:
    """An action on the matching dead letters of one subscriber."""

    subscriber: Subscriber
    queue: DeadLetterQueue
    selection: Filter
    action: Action
    verb: str
    past: str
    whereto: str
    rate_limiter: RateLimiter
    json_output: bool
    _summary: Summary = field(default_factory=Summary)
    _confirmed_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def run(self, *, dry_run: bool, yes: bool) -> None:
        """Run it. Raises typer.Exit(1) if any message failed, UsageError if stdin is not a terminal to confirm on."""
        if not (yes or dry_run or sys.stdin.isatty()):
            raise UsageError(
                f"cannot ask whether to {self.verb} the dead letters: standard input is not a terminal",
                "Check with --dry-run, then run again with --yes.",
            )
        self._confirmed_at = datetime.now(UTC)
        with step(f"Reading the dead letters of {self.subscriber.name}") as progress:
            found = select(self.queue, self.selection, on_seen=counting(progress))
        unfound = self._unfound(found)
        if found.unseen.total:
            note(about_unseen(self.subscriber, found))
        if not found.dead_letters:
            note(f"{self.subscriber.name} has no dead letter to {self.verb}.")
            raise typer.Exit(1 if unfound else 0)
        if dry_run:
            self._preview(found.dead_letters)
        elif not yes and not typer.confirm(self._question(found), err=True):
            note(f"No dead letter was {self.past}.")
            raise typer.Exit(1)
        else:
            self._apply(found)
        failed = self._summary.missing or any(
            each.outcome != self.past or each.detail for each in self._summary.results
        )
        raise typer.Exit(1 if failed or unfound else 0)

    def _unfound(self, found: Matches) -> list[str]:
        """Return the requested ids that no dead letter has, and report them."""
        about = [each for each in sorted(self.selection.ids) if any(one.is_about(each) for one in found.dead_letters)]
        unfound = sorted(self.selection.ids - set(about))
        for each in unfound:
            note(f"{self.subscriber.name} has no such dead letter: {printable(each)}")
        return unfound

    def _question(self, found: Matches) -> str:
        number, hidden = len(found.dead_letters), found.unseen.visible
        if self.selection.is_everything:
            many = counted(number + hidden)
        else:
            many = f"{counted(number)}, and the matching ones of {hidden} behind them," if hidden else counted(number)
        return f"{self.verb.capitalize()} {many} of {self.subscriber.name} {self.whereto}?"

    def _preview(self, chosen: Sequence[DeadLetter]) -> None:
        for dead_letter in chosen if self.json_output else ():
            emit_json(self._line(dead_letter, f"would be {self.past}", None))
        if self.json_output:
            return
        out = console()
        for cause, number in Counter(each.cause_class for each in chosen).most_common():
            out.print(f"{number:6}  {printable(cause)}", markup=False)
        note(f"{counted(len(chosen))} would be {self.past}; nothing was done.")

    def _apply(self, found: Matches) -> None:
        """Apply the action. A FIFO queue shows the next messages of a group only after that: several rounds."""
        total = len(found.dead_letters) + found.unseen.visible
        summary = self._summary
        try:
            with step(f"{self.past.capitalize()} so far, of {self.subscriber.name}") as progress:

                def report(results: Sequence[Result]) -> None:
                    progress.update(done=len(summary.results), total=total)
                    for each in results if self.json_output else ():
                        emit_json(self._line(each.dead_letter, each.outcome, each.detail))

                chosen = {each.message_id: each for each in found.dead_letters}
                while chosen:
                    left = apply_action(
                        self.queue, chosen, self.action, summary,
                        rate_limiter=self.rate_limiter, everything=self.selection.is_everything, on_results=report,
                    )  # fmt: skip
                    for message_id in sorted(left) if self.json_output else ():
                        emit_json(self._line(chosen[message_id], "missing", None))
                    done = {each.dead_letter.message_id for each in summary.results}
                    # Never more than at first: a failed message returns to the queue, and the loop would not end.
                    if not self.queue.is_fifo or len(done) >= total or not done & set(chosen):
                        break
                    again = select(self.queue, self._up_to_confirmation(), without=done)
                    chosen = {each.message_id: each for each in again.dead_letters[: total - len(done)]}
        finally:
            self._report(total)

    def _up_to_confirmation(self) -> Filter:
        """Return the same filter, limited to messages that existed when the operator confirmed."""
        until = self._confirmed_at if self.selection.until is None else min(self.selection.until, self._confirmed_at)
        return replace(self.selection, until=until)

    def _line(self, dead_letter: DeadLetter, outcome: str, detail: str | None) -> dict[str, Any]:
        return {
            "subscriber": self.subscriber.name,
            "message_id": dead_letter.message_id,
            "event_id": dead_letter.event_id,
            "reason": dead_letter.cause,
            "outcome": outcome,
            "detail": detail,
        }

    def _report(self, total: int) -> None:
        """Print the summary, also after an interruption."""
        summary = self._summary
        problems = [each for each in summary.results if each.detail]
        for each in problems[:_MOST_REPORTED]:
            which = printable(each.dead_letter.event_id or each.dead_letter.message_id)
            note(f"{each.outcome}: {which}: {printable(each.detail or '')}")
        if len(problems) > _MOST_REPORTED:
            note(f"... and {len(problems) - _MOST_REPORTED} more")
        if summary.missing:
            note(f"{counted(summary.missing)} were gone or held by another consumer.")
        untouched = max(0, total - len(summary.results) - summary.missing)
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


def counted(number: int) -> str:
    """Return "1 dead letter" or "N dead letters"."""
    return "1 dead letter" if number == 1 else f"{number} dead letters"


def about_unseen(subscriber: Subscriber, found: Matches) -> str:
    """Return the note about dead letters that could not be received."""
    parts = []
    if found.unseen.held:
        being = "is" if found.unseen.held == 1 else "are"
        parts.append(f"{counted(found.unseen.held)} of {subscriber.name} {being} held by another consumer")
    if found.unseen.visible:
        fifo = subscriber.dead_letter_url.endswith(".fifo")
        why = (
            "a FIFO queue returns only the first messages of each group"
            if fifo
            else "there are too many for this connection"
        )
        parts.append(f"{counted(found.unseen.visible)} of {subscriber.name} cannot be seen yet: {why}")
    return "; ".join(parts) + "."


def counting(progress: Step) -> Any:
    """Return the callback that shows the progress of `select`."""
    return lambda seen, expected: progress.update(done=seen, total=max(seen, expected))
